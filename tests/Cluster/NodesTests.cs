using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;
using Watch.Core;
using Watch.Grains.Consensus;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>The cluster grows, shrinks and is followed while it is used.</summary>
public sealed class NodesTests
{
    [Fact]
    public async Task From_one_node_to_three_while_writes_go_on_and_nothing_acknowledged_is_lost()
    {
        await using var cluster = await WatchCluster.StartAsync();
        await using var stream = await cluster.Client.WatchAsync(WatchTarget.Prefix("/g/"), new WatchOptions { QueueEventsMax = 1_000_000 });
        await using var reader = stream.Reader();
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 8).Select(number => WriteUntilAsync(cluster.Client, number, stop.Token)).ToList();

        var second = await cluster.Nodes.AddNodeAsync(Name(1)).WaitAsync(WatchCluster.Patience);
        var third = await cluster.Nodes.AddNodeAsync(Name(2)).WaitAsync(WatchCluster.Patience);

        stop.Cancel();
        var written = (await Task.WhenAll(writers)).SelectMany(each => each).ToList();
        Assert.All([second, third], node => Assert.All(node.Groups, group => Assert.Equal(NodeRole.Voter, group.Role)));
        var nodes = await cluster.Nodes.ListNodesAsync();
        Assert.Equal([Name(0), Name(1), Name(2)], nodes.Nodes.Select(node => node.Name));
        Assert.All(nodes.Nodes, node => Assert.Equal((NodeStanding.Member, true, 2), (node.Standing, node.IsReachable, node.Groups.Length)));
        Assert.Empty(nodes.OtherSilos);

        // The one that was alone may go now: the others have everything.
        await cluster.Host.KillSiloAsync(cluster.Silos[0]);
        var (keys, revision) = await EventuallyAsync(() => cluster.Client.ScanAllAsync(Key.Of("/g/")));
        Assert.Equal(written.Order(StringComparer.Ordinal), keys.Select(each => each.Key.ToString()).Order(StringComparer.Ordinal));
        Assert.Equal(written.Count, revision.Value);
        var seen = await reader.NextAsync(written.Count);
        Assert.Equal(Enumerable.Range(1, written.Count).Select(at => (long)at), seen.Select(each => each.Revision.Value));
    }

    [Fact]
    public async Task A_node_that_is_removed_hands_over_first_and_its_number_never_comes_back()
    {
        await using var cluster = await ThreeAsync();
        var leader = (await cluster.Nodes.ListNodesAsync()).Leaders.Single(each => each.Group == "default").Node;
        await cluster.Client.PutAsync("/before", "1");

        var stages = new List<ClusterNodes>();
        await cluster.Nodes.RemoveNodeAsync(leader, progress: new Recording(stages)).WaitAsync(WatchCluster.Patience);

        var nodes = await cluster.Nodes.ListNodesAsync();
        Assert.DoesNotContain(leader, nodes.Nodes.Select(node => node.Name));
        Assert.Contains(leader, nodes.OtherSilos);
        Assert.NotEmpty(stages);
        Assert.Equal("1", System.Text.Encoding.UTF8.GetString((await cluster.Client.GetAsync("/before")).Key!.Value.Span));
        await cluster.Client.PutAsync("/after", "2");
        var refused = await Assert.ThrowsAsync<WatchException>(() => cluster.Nodes.AddNodeAsync(leader));
        Assert.Equal(WatchErrorCode.FolderRefused, refused.Code);
    }

    [Fact]
    public async Task A_node_that_returns_with_an_empty_folder_replaces_the_old_one_of_its_name()
    {
        await using var cluster = await ThreeAsync();
        var old = (await cluster.Nodes.ListNodesAsync()).Nodes.Single(node => node.Name == Name(2));
        await cluster.Client.PutAsync("/before", "1");
        var silo = cluster.Silos[2];
        await cluster.Host.KillSiloAsync(silo);
        Directory.Delete(Path.Combine(cluster.Folder, Name(2)), recursive: true);
        await cluster.Host.RestartSiloAsync(silo);

        var replaced = await cluster.Nodes.AddNodeAsync(Name(2)).WaitAsync(WatchCluster.Patience);

        Assert.NotEqual(old.Id, replaced.Id);
        var nodes = await cluster.Nodes.ListNodesAsync();
        Assert.Equal(3, nodes.Nodes.Length);
        Assert.All(nodes.Nodes, node => Assert.Equal(NodeStanding.Member, node.Standing));
        await cluster.Client.PutAsync("/after", "2");
    }

    [Fact]
    public async Task With_the_setting_Join_new_nodes_ask_by_themselves()
    {
        await using var cluster = await WatchCluster.StartAsync(configure: options => options.Join = true);
        await SeesAsync(cluster, nodes => nodes.Nodes.Count(node => node.Standing == NodeStanding.Member) == 3);
    }

    [Fact]
    public async Task Membership_and_leader_are_watched_the_first_sight_at_once()
    {
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.Client.PutAsync("/born", "1");
        await using var watch = cluster.Nodes.WatchNodesAsync().GetAsyncEnumerator();
        Assert.True(await watch.MoveNextAsync());
        Assert.Equal(Name(0), Assert.Single(watch.Current.Nodes).Name);
        Assert.Equal(["default", "system"], watch.Current.Leaders.Select(each => each.Group).Order(StringComparer.Ordinal));
        Assert.Equal(new[] { Name(1), Name(2) }, watch.Current.OtherSilos.AsEnumerable());

        var adding = AddBothAsync(cluster);
        while (watch.Current.Nodes.Count(node => node.Standing == NodeStanding.Member) < 3)
            Assert.True(await watch.MoveNextAsync().AsTask().WaitAsync(WatchCluster.Patience));

        await adding;
        var leader = watch.Current.Leaders.Single(each => each.Group == "default");
        await cluster.Host.KillSiloAsync(cluster.Silos.Single(silo => silo.Name == leader.Node));
        while (!watch.Current.Leaders.Any(each => each.Group == "default" && each.Node != leader.Node && each.Term > leader.Term))
            Assert.True(await watch.MoveNextAsync().AsTask().WaitAsync(WatchCluster.Patience));
        Assert.False(watch.Current.Nodes.Single(node => node.Name == leader.Node).IsReachable);
    }

    [Fact]
    public async Task What_cannot_be_is_refused_and_says_why()
    {
        await using var cluster = await WatchCluster.StartAsync();
        await RefusedAsync(WatchErrorCode.UnknownNode, "'nobody'", () => cluster.Nodes.AddNodeAsync("nobody"));
        await RefusedAsync(WatchErrorCode.UnknownNode, "'nobody'", () => cluster.Nodes.RemoveNodeAsync("nobody"));
        await RefusedAsync(WatchErrorCode.LastVoter, "last node", () => cluster.Nodes.RemoveNodeAsync(Name(0)));
        await RefusedAsync(WatchErrorCode.InvalidOption, "255", () => cluster.Nodes.AddNodeAsync(new string('x', 256)));
        Assert.Equal(Name(0), (await cluster.Nodes.AddNodeAsync(Name(0))).Name);

        await AddBothAsync(cluster);
        await cluster.Host.KillSiloAsync(cluster.Silos[2]);
        await SeesAsync(cluster, nodes => nodes.Leaders.Length == 2 && nodes.Nodes.Count(node => node.IsReachable) == 2);
        await RefusedAsync(WatchErrorCode.WouldLoseQuorum, "too few", () => cluster.Nodes.RemoveNodeAsync(Name(1)));
        await cluster.Nodes.RemoveNodeAsync(Name(2)).WaitAsync(WatchCluster.Patience);
        await cluster.Client.PutAsync("/after", "1");
    }

    [Fact]
    public async Task What_replicas_say_to_each_other_is_in_no_assembly_that_clients_have_and_refused_to_those_who_forge_it()
    {
        var contracts = typeof(IReplicaService).Assembly.GetTypes().Where(type => type.IsInterface && typeof(IAddressable).IsAssignableFrom(type)).ToList();
        Assert.Contains(typeof(IReplicaService), contracts);
        Assert.Contains(typeof(IConsensusGrain), contracts);
        Assert.All(contracts, contract => Assert.False(contract.IsVisible, contract.Name));
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        var door = cluster.Host.Client.GetGrain<IConsensusGrain>(GrainKeys.OfBucket(BucketId.Default));
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => door.Propose(new Proposal(new byte[] { 1 })));
        Assert.Contains("not for clients", refused.Message, StringComparison.Ordinal);
        // Nor by the id of the service itself, which anybody can make who knows how silos make it.
        var inside = cluster.Services(0).GetRequiredService<IReplicaServiceClient>().At(cluster.Silos[0].SiloAddress);
        Assert.False((await inside.Describe(BucketId.Default)).Incarnation.Length == 0);
        var forged = cluster.Host.Client.GetGrain<IReplicaService>(((GrainReference)inside).GrainId);
        refused = await Assert.ThrowsAnyAsync<Exception>(() => forged.Describe(BucketId.Default));
        Assert.Contains("not for clients", refused.Message, StringComparison.Ordinal);
        // A silo's own services may: it is they who propose.
        await cluster.HostedIn(0).PutAsync("/inside", "1");

        var open = typeof(IClusterGrain).Assembly.GetTypes().Where(type => type.IsInterface && typeof(IAddressable).IsAssignableFrom(type)).Select(type => type.Name);
        Assert.Equal(["IBucketGrain", "IClusterGrain", "IKvGrain", "IWatchSessionGrain", "IWatchSessionObserver"], open.Order(StringComparer.Ordinal));
    }

    private static string Name(int silo) => WatchCluster.FirstName.Replace("0", silo.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);

    private static async Task<WatchCluster> ThreeAsync()
    {
        var cluster = await WatchCluster.StartAsync();
        await AddBothAsync(cluster);
        return cluster;
    }

    private static async Task AddBothAsync(WatchCluster cluster)
    {
        await cluster.Nodes.AddNodeAsync(Name(1)).WaitAsync(WatchCluster.Patience);
        await cluster.Nodes.AddNodeAsync(Name(2)).WaitAsync(WatchCluster.Patience);
    }

    /// <summary>Each key once; a write whose outcome is unknown is looked up.</summary>
    private static async Task<List<string>> WriteUntilAsync(IWatchClient client, int writer, CancellationToken stop)
    {
        var written = new List<string>();
        while (!stop.IsCancellationRequested)
        {
            var key = $"/g/{writer}-{written.Count}";
            await EventuallyAsync(() => client.PutAsync(key, key, WriteCondition.Absent));
            written.Add(key);
        }

        return written;
    }

    private static async Task<T> EventuallyAsync<T>(Func<Task<T>> ask)
    {
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (WatchException error) when (error.Code is WatchErrorCode.Unavailable or WatchErrorCode.NoQuorum or WatchErrorCode.OutcomeUnknown)
            {
                // Each attempt waits on its own; what is asked may be asked twice.
            }
        }
    }

    private static async Task SeesAsync(WatchCluster cluster, Func<ClusterNodes, bool> expected)
    {
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        await foreach (var nodes in cluster.Nodes.WatchNodesAsync(patience.Token))
            if (expected(nodes))
                return;
    }

    private static async Task RefusedAsync(WatchErrorCode code, string word, Func<Task> act)
    {
        var error = await Assert.ThrowsAsync<WatchException>(act);
        Assert.Equal(code, error.Code);
        Assert.Contains(word, error.Message, StringComparison.Ordinal);
    }

    private sealed class Recording(List<ClusterNodes> into) : IProgress<ClusterNodes>
    {
        public void Report(ClusterNodes value) => into.Add(value);
    }
}
