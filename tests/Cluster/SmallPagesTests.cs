using Microsoft.Extensions.DependencyInjection;
using Watch.Core;
using Watch.Grains.Watching;

namespace Watch.Cluster.Tests;

/// <summary>History and snapshots whose pages hold one change or key each, read one at a time: nothing is missing between two of them.</summary>
public sealed class SmallPagesTests
{
    private const int Keys = 40;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task What_is_read_in_the_smallest_pages_is_whole(int silos)
    {
        await using var cluster = await WatchCluster.StartAsync(silos, configure: watch =>
            (watch.FetchPageBytes, watch.SnapshotPageBytes, watch.FetchesInFlightMax, watch.RepairsInFlightMax) = (64, 64, 1, 1));
        var value = new string('v', 64);
        var first = (await cluster.Client.PutAsync("/p/00", value)).Revision;
        for (var at = 1; at < Keys; at++)
            await cluster.Client.PutAsync($"/p/{at:d2}", value);

        await using var changes = await cluster.HostedIn(0).WatchAsync(WatchTarget.Prefix("/p/"), new WatchOptions { StartAt = first });
        await using var snapshot = await cluster.HostedIn(0).WatchAsync(WatchTarget.Prefix("/p/"), new WatchOptions { Snapshot = true });
        await using var changesReader = changes.Reader();
        await using var snapshotReader = snapshot.Reader();

        var expected = Enumerable.Range(0, Keys).Select(at => $"/p/{at:d2}").ToList();
        Assert.Equal(expected, (await changesReader.NextAsync(Keys)).Select(each => each.Key.ToString()));
        Assert.Equal(WatchEventType.SnapshotBegins, (await snapshotReader.NextAsync()).Type);
        Assert.Equal(expected, (await snapshotReader.NextAsync(Keys)).Select(each => each.Key.ToString()));
        Assert.Equal(WatchEventType.Synced, (await snapshotReader.NextAsync()).Type);

        var source = (HistorySource)cluster.Services(0).GetRequiredService<IHistorySource>();
        var pages = source.OwnPages + source.MemberPages + source.LeaderPages;
        Assert.True(pages >= 2 * Keys, $"{Keys} changes and as many keys came in {pages} pages");
    }
}
