using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Storage;
using Watch.Grains;
using Watch.Grains.Consensus;

namespace Watch.Simulation.Tests;

/// <summary>The voter's disk fails: the write is not acknowledged, no watcher hears of it, and the node accepts nothing more.</summary>
public sealed class DiskFailureTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [Trait("DE", "E21"), Trait("DE", "S17")]
    public void A_write_that_the_disk_refuses_is_not_acknowledged_and_no_watcher_hears_of_it(int seed)
    {
        var cluster = new SimulatedCluster(seed);
        cluster.World.Run(async () =>
        {
            await cluster.StartAsync();
            await using var hosted = await cluster.HostedIn(1).WatchAsync(WatchTarget.Prefix("/"));
            await using var remote = await cluster.Client.WatchAsync(WatchTarget.Key("/k"));
            var first = await cluster.Client.PutAsync("/k", "1");
            await using var hostedReader = hosted.GetAsyncEnumerator();
            await using var remoteReader = remote.GetAsyncEnumerator();
            Assert.True(await hostedReader.MoveNextAsync());
            Assert.True(await remoteReader.MoveNextAsync());

            cluster.DiskOf("n0").NextSyncFails = new IOException("The simulated disk is full.");
            var refused = await Assert.ThrowsAsync<WatchException>(() => cluster.Client.PutAsync("/k", "2"));
            var later = await Assert.ThrowsAsync<WatchException>(() => cluster.HostedIn(1).PutAsync("/k", "3"));
            var read = await Assert.ThrowsAsync<WatchException>(() => cluster.Client.GetAsync("/k"));
            var scan = await Assert.ThrowsAsync<WatchException>(() => cluster.Client.ScanAsync(new ScanRequest(Key.Of("/"))));

            Assert.Equal(WatchErrorCode.OutcomeUnknown, refused.Code);
            Assert.True(later.Code is WatchErrorCode.Internal or WatchErrorCode.NoQuorum, $"a later write failed with {later.Code}: {later.Message}");
            Assert.True(read.Code is WatchErrorCode.Internal or WatchErrorCode.NoQuorum or WatchErrorCode.Unavailable, $"a read failed with {read.Code}: {read.Message}");
            Assert.True(scan.Code is WatchErrorCode.Internal or WatchErrorCode.NoQuorum or WatchErrorCode.Unavailable, $"a scan failed with {scan.Code}: {scan.Message}");
            // The world has minutes to bring what must not come.
            await cluster.PassAsync(TimeSpan.FromMinutes(3));
            Assert.Equal((first.Revision, first.Revision), (hosted.Cursor, remote.Cursor));
            var next = hostedReader.MoveNextAsync().AsTask();
            await cluster.PassAsync(TimeSpan.FromMinutes(1));
            Assert.False(next.IsCompleted, "an event came of a write that was never durable");
            await hosted.DisposeAsync();
            Assert.False(await next);
        });
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [Trait("DE", "E21")]
    public void A_disk_without_room_for_a_snapshot_stops_nobody_and_the_snapshot_is_taken_when_there_is_room(int seed)
    {
        var cluster = new SimulatedCluster(seed, silos: 1, options => options.SnapshotEntries = 100);
        cluster.World.Run(async () =>
        {
            await cluster.StartAsync();
            cluster.DiskOf("n0").HasNoRoom = IsSnapshot;
            for (var each = 1; each <= 300; each++)
                await cluster.Client.PutAsync($"/k/{each % 7}", $"{each}");
            Assert.DoesNotContain(cluster.DiskOf("n0").List("data/snapshots"), name => name.EndsWith(".snap", StringComparison.Ordinal));

            cluster.DiskOf("n0").HasNoRoom = null;
            for (var each = 301; each <= 350; each++)
                await cluster.Client.PutAsync($"/k/{each % 7}", $"{each}");
            await cluster.PassAsync(TimeSpan.FromSeconds(1));
            Assert.Contains(cluster.DiskOf("n0").List("data/snapshots"), name => name.EndsWith(".snap", StringComparison.Ordinal));

            await cluster.World.Silos[0].StopAsync();
            await cluster.StartAgainAsync("n0");
            for (var each = 344; each <= 350; each++)
                Assert.Equal($"{each}", await GetAsync(cluster, $"/k/{each % 7}"));
        });
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [Trait("DE", "E21")]
    public void Of_three_voters_one_whose_disk_is_full_or_fails_stops_the_others_go_on_and_it_comes_back_with_room(int seed, bool isFull)
    {
        var cluster = new SimulatedCluster(seed);
        cluster.World.Run(async () =>
        {
            await cluster.StartAsync();
            await cluster.MakeAllVotersAsync();
            for (var each = 1; each <= 20; each++)
                await cluster.Client.PutAsync($"/k/{each}", "before");

            // The first node leads: it made the others voters.
            if (isFull)
                cluster.DiskOf("n0").HasNoRoom = _ => true;
            else
                cluster.DiskOf("n0").NextSyncFails = new IOException("The simulated disk fails.");
            for (var each = 21; each <= 40; each++)
                await PutAsync(cluster, $"/k/{each}", "meanwhile");
            // What is asked of that silo is answered by the others; its own replica answers nothing.
            var services = cluster.World.Silos[0].Services;
            var own = services.GetRequiredService<IReplicaServiceClient>().At(services.GetRequiredService<ILocalSiloDetails>().SiloAddress);
            Assert.IsType<LogFailedException>(services.GetRequiredService<NodeHealth>().Failure);
            Assert.NotNull((await own.GetMany(BucketId.Default, [Key.Of("/k/1")], ReadPolicy.Eventual)).Refusal);

            cluster.DiskOf("n0").HasNoRoom = null;
            cluster.World.Silos[0].Crash();
            await cluster.StartAgainAsync("n0");
            for (var each = 41; each <= 60; each++)
                await PutAsync(cluster, $"/k/{each}", "after");
            for (var each = 1; each <= 60; each++)
                Assert.Equal(each <= 20 ? "before" : each <= 40 ? "meanwhile" : "after", await GetAsync(cluster, $"/k/{each}"));
        });
    }

    /// <summary>Puts until it is acknowledged: of the sendings whose outcome is unknown, all write the same.</summary>
    private static async Task PutAsync(SimulatedCluster cluster, string key, string value)
    {
        for (var tries = 0; ; tries++)
        {
            try
            {
                await cluster.Client.PutAsync(key, value);
                return;
            }
            catch (WatchException) when (tries < 100)
            {
                await cluster.PassAsync(TimeSpan.FromMilliseconds(100));
            }
        }
    }

    private static async Task<string> GetAsync(SimulatedCluster cluster, string key) =>
        System.Text.Encoding.UTF8.GetString((await cluster.Client.GetAsync(key)).Key!.Value.Span);

    private static bool IsSnapshot(string path) => path.StartsWith("data/snapshots/", StringComparison.Ordinal);
}
