using Watch.Core;
using Watch.Core.Consensus;
using Watch.Grains.Consensus;
using Watch.Grains.Nodes;

namespace Watch.Cluster.Tests;

/// <summary>Silos with folders of two clusters, which found each other: nobody takes the one's word for the other's.</summary>
public sealed class TwoClustersTests
{
    private readonly FakeSilos _silos = new();

    [Theory]
    [InlineData("a", 2)]
    [InlineData("b", 3)]
    public async Task Only_a_leader_of_the_own_cluster_is_believed(string incarnation, int leader)
    {
        Add(1, incarnation);
        Add(2, "a").Leads = true;
        Add(3, "b").Leads = true;

        Assert.Equal(FakeSilos.Address(leader), await Search().FindAsync(BucketId.Default));
        Assert.True(await Search().IsOwnAsync(FakeSilos.Address(leader)));
        Assert.False(await Search().IsOwnAsync(FakeSilos.Address(5 - leader)));
    }

    [Fact]
    public async Task A_silo_with_a_new_folder_holds_to_the_cluster_of_which_it_heard_first()
    {
        Add(1, "");
        var first = Add(2, "a");
        var second = Add(3, "b");
        first.Leads = true;
        var search = Search();
        Assert.Equal(FakeSilos.Address(2), await search.FindAsync(BucketId.Default));

        (first.Leads, second.Leads) = (false, true);
        Assert.Null(await search.FindAsync(BucketId.Default));
        Assert.False(await search.IsOwnAsync(FakeSilos.Address(3)));
    }

    [Fact]
    public async Task A_silo_that_answers_with_a_failure_is_asked_again_by_the_next_search()
    {
        Add(1, "a");
        var other = Add(2, "a");
        other.Leads = true;
        var search = Search();
        other.OnDescribe = () => throw new InvalidOperationException("broken");
        Assert.Null(await search.FindAsync(BucketId.Default));

        other.OnDescribe = () => Task.CompletedTask;
        Assert.Equal(FakeSilos.Address(2), await search.FindAsync(BucketId.Default));
    }

    [Fact]
    public void What_a_silo_of_another_cluster_says_of_its_nodes_does_not_count()
    {
        var sight = new ClusterSight([(FakeSilos.Address(1), Report(1, "a", term: 3)), (FakeSilos.Address(2), Report(2, "b", term: 9))], FakeSilos.Address(1));

        Assert.Equal(FakeSilos.Address(1), sight.LeaderOf(GroupId.System)!.Value.Silo);
        Assert.Equal("a".PadLeft(32, '0'), sight.Best()!.Incarnation);
        Assert.Equal(new NodeId((UInt128)1), Assert.Single(sight.Groups()).Leader);
        // It is seen, so that adding it can be refused in words.
        Assert.Equal(2, sight.Silos().Count);
        Assert.Equal(["node2"], sight.ToNodes().OtherSilos.AsEnumerable());
    }

    [Fact]
    public void A_silo_that_answers_though_its_node_has_stopped_counts_as_no_voter_that_answers()
    {
        var stopped = Report(2, "a", term: 1) with { Unavailable = "The node stopped." };
        var sight = new ClusterSight([(FakeSilos.Address(1), Report(1, "a", term: 3)), (FakeSilos.Address(2), stopped)], FakeSilos.Address(1));

        Assert.True(sight.Answered(new NodeId((UInt128)1)));
        Assert.False(sight.Answered(new NodeId((UInt128)2)));
        Assert.Equal(FakeSilos.Address(2), sight.SiloOf(new NodeId((UInt128)2)));
    }

    private static NodeReport Report(int node, string incarnation, long term) => new()
    {
        Node = new NodeId((UInt128)node),
        Name = $"node{node}",
        Incarnation = incarnation.PadLeft(32, '0'),
        Nodes = [new NamedNode(new NodeId((UInt128)node), $"node{node}", false)],
        Groups = [new NamedGroup(GroupId.System, "system", new GroupDescription([new NodeId((UInt128)node)], [], true, new NodeId((UInt128)node), true, term, 1, 1, [], []))],
    };

    private FakeReplicaService Add(int number, string incarnation)
    {
        var silo = _silos.Add(number);
        silo.Incarnation = incarnation;
        return silo;
    }

    private LeaderSearch Search() => new(_silos, _silos, _silos, TimeProvider.System);
}
