using Watch.Core;

namespace Watch.Simulation.Tests;

/// <summary>A client outside the cluster all of whose servers freeze: nobody but itself can tell that what it has may be old.</summary>
public sealed class SilentServersTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(6);

    [Theory]
    [InlineData(7)]
    [InlineData(8)]
    public void A_watch_whose_servers_are_all_frozen_says_that_it_is_stale_and_then_that_it_is_not(int seed)
    {
        var cluster = new SimulatedCluster(seed);
        cluster.World.IsTracing = false;
        cluster.World.StepLimit = 50_000_000;
        cluster.World.Run(async () =>
        {
            await cluster.StartAsync();
            await cluster.MakeAllVotersAsync();
            await using var stream = await cluster.Client.WatchAsync(WatchTarget.Prefix("/w/"), new WatchOptions { StaleAfter = s_limit });
            await using var reader = stream.GetAsyncEnumerator();
            Assert.Equal(WatchEventType.Progress, await NextAsync(reader, WatchEventType.Progress));
            foreach (var silo in cluster.World.Silos)
                silo.Freeze();
            var began = cluster.World.TimeProvider.GetTimestamp();
            Assert.Equal(WatchEventType.Stale, await NextAsync(reader, WatchEventType.Stale));
            var took = cluster.World.TimeProvider.GetElapsedTime(began);
            Assert.True(took > s_limit * 0.5 && took < s_limit * 1.1, $"seed {seed}: it was said after {took}");

            await cluster.PassAsync(s_limit * 3);
            foreach (var silo in cluster.World.Silos)
                silo.Thaw();
            Assert.Equal(WatchEventType.Progress, await NextAsync(reader, WatchEventType.Progress));
            var put = await cluster.Client.PutAsync("/w/1", "v");
            Assert.Equal(WatchEventType.Put, await NextAsync(reader, WatchEventType.Put));
            Assert.Equal(put.Revision, reader.Current.Revision);
        });
    }

    /// <summary>The next event that is no Progress, or the one that is waited for.</summary>
    private static async Task<WatchEventType> NextAsync(IAsyncEnumerator<WatchEvent> reader, WatchEventType expected)
    {
        do
            Assert.True(await reader.MoveNextAsync());
        while (reader.Current.Type == WatchEventType.Progress && expected != WatchEventType.Progress);
        return reader.Current.Type;
    }
}
