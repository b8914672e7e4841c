using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Grains.Consensus;
using Watch.Grains.Nodes;

namespace Watch.Cluster.Tests;

/// <summary>The driver of the cluster's nodes, and what becomes of those who wait for it or are told by it.</summary>
public sealed class NodesDriverTests
{
    private static readonly NodeId s_new = new((UInt128)77);
    private static readonly NodeId s_gone = new((UInt128)5);

    [Fact]
    public Task A_wish_that_is_open_when_the_silo_stops_is_answered() => WithOpenWishAsync(nodes => nodes.StopAsync());

    [Fact]
    public Task A_wish_that_is_open_when_the_node_breaks_is_answered() => WithOpenWishAsync(async nodes =>
    {
        nodes.Replica.Break(new InvariantViolationException("R0: broken"));
        await TwoNodes.PassAsync();
    });

    [Fact]
    public Task A_wish_is_recorded_and_answered_when_it_has_committed() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        nodes.Silos.Add(3).OnDescribeNode = () => new NodeReport { Node = s_new, Name = "new" };
        var driver = await nodes.DriveAsync();
        var reply = await driver.WishAsync(new NodeWishRequest("new", Leaves: false, Force: false)).WaitAsync(WatchCluster.Patience);
        Assert.Equal((0, null), (reply.Error, reply.Refusal));
        Assert.Equal("new", nodes.Replica.Node.Catalogue.Nodes[s_new]);
    });

    /// <summary>Each wish is told twice; between the two the operator wishes the opposite.</summary>
    [Fact]
    public Task A_telling_that_comes_when_the_opposite_was_wished_changes_nothing() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        nodes.Silos.Add(3).OnDescribeNode = () => new NodeReport { Node = s_new, Name = "new" };
        var driver = await nodes.DriveAsync();
        var catalogue = nodes.Replica.Node.Catalogue;
        var comes = new NodeWishRequest("new", Leaves: false, Force: false);
        var added = await RecordedAsync(comes);
        Assert.Equal(added, await RecordedAsync(comes));

        var goes = new NodeWishRequest("new", Leaves: true, Force: true, s_new.ToString()) { Seen = added };
        var leaving = await RecordedAsync(goes);
        Assert.True(catalogue.IsLeaving(s_new));
        await RefusedAsync(comes);
        Assert.Equal(leaving, await RecordedAsync(goes));

        var staying = comes with { Seen = leaving };
        var stays = await RecordedAsync(staying);
        Assert.False(catalogue.IsLeaving(s_new));
        await RefusedAsync(goes);
        await RefusedAsync(goes with { Id = null });
        Assert.False(catalogue.IsLeaving(s_new));

        await RecordedAsync(goes with { Seen = stays });
        Assert.True(catalogue.IsLeaving(s_new));
        await RefusedAsync(staying);
        Assert.True(catalogue.IsLeaving(s_new));

        async Task<long> RecordedAsync(NodeWishRequest wish)
        {
            var reply = await driver.WishAsync(wish).WaitAsync(WatchCluster.Patience);
            Assert.Equal((0, "", null), (reply.Error, reply.Message, reply.Refusal));
            return reply.Index;
        }

        async Task RefusedAsync(NodeWishRequest wish)
        {
            var last = nodes.Replica.Node.Groups[GroupId.System].Last;
            var reply = await driver.WishAsync(wish).WaitAsync(WatchCluster.Patience);
            Assert.Equal((int)(wish.Id is null ? WatchErrorCode.UnknownNode : WatchErrorCode.ChangeUnderWay), reply.Error);
            Assert.Equal(last, nodes.Replica.Node.Groups[GroupId.System].Last);
        }
    });

    /// <summary>What is committed and not applied yet may be just the wish that a late one would undo.</summary>
    [Fact]
    public Task No_wish_is_recorded_by_a_catalogue_that_lacks_what_was_committed() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        await nodes.MakeVoterAsync(GroupId.System);
        nodes.Silos.Add(3).OnDescribeNode = () => new NodeReport { Node = s_new, Name = "new" };
        var driver = await nodes.DriveAsync();
        var first = driver.WishAsync(new NodeWishRequest("new", Leaves: false, Force: false));
        await TwoNodes.PassAsync();
        var system = nodes.Replica.Node.Groups[GroupId.System];

        nodes.Replica.Hear(nodes.OtherSilo, nodes.OthersAnswers());
        Assert.True(nodes.Replica.Node.CatalogueApplied < system.Committed);
        var last = system.Last;
        var second = driver.WishAsync(new NodeWishRequest("new", Leaves: false, Force: false));

        Assert.Equal(last, system.Last);
        Assert.NotNull((await second.WaitAsync(WatchCluster.Patience)).Refusal);
        Assert.Null((await first.WaitAsync(WatchCluster.Patience)).Refusal);
    });

    /// <summary>It is told by one call at a time; when that is lost, it is told again when it speaks again.</summary>
    [Fact]
    public Task A_removed_node_that_speaks_is_told_until_it_has_heard() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        var silo = nodes.Silos.Add(3);
        var way = new TaskCompletionSource();
        silo.OnHearRemoved = () => way.Task;
        await nodes.DriveAsync();
        CatalogueCommand[] story = [new CatalogueCommand.NodeAdded(s_gone, "gone"), new CatalogueCommand.NodeLeaving(s_gone), new CatalogueCommand.NodeRemoved(s_gone)];
        Assert.True(nodes.Replica.Propose(GroupId.System, [.. story.Select(command => (ReadOnlyMemory<byte>)command.Encode())]).Accepted);
        nodes.Replica.Wake();
        await TwoNodes.PassAsync();

        Speak();
        Speak();
        Assert.Equal([s_gone], silo.ToldRemoved);

        way.SetException(new TimeoutException("lost"));
        await TwoNodes.PassAsync();
        way = new TaskCompletionSource();
        Speak();
        Assert.Equal([s_gone, s_gone], silo.ToldRemoved);
        Assert.Null(nodes.Replica.Unavailable);

        void Speak() => nodes.Replica.Hear(
            FakeSilos.Address(3), [ParcelCodec.Encode(new Parcel(nodes.Replica.Node.Self.Id, [new RequestPreVote(GroupId.Default, new Term(9), s_gone, default, default)]))]);
    });

    /// <summary>Between the look and the step the node is asked to stay: its removal changes nothing then, and nobody tells it to go.</summary>
    [Fact]
    public Task A_node_that_was_asked_to_stay_in_the_last_moment_is_not_told_to_go() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        var silo = nodes.Silos.Add(3);
        var asked = false;
        silo.OnDescribeNode = () =>
        {
            if (nodes.Replica.Node.Catalogue.IsLeaving(s_gone) && !asked)
            {
                asked = true;
                Propose(new CatalogueCommand.NodeStays(s_gone));
            }

            return new NodeReport { Node = s_gone, Name = "gone" };
        };
        await nodes.DriveAsync();
        Propose(new CatalogueCommand.NodeAdded(s_gone, "gone"), new CatalogueCommand.NodeLeaving(s_gone));
        await TwoNodes.PassAsync();

        Assert.True(asked);
        Assert.Empty(silo.ToldRemoved);
        Assert.False(nodes.Replica.Node.Catalogue.Removed.ContainsKey(s_gone));

        void Propose(params CatalogueCommand[] commands)
        {
            Assert.True(nodes.Replica.Propose(GroupId.System, [.. commands.Select(command => (ReadOnlyMemory<byte>)command.Encode())]).Accepted);
            nodes.Replica.Wake();
        }
    });

    [Fact]
    public Task Who_hears_that_it_was_removed_takes_part_no_more_and_what_is_said_of_others_means_nothing() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        var driver = await nodes.DriveAsync();
        driver.HearRemoved(s_gone);
        Assert.True(nodes.Replica.Serves);

        driver.HearRemoved(nodes.Replica.Node.Self.Id);
        driver.HearRemoved(nodes.Replica.Node.Self.Id);
        Assert.False(nodes.Replica.Serves);
        Assert.Single(nodes.Log, line => line.Contains("was removed from the cluster", StringComparison.Ordinal));
    });

    /// <summary>A wish stands in the log, and the other voter of the system group has not acknowledged it, when something ends the node.</summary>
    private static Task WithOpenWishAsync(Func<TwoNodes, Task> end) => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        await nodes.MakeVoterAsync(GroupId.System);
        nodes.Silos.Add(3).OnDescribeNode = () => new NodeReport { Node = s_new, Name = "new" };
        var driver = await nodes.DriveAsync();
        var last = nodes.Replica.Node.Groups[GroupId.System].Last;
        var wish = driver.WishAsync(new NodeWishRequest("new", Leaves: false, Force: false));
        await TwoNodes.PassAsync();
        Assert.Equal(last.Next, nodes.Replica.Node.Groups[GroupId.System].Last);
        Assert.False(wish.IsCompleted);

        await end(nodes);

        Assert.Equal((int)WatchErrorCode.OutcomeUnknown, (await wish.WaitAsync(WatchCluster.Patience)).Error);
    });
}
