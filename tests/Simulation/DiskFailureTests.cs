using Watch.Core;

namespace Watch.Simulation.Tests;

/// <summary>The voter's disk fails: the write is not acknowledged, no watcher hears of it, and the node accepts nothing more.</summary>
public sealed class DiskFailureTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [Trait("DE", "E21")]
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

            Assert.Equal(WatchErrorCode.OutcomeUnknown, refused.Code);
            Assert.True(later.Code is WatchErrorCode.Internal or WatchErrorCode.NoQuorum, $"a later write failed with {later.Code}: {later.Message}");
            Assert.True(read.Code is WatchErrorCode.Internal or WatchErrorCode.NoQuorum or WatchErrorCode.Unavailable, $"a read failed with {read.Code}: {read.Message}");
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
}
