using Microsoft.Extensions.DependencyInjection;
using Watch.Client;
using Watch.Core;
using Watch.Core.Tests.Storage;

namespace Watch.Simulation.Tests;

/// <summary>A node is to go, and before it has gone it cannot go any more: there is always a way on.</summary>
public sealed class MemberDeadEndTests
{
    private const int Seed = 11;

    [Fact]
    public void While_a_removal_waits_a_node_that_lost_its_folder_can_be_replaced_and_then_the_removal_is_carried_out()
    {
        var cluster = new SimulatedCluster(Seed);
        cluster.World.Run(async () =>
        {
            var nodes = await WithAWaitingRemovalAsync(cluster);
            await cluster.StartNewAsync("n0", new MemoryFileSystem());

            await nodes.AddNodeAsync("n0");

            await SeesAsync(cluster, nodes, seen => seen.Nodes.All(node => node.Standing == NodeStanding.Member));
            Assert.Equal(["n0", "n1"], (await nodes.ListNodesAsync()).Nodes.Select(node => node.Name));
            Assert.Equal("v", System.Text.Encoding.UTF8.GetString((await cluster.HostedIn(1).GetAsync("/k")).Key!.Value.Span));
        });
    }

    [Fact]
    public void A_removal_that_waits_can_be_taken_back_and_whoever_waits_for_it_is_told()
    {
        var cluster = new SimulatedCluster(Seed);
        cluster.World.Run(async () =>
        {
            var nodes = await WithAWaitingRemovalAsync(cluster);
            var before = (await nodes.ListNodesAsync()).Nodes.Single(node => node.Name == "n2");
            var removal = nodes.RemoveNodeAsync("n2", force: true);
            await cluster.PassAsync(TimeSpan.FromSeconds(2));
            Assert.False(removal.IsCompleted);

            var stays = await nodes.AddNodeAsync("n2");

            Assert.Equal((before.Id, NodeStanding.Member), (stays.Id, stays.Standing));
            Assert.Equal(WatchErrorCode.ChangeUnderWay, (await Assert.ThrowsAsync<WatchException>(() => removal)).Code);
            await cluster.StartAgainAsync("n0");
            await cluster.PassAsync(TimeSpan.FromSeconds(5));
            Assert.Equal(["n0", "n1", "n2"], (await nodes.ListNodesAsync()).Nodes.Select(node => node.Name));
        });
    }

    /// <summary>Three nodes, of which n0 is down, and n2 is to be removed: without n2 nobody would answer n1.</summary>
    private static async Task<IWatchCluster> WithAWaitingRemovalAsync(SimulatedCluster cluster)
    {
        await cluster.StartAsync();
        var nodes = cluster.World.Silos[1].Services.GetRequiredService<IWatchCluster>();
        await nodes.AddNodeAsync("n1");
        await nodes.AddNodeAsync("n2");
        await cluster.HostedIn(1).PutAsync("/k", "v");
        cluster.World.Silos[0].Crash();
        cluster.World.Silos[0].DeclareDead();

        using var recorded = new CancellationTokenSource();
        var removal = nodes.RemoveNodeAsync("n2", force: true, cancellationToken: recorded.Token);
        await SeesAsync(cluster, nodes, seen => seen.Nodes.Any(node => node.Name == "n2" && node.Standing == NodeStanding.Leaving) && seen.Waits.Length > 0);
        recorded.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => removal);
        return nodes;
    }

    private static async Task SeesAsync(SimulatedCluster cluster, IWatchCluster nodes, Func<ClusterNodes, bool> expected)
    {
        for (var second = 0; !expected(await nodes.ListNodesAsync()); second++)
        {
            Assert.True(second < 60, $"seed {Seed}: {string.Join(' ', (await nodes.ListNodesAsync()).Waits)}");
            await cluster.PassAsync(TimeSpan.FromSeconds(1));
        }
    }
}
