using Microsoft.Extensions.DependencyInjection;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Grains.Watching;

namespace Watch.Cluster.Tests;

/// <summary>Watches that begin with the keys as they are: on every way to a reader, and past a compaction.</summary>
public sealed class SnapshotWatchTests(SnapshotWatchTests.Running shared) : IClassFixture<SnapshotWatchTests.Running>
{
    private readonly WatchCluster _cluster = shared.Cluster;

    [Theory, BothOrigins]
    public async Task A_snapshot_has_every_key_once_and_live_changes_follow_without_a_gap(Origin origin)
    {
        var prefix = $"/s/{origin}/";
        var written = new List<(string Key, string Value, Revision Revision)>();
        for (var at = 0; at < 300; at++)
            written.Add(($"{prefix}{at:d3}", $"{at}", (await _cluster.Client.PutAsync($"{prefix}{at:d3}", $"{at}")).Revision));

        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(prefix), new WatchOptions { Snapshot = true });
        await using var reader = stream.Reader();
        var during = await _cluster.Client.PutAsync($"{prefix}000", "during");
        var begins = await reader.NextAsync();
        Assert.Equal(WatchEventType.SnapshotBegins, begins.Type);
        Assert.True(begins.Revision >= written[^1].Revision && begins.Revision >= stream.Start, $"the snapshot is of {begins.Revision}, the start {stream.Start}");

        var keys = await reader.NextAsync(300);
        var synced = await reader.NextAsync();
        Assert.Equal((WatchEventType.Synced, begins.Revision), (synced.Type, synced.Revision));
        var expected = written.Select(each => each.Key == $"{prefix}000" && during.Revision <= begins.Revision ? $"put {each.Key}=during@{during.Revision}" : $"put {each.Key}={each.Value}@{each.Revision}");
        Assert.Equal(expected, keys.Select(each => $"put {each.Key}={each.Value.Text()}@{each.Revision}"));

        var after = await _cluster.Client.PutAsync($"{prefix}001", "after");
        var follows = during.Revision > begins.Revision ? new[] { $"put {prefix}000=during@{during.Revision}", $"put {prefix}001=after@{after.Revision}" } : [$"put {prefix}001=after@{after.Revision}"];
        Assert.Equal(follows, (await reader.NextAsync(follows.Length)).Select(each => each.Short()));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task A_reader_that_slept_through_a_compaction_is_given_the_keys_anew(int silo)
    {
        var prefix = $"/resync/{silo}/";
        await _cluster.Client.PutAsync($"{prefix}gone", "x");
        await _cluster.Client.PutAsync($"{prefix}kept", "0");
        await using var watch = await SubscribeAsync(silo, prefix, queueEvents: 4);
        var parts = await TakeUntilAsync<WatchPart.Synced>(watch);
        Assert.Equal([$"{prefix}gone", $"{prefix}kept"], KeysOf(parts));

        Revision last = default;
        for (var at = 1; at <= 50; at++)
            last = (await _cluster.Client.PutAsync($"{prefix}kept", $"{at}")).Revision;
        await _cluster.Client.DeleteAsync(Key.Of($"{prefix}gone"));
        await _cluster.Nodes.CompactAsync(last);

        parts = await TakeUntilAsync<WatchPart.Synced>(watch);
        var begins = Assert.Single(parts.OfType<WatchPart.SnapshotBegins>());
        Assert.True(begins.IsResync && begins.At >= last);
        Assert.Equal([$"{prefix}kept"], KeysOf(parts.SkipWhile(part => part is not WatchPart.SnapshotBegins)));

        var after = await _cluster.Client.PutAsync($"{prefix}kept", "after");
        parts = await TakeUntilAsync<WatchPart.Events>(watch);
        Assert.Equal(after.Revision, parts.OfType<WatchPart.Events>().Last().Commit.Revision);
    }

    private async Task<ILocalWatch> SubscribeAsync(int silo, string prefix, int queueEvents) =>
        await _cluster.Services(silo).GetRequiredService<WatchDispatcher>().SubscribeAsync(
            new WatchRequest { Target = WatchTarget.Prefix(prefix), Snapshot = true, QueueEventsMax = queueEvents, WhenSlow = SlowPolicy.Park },
            new WatchOwner("test", null),
            CancellationToken.None);

    /// <summary>Takes whatever comes until a part of this kind has.</summary>
    private static async Task<List<WatchPart>> TakeUntilAsync<TPart>(ILocalWatch watch)
        where TPart : WatchPart
    {
        var parts = new List<WatchPart>();
        while (true)
        {
            var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            watch.Ready = () => ready.TrySetResult();
            // A take that finds nothing is what wakes a watch that was parked.
            while (watch.TryTake(2, long.MaxValue, out var items))
            {
                Assert.Null(items.End);
                parts.AddRange(items.Parts);
            }

            if (parts.OfType<TPart>().Any())
                break;
            await ready.Task.WaitAsync(WatchCluster.Patience);
        }

        return parts;
    }

    private static IEnumerable<string> KeysOf(IEnumerable<WatchPart> parts) =>
        parts.OfType<WatchPart.SnapshotItems>().SelectMany(part => part.Page.Items).Select(item => item.Key.ToString());

    /// <summary>Three silos of which one is the voter.</summary>
    public sealed class Running : IAsyncLifetime
    {
        public WatchCluster Cluster { get; private set; } = null!;

        public async Task InitializeAsync() => Cluster = await WatchCluster.StartAsync();

        public async Task DisposeAsync() => await Cluster.DisposeAsync();
    }
}
