using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>History that is given up on request, or since it is old.</summary>
public sealed class CompactTests
{
    [Fact]
    public async Task Compaction_on_request_is_done_once_refused_for_the_future_and_leaves_what_lies_behind_it()
    {
        await using var cluster = await WatchCluster.StartAsync();
        var revisions = new List<Revision>();
        for (var at = 0; at < 20; at++)
            revisions.Add((await cluster.Client.PutAsync("/c/key", $"{at}")).Revision);

        await using var live = await cluster.Client.WatchAsync(WatchTarget.Key("/c/key"));
        await using var liveReader = live.Reader();
        var future = await Assert.ThrowsAsync<WatchException>(() => cluster.Nodes.CompactAsync(new Revision(revisions[^1].Value + 1_000)));
        Assert.Equal(WatchErrorCode.FutureRevision, future.Code);
        Assert.Equal(revisions[9], await cluster.Nodes.CompactAsync(revisions[9]));
        Assert.Equal(revisions[9], await cluster.Nodes.CompactAsync(revisions[9]));
        Assert.Equal(revisions[9], await cluster.Nodes.CompactAsync(revisions[4]));
        Assert.Equal(revisions[9], (await cluster.Client.StatusAsync()).Compacted);

        await using var early = await cluster.HostedIn(1).WatchAsync(WatchTarget.Key("/c/key"), new WatchOptions { StartAt = revisions[9] });
        await using var earlyReader = early.Reader();
        Assert.Equal((WatchEndReason.Compacted, revisions[10]), await earlyReader.NextAsync() is var end ? (end.Reason, end.FirstAvailable) : default);
        await using var inTime = await cluster.HostedIn(1).WatchAsync(WatchTarget.Key("/c/key"), new WatchOptions { StartAt = revisions[10] });
        await using var inTimeReader = inTime.Reader();
        Assert.Equal(Enumerable.Range(10, 10).Select(at => $"{at}"), (await inTimeReader.NextAsync(10)).Select(each => each.Value.Text()));

        await cluster.Client.PutAsync("/c/key", "after");
        Assert.Equal("after", (await liveReader.NextAsync()).Value.Text());
    }

    [Fact]
    public async Task History_that_is_too_old_is_given_up_and_what_is_younger_stays()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1, configure: watch => watch.HistoryAgeMax = TimeSpan.FromSeconds(1));
        var first = (await cluster.Client.PutAsync("/old", "x")).Revision;
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        var written = first;
        while ((await cluster.Client.StatusAsync()).Compacted < first)
        {
            patience.Token.ThrowIfCancellationRequested();
            written = (await cluster.Client.PutAsync("/new", "x")).Revision;
        }

        // What was written in the last second is there.
        await using var stream = await cluster.HostedIn(0).WatchAsync(WatchTarget.Key("/new"), new WatchOptions { StartAt = written });
        await using var reader = stream.Reader();
        Assert.Equal(written, (await reader.NextAsync()).Revision);
        Assert.Equal("x", (await cluster.Client.GetAsync("/old")).Key!.Value.Text());
    }

    /// <summary>Nobody writes: the leader's clock alone makes history old, and nothing is proposed once nothing is left.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task History_that_is_too_old_is_given_up_though_nobody_writes(int silos)
    {
        await using var cluster = await WatchCluster.StartAsync(silos, configure: watch => watch.HistoryAgeMax = TimeSpan.FromSeconds(1));
        var last = (await cluster.Client.PutAsync("/old", "x")).Revision;
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        var status = await cluster.Client.StatusAsync();
        var began = status;
        while (status.Compacted < last)
        {
            patience.Token.ThrowIfCancellationRequested();
            status = await cluster.Client.StatusAsync();
        }

        Assert.Equal((last, began.Index + 1), (status.Revision, status.Index));
    }
}
