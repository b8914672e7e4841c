using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>History is a window: who asks for what lies before it is told so, and from where on there is something.</summary>
public sealed class CompactionTests(CompactionTests.SmallWindow shared) : IClassFixture<CompactionTests.SmallWindow>
{
    private const int Writes = 3000;
    private const int Window = 1_000;
    private readonly WatchCluster _cluster = shared.Cluster;

    [Theory, BothOrigins]
    public async Task A_watch_from_a_compacted_revision_ends_with_the_first_available_one_and_a_watch_from_there_has_everything(Origin origin)
    {
        foreach (var target in new[] { WatchTarget.Key("/c/1"), WatchTarget.Prefix("/c/"), WatchTarget.Prefix("/") })
        {
            await using var late = await _cluster.Of(origin).WatchAsync(target, new WatchOptions { StartAt = new Revision(1) });
            await using var lateReader = late.Reader();
            var canceled = await lateReader.NextAsync();
            Assert.Equal((WatchEventType.Canceled, WatchEndReason.Compacted), (canceled.Type, canceled.Reason));
            Assert.True(await lateReader.EndsAsync());
            Assert.Equal(WatchEndReason.Compacted, await late.Completion);
            var status = await _cluster.Client.StatusAsync();
            Assert.Equal(status.Compacted.Next, canceled.FirstAvailable);
            Assert.InRange(status.Revision.Value - status.Compacted.Value, 875, 1000);

            await using var stream = await _cluster.Of(origin).WatchAsync(target, new WatchOptions { StartAt = canceled.FirstAvailable });
            await using var reader = stream.Reader();
            var expected = shared.Written.Where(each => each.Revision >= canceled.FirstAvailable && (target.Kind == WatchTargetKind.Prefix || each.Key == "/c/1"))
                .Select(each => $"put {each.Key}={each.Value}@{each.Revision}").ToList();
            Assert.Equal(expected, (await reader.NextAsync(expected.Count)).Select(each => each.Short()));
        }
    }

    [Theory, BothOrigins]
    public async Task A_watch_that_resumes_one_revision_too_early_is_told_so_and_previous_values_outlive_compaction(Origin origin)
    {
        var compacted = (await _cluster.Client.StatusAsync()).Compacted;
        await using var early = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix("/c/"), new WatchOptions { StartAt = compacted });
        await using var earlyReader = early.Reader();
        Assert.Equal((WatchEndReason.Compacted, compacted.Next), ((await earlyReader.NextAsync()) is var each ? (each.Reason, each.FirstAvailable) : default));

        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix("/c/"), new WatchOptions { StartAt = compacted.Next, PreviousValues = true });
        await using var reader = stream.Reader();
        var first = await reader.NextAsync();
        var before = shared.Written.Last(written => written.Key == first.Key.ToString() && written.Revision < first.Revision);
        Assert.Equal((PreviousState.Value, before.Value), (first.PreviousState, first.PreviousValue.Text()));
    }

    [Theory, BothOrigins]
    public async Task A_scan_reads_the_past_down_to_the_compaction_point_and_is_refused_before_and_after_time(Origin origin)
    {
        var status = await _cluster.Client.StatusAsync();
        var client = _cluster.Of(origin);

        var oldest = await client.ScanAsync(new ScanRequest(Key.Of("/c/"), At: status.Compacted));
        var compacted = await Assert.ThrowsAsync<WatchException>(() => client.ScanAsync(new ScanRequest(Key.Of("/c/"), At: status.Compacted.Previous)));
        var future = await Assert.ThrowsAsync<WatchException>(() => client.ScanAsync(new ScanRequest(Key.Of("/c/"), At: new Revision(status.Revision.Value + 1_000_000))));

        Assert.Equal(
            shared.Written.Where(each => each.Revision <= status.Compacted).GroupBy(each => each.Key).Select(key => $"{key.Key}={key.Last().Value}").Order(StringComparer.Ordinal),
            oldest.Keys.Select(each => $"{each.Key}={each.Value.Text()}"));
        Assert.Equal((WatchErrorCode.Compacted, status.Compacted), (compacted.Code, compacted.FirstAvailable));
        Assert.Contains(status.Compacted.ToString(), compacted.Message, StringComparison.Ordinal);
        Assert.Equal(WatchErrorCode.FutureRevision, future.Code);
        Assert.Contains((status.Revision.Value + 1_000_000).ToString(System.Globalization.CultureInfo.InvariantCulture), future.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_watch_that_is_live_is_not_touched_by_compactions_however_long_its_scope_is_quiet()
    {
        // A cluster of its own: the others' history has to stay where it is.
        await using var cluster = await WatchCluster.StartAsync(configure: watch => watch.HistoryRevisionsMax = 1000);
        await using var quiet = await cluster.HostedIn(1).WatchAsync(WatchTarget.Key("/quiet"));
        await using var quietReader = quiet.Reader();
        await using var remote = await cluster.Client.WatchAsync(WatchTarget.Prefix("/quiet/"));
        await using var remoteReader = remote.Reader();
        var before = (await cluster.Client.StatusAsync()).Compacted;
        while ((await cluster.Client.StatusAsync()).Compacted.Value < before.Value + 2000)
            await Task.WhenAll(Enumerable.Range(0, 250).Select(at => cluster.HostedIn(at % 3).PutAsync("/noise", $"{at}")));

        var put = await cluster.Client.PutAsync("/quiet", "now");
        var child = await cluster.Client.PutAsync("/quiet/child", "now");

        Assert.Equal($"put /quiet=now@{put.Revision}", (await quietReader.NextAsync()).Short());
        Assert.Equal($"put /quiet/child=now@{child.Revision}", (await remoteReader.NextAsync()).Short());
    }

    /// <summary>A cluster that keeps 1,000 revisions, and has written three times as many.</summary>
    public sealed class SmallWindow : IAsyncLifetime
    {
        private WatchCluster? _cluster;

        public WatchCluster Cluster => _cluster ?? throw new InvalidOperationException("The cluster has not started.");

        public List<(string Key, string Value, Revision Revision)> Written { get; } = [];

        public async Task InitializeAsync()
        {
            _cluster = await WatchCluster.StartAsync(configure: watch => watch.HistoryRevisionsMax = Window);
            for (var from = 0; from < Writes; from += 100)
                Written.AddRange(await Task.WhenAll(Enumerable.Range(from, 100).Select(async at =>
                    ($"/c/{at % 7}", $"{at}", (await _cluster.HostedIn(at % 3).PutAsync($"/c/{at % 7}", $"{at}")).Revision))));
            Written.Sort((a, b) => a.Revision.CompareTo(b.Revision));
            // Compaction goes in steps beside the writes: from here on nothing moves.
            while (await _cluster.Client.StatusAsync() is var status && status.Revision.Value - status.Compacted.Value > Window)
            {
            }
        }

        public async Task DisposeAsync() => await Cluster.DisposeAsync();
    }
}
