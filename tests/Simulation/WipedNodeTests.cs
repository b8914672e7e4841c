using Watch.Core.Tests.Storage;

namespace Watch.Simulation.Tests;

/// <summary>The node named by Bootstrap comes back with an empty folder while everybody else is down: no second cluster is born.</summary>
public sealed class WipedNodeTests
{
    private const int Seed = 7;
    private static readonly TimeSpan s_long = TimeSpan.FromMinutes(10);

    [Fact]
    public void No_cluster_is_born_beside_nodes_that_are_down_and_the_wiped_one_waits_for_them()
    {
        var cluster = new SimulatedCluster(Seed);
        cluster.World.Run(async () =>
        {
            await cluster.StartAsync();
            await cluster.MakeAllVotersAsync();
            await cluster.HostedIn(1).PutAsync("/k", "v");
            foreach (var silo in cluster.World.Silos.ToList())
                silo.Crash();

            var wiped = cluster.StartNewAsync("n0", new MemoryFileSystem());
            await cluster.PassAsync(s_long);
            Assert.False(wiped.IsCompleted, $"seed {Seed}: a second cluster was born on n0 while n1 and n2 were down");

            await Task.WhenAll(cluster.StartAgainAsync("n1"), cluster.StartAgainAsync("n2"), wiped);
            var found = await cluster.HostedIn(cluster.World.Silos.Count - 1).GetAsync("/k");
            Assert.Equal("v", System.Text.Encoding.UTF8.GetString(found.Key!.Value.Span));
        });
    }

    [Fact]
    public void An_operator_may_vouch_for_those_that_are_down()
    {
        var cluster = new SimulatedCluster(Seed);
        cluster.World.Run(async () =>
        {
            await cluster.StartAsync();
            foreach (var silo in cluster.World.Silos.ToList())
                silo.Crash();
            cluster.BootstrapForce = true;
            await cluster.StartNewAsync("n0", new MemoryFileSystem());
            Assert.Equal(1, (await cluster.HostedIn(cluster.World.Silos.Count - 1).PutAsync("/k", "v")).Revision.Value);
        });
    }
}
