using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Runtime;
using Watch.Grains.Storage;

namespace Watch.Cluster.Tests;

/// <summary>Whoever follows the cluster's nodes sees how it is, at once, and then every change, in order.</summary>
public sealed class MembershipTests
{
    private const string Learner = "Silo_2";

    [Fact]
    [Trait("DE", "M01"), Trait("DE", "M08")]
    public async Task The_first_sight_comes_at_once_inside_and_outside_and_shows_the_one_voter_and_no_learner()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        await cluster.Client.PutAsync("/born", "1");
        foreach (var nodes in new[] { cluster.Nodes, NodesOf(cluster, 0) })
        {
            await using var watch = new NodesReader(nodes);
            var first = await watch.UntilAsync("a first sight", _ => true);
            var node = Assert.Single(first.Nodes);
            Assert.Equal((Name(0), NodeStanding.Member), (node.Name, node.Standing));
            Assert.All(node.Groups, group => Assert.Equal(NodeRole.Leader, group.Role));
            Assert.True(first.Index > 0);
        }
    }

    [Fact]
    [Trait("DE", "M02"), Trait("DE", "M04"), Trait("DE", "M05"), Trait("DE", "M06"), Trait("DE", "M07"), Trait("DE", "M08")]
    public async Task One_that_joins_is_seen_as_a_learner_first_and_as_a_voter_then_by_everybody_who_follows()
    {
        using var disks = new DisksByName();
        await using var cluster = await WatchCluster.StartAsync(services: disks.Use);
        await cluster.Nodes.AddNodeAsync(Name(1)).WaitAsync(WatchCluster.Patience);

        // The leader's, a voter's, the newcomer's own, a second one on the same silo, and one outside.
        IWatchCluster[] all = [NodesOf(cluster, 0), NodesOf(cluster, 1), NodesOf(cluster, 2), NodesOf(cluster, 0), cluster.Nodes];
        var watches = all.Select(each => new NodesReader(each)).ToList();
        var before = new List<ClusterNodes>();
        foreach (var watch in watches)
            before.Add(await watch.UntilAsync("two members", nodes => nodes.Nodes.Length == 2 && nodes.Leaders.Length == 2));

        // While its disk holds everything, it cannot catch up, so it stays a learner for as long as the test likes.
        disks.Of(Learner).Close();
        var adding = cluster.Nodes.AddNodeAsync(Learner);
        var learning = new List<ClusterNodes>();
        foreach (var watch in watches)
            learning.Add(await watch.UntilAsync("the learner", nodes => nodes.Nodes.Any(node => node is { Name: Learner, Standing: NodeStanding.Joining } && node.Groups.Any(group => group.Role == NodeRole.Learner))));
        Assert.False(adding.IsCompleted);

        disks.Of(Learner).Open();
        await adding.WaitAsync(WatchCluster.Patience);
        var members = new List<ClusterNodes>();
        foreach (var watch in watches)
        {
            members.Add(await watch.UntilAsync("three members", nodes => nodes.Nodes.Count(node => node.Standing == NodeStanding.Member) == 3));
            await watch.DisposeAsync();
        }

        // Two changes, two indices, the second larger; and all saw the same nodes.
        for (var at = 0; at < watches.Count; at++)
        {
            Assert.True(learning[at].Index > before[at].Index, $"follower {at}: {before[at].Index}, then {learning[at].Index} with a learner");
            Assert.True(members[at].Index > learning[at].Index, $"follower {at}: {learning[at].Index} with a learner, then {members[at].Index} with three members");
            Assert.Equal(Identities(members[0]), Identities(members[at]));
        }
    }

    [Fact]
    [Trait("DE", "M03"), Trait("DE", "M10")]
    public async Task A_voter_that_stops_answering_stays_a_member_and_those_who_follow_from_its_silo_go_on()
    {
        // Better: that it does not answer is told, and a follower outside whose connection led there goes on instead of being refused.
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.MakeAllVotersAsync();
        await using var watch = new NodesReader(cluster.Nodes);
        var before = await watch.UntilAsync("three who answer", nodes => nodes.Nodes.Count(node => node.IsReachable) == 3);

        var lost = await cluster.LeaderAsync();
        var name = cluster.Silos[lost].Name;
        await cluster.Host.KillSiloAsync(cluster.Silos[lost]);

        var after = await watch.UntilAsync("the loss, and another leader", nodes => nodes.Nodes.Any(node => node.Name == name && !node.IsReachable) && nodes.Leaders.Any(leader => leader.Group == "default" && leader.Node != name));
        Assert.Equal(Identities(before), Identities(after));
        Assert.All(after.Nodes, node => Assert.Equal(NodeStanding.Member, node.Standing));
    }

    [Fact]
    [Trait("DE", "M09")]
    public async Task Where_no_cluster_was_born_the_sight_is_empty_and_says_what_is_waited_for()
    {
        // Better: there such a server refuses; here it says what it sees, and that is what an operator needs.
        await using var cluster = await WatchCluster.StartAsync(silos: 1, options => options.Bootstrap = "somebody else");
        await using var watch = new NodesReader(cluster.Nodes);

        var sight = await watch.UntilAsync("a sight", _ => true);

        Assert.Empty(sight.Incarnation);
        Assert.Empty(sight.Nodes);
        Assert.NotEmpty(sight.Waits);
    }

    private static IWatchCluster NodesOf(WatchCluster cluster, int silo) => cluster.Services(silo).GetRequiredService<IWatchCluster>();

    private static string Name(int silo) => string.Create(CultureInfo.InvariantCulture, $"Silo_{silo}");

    private static IEnumerable<string> Identities(ClusterNodes nodes) => nodes.Nodes.Select(node => $"{node.Name} {node.Id}");

    /// <summary>Reads one watch of the nodes.</summary>
    private sealed class NodesReader(IWatchCluster cluster) : IAsyncDisposable
    {
        private readonly IAsyncEnumerator<ClusterNodes> _nodes = cluster.WatchNodesAsync().GetAsyncEnumerator();
        private long _index;

        /// <summary>Reads on until a sight is as expected; sights never go back.</summary>
        public async Task<ClusterNodes> UntilAsync(string waitingFor, Func<ClusterNodes, bool> expected)
        {
            using var patience = new CancellationTokenSource(WatchCluster.Patience);
            while (true)
            {
                try
                {
                    Assert.True(await _nodes.MoveNextAsync().AsTask().WaitAsync(patience.Token), $"the sights ended while the test waited for {waitingFor}");
                }
                catch (OperationCanceledException)
                {
                    Assert.Fail($"{waitingFor} was not seen within {WatchCluster.Patience}; the last sight:\n{_nodes.Current?.Fingerprint()}");
                }

                var sight = _nodes.Current;
                Assert.True(sight.Index >= _index || sight.Leaders.Length < 2, $"sight {sight.Index} came after {_index}");
                _index = Math.Max(_index, sight.Index);
                if (expected(sight))
                    return sight;
            }
        }

        public ValueTask DisposeAsync() => _nodes.DisposeAsync();
    }

    /// <summary>The silos' disks, which a test may hold.</summary>
    private sealed class DisksByName : IDisposable
    {
        private readonly Dictionary<string, GatedDisk> _disks = new(StringComparer.Ordinal);
        private readonly Lock _gate = new();

        public void Use(IServiceCollection services) => services.Replace(ServiceDescriptor.Singleton<IDiskWorker>(silo =>
        {
            var disk = new GatedDisk(new DiskThread("gated disk"));
            lock (_gate)
                _disks[silo.GetRequiredService<ILocalSiloDetails>().Name] = disk;
            return disk;
        }));

        public GatedDisk Of(string silo)
        {
            lock (_gate)
                return _disks[silo];
        }

        public void Dispose()
        {
            lock (_gate)
                foreach (var disk in _disks.Values)
                    disk.Open();
        }
    }
}
