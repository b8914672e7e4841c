using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>The whole way of a write and of its event, over three silos of which one is the voter.</summary>
public sealed class PathTests(PathTests.SharedCluster shared) : IClassFixture<PathTests.SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private static int s_tests;

    /// <summary>Tests share a cluster, so each has a prefix of its own.</summary>
    private readonly string _root = $"/path-{Interlocked.Increment(ref s_tests)}/";

    [Fact]
    public async Task A_put_is_answered_with_its_revision_and_read_back_with_all_its_revisions()
    {
        var first = await _cluster.Client.PutAsync(_root + "a", "1");
        var second = await _cluster.Client.PutAsync(_root + "a", "2");

        var read = await _cluster.Client.GetAsync(_root + "a");

        Assert.Equal(WriteStatus.Applied, second.Status);
        Assert.Equal("1", second.Previous!.Value.Text());
        Assert.Equal("2", read.Key!.Value.Text());
        Assert.Equal((first.Revision, second.Revision, 2L), (read.Key.CreateRevision, read.Key.ModRevision, read.Key.Version));
        Assert.True(read.Revision >= second.Revision);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 0)]
    public async Task A_watcher_on_any_silo_sees_a_write_made_through_any_other(int watching, int writing)
    {
        await using var stream = await _cluster.HostedIn(watching).WatchAsync(WatchTarget.Key(_root + "k"));
        await using var reader = stream.Reader();

        var put = await _cluster.HostedIn(writing).PutAsync(_root + "k", "v");

        Assert.Equal($"put {_root}k=v@{put.Revision}", (await reader.NextAsync()).Short());
    }

    [Fact]
    public async Task A_remote_watcher_of_a_prefix_sees_puts_and_deletes_in_revision_order_with_previous_values()
    {
        await using var stream = await _cluster.Client.WatchAsync(WatchTarget.Prefix(_root), new WatchOptions { PreviousValues = true });
        await using var reader = stream.Reader();

        await _cluster.Client.PutAsync(_root + "a", "1");
        await _cluster.Client.PutAsync(_root + "b/c", "2");
        await _cluster.Client.PutAsync(_root + "a", "3");
        await _cluster.Client.DeleteAsync(_root + "a");

        var events = await reader.NextAsync(4);
        Assert.Equal(
            [(WatchEventType.Put, PreviousState.Absent), (WatchEventType.Put, PreviousState.Absent), (WatchEventType.Put, PreviousState.Value), (WatchEventType.Delete, PreviousState.Value)],
            events.Select(each => (each.Type, each.PreviousState)));
        Assert.Equal(["", "", "1", "3"], events.Select(each => each.PreviousValue.Text()));
        Assert.Equal(events.Select(each => each.Revision).Order(), events.Select(each => each.Revision));
    }

    [Fact]
    public async Task A_refused_condition_answers_with_the_current_value_and_emits_nothing()
    {
        await using var stream = await _cluster.Client.WatchAsync(WatchTarget.Key(_root + "c"));
        await using var reader = stream.Reader();
        var created = await _cluster.Client.PutAsync(_root + "c", "1", WriteCondition.Absent);

        var refusedAbsent = await _cluster.Client.PutAsync(_root + "c", "2", WriteCondition.Absent);
        var refusedValue = await _cluster.Client.PutAsync(_root + "c", "2", WriteCondition.Value(Watching.Bytes("other")));
        var refusedRevision = await _cluster.Client.DeleteAsync(_root + "c", WriteCondition.At(created.Revision.Next));
        var swapped = await _cluster.Client.PutAsync(_root + "c", "4", WriteCondition.At(created.Revision));

        Assert.All([refusedAbsent, refusedValue, refusedRevision], refused =>
        {
            Assert.Equal(WriteStatus.ConditionFailed, refused.Status);
            Assert.Equal("1", refused.Previous!.Value.Text());
        });
        Assert.Equal(WriteStatus.Applied, swapped.Status);
        Assert.Equal([$"put {_root}c=1@{created.Revision}", $"put {_root}c=4@{swapped.Revision}"], (await reader.NextAsync(2)).Select(each => each.Short()));
    }

    [Fact]
    public async Task Several_keys_are_read_at_one_revision_in_the_order_asked()
    {
        await _cluster.Client.PutAsync(_root + "x", "1");
        await _cluster.Client.PutAsync(_root + "y", "2");

        var read = await _cluster.Client.GetManyAsync([Key.Of(_root + "y"), Key.Of(_root + "none"), Key.Of(_root + "x")]);

        Assert.Equal(["2", null, "1"], read.Keys.Select(each => each?.Value.Text()));
    }

    [Fact]
    public async Task A_scan_and_a_watch_from_its_revision_leave_no_gap()
    {
        for (var at = 0; at < 25; at++)
            await _cluster.Client.PutAsync($"{_root}{at:00}", $"{at}");

        var page = await _cluster.Client.ScanAsync(new ScanRequest(Key.Of(_root), KeysMax: 10));
        var between = await _cluster.Client.PutAsync(_root + "between", "b");
        var rest = await _cluster.Client.ScanAsync(new ScanRequest(Key.Of(_root), KeysMax: 100, After: page.Keys[^1].Key, At: page.Revision));
        await using var stream = await _cluster.Client.WatchAsync(WatchTarget.Prefix(_root), new WatchOptions { StartAt = page.Revision.Next });
        await using var reader = stream.Reader();

        Assert.True(page.More);
        Assert.Equal(Enumerable.Range(0, 25).Select(at => $"{_root}{at:00}"), page.Keys.Concat(rest.Keys).Select(each => each.Key.ToString()));
        Assert.Equal($"put {_root}between=b@{between.Revision}", (await reader.NextAsync()).Short());
    }

    [Fact]
    public async Task A_watch_that_starts_in_the_past_replays_and_goes_on_live_without_a_seam()
    {
        var first = await _cluster.Client.PutAsync(_root + "s", "0");
        for (var at = 1; at < 50; at++)
            await _cluster.Client.PutAsync(_root + "s", $"{at}");
        await using var stream = await _cluster.Client.WatchAsync(WatchTarget.Prefix(_root), new WatchOptions { StartAt = first.Revision });
        await using var reader = stream.Reader();
        for (var at = 50; at < 100; at++)
            await _cluster.HostedIn(at % 3).PutAsync(_root + "s", $"{at}");

        var events = await reader.NextAsync(100);

        Assert.Equal(Enumerable.Range(0, 100).Select(at => $"{at}"), events.Select(each => each.Value.Text()));
    }

    [Fact]
    public async Task A_watch_of_a_future_revision_waits_for_it()
    {
        var now = (await _cluster.Client.PutAsync(_root + "f", "0")).Revision;
        await using var stream = await _cluster.Client.WatchAsync(WatchTarget.Key(_root + "f"), new WatchOptions { StartAt = new Revision(now.Value + 1000) });
        await using var reader = stream.Reader();

        Revision last = now;
        while (last.Value < now.Value + 1000)
            last = (await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => _cluster.Client.PutAsync(_root + "f", "x")))).Max(each => each.Revision);

        Assert.Equal(now.Value + 1000, (await reader.NextAsync()).Revision.Value);
    }

    [Fact]
    public async Task A_slow_reader_is_canceled_with_the_reason_and_the_cursor_to_go_on_from_and_disturbs_nobody()
    {
        await using var slow = await _cluster.HostedIn(1).WatchAsync(WatchTarget.Prefix(_root), new WatchOptions { WhenSlow = SlowPolicy.Cancel, QueueEventsMax = 2 });
        await using var fast = await _cluster.HostedIn(1).WatchAsync(WatchTarget.Prefix(_root));
        await using var fastReader = fast.Reader();
        for (var at = 0; at < 10; at++)
        {
            await _cluster.HostedIn(0).PutAsync(_root + at, $"{at}");
            await fastReader.NextAsync();
        }

        await using var slowReader = slow.Reader();
        var events = await slowReader.NextAsync(3);
        await using var resumed = await _cluster.Client.WatchAsync(WatchTarget.Prefix(_root), new WatchOptions { StartAt = events[2].Revision.Next });
        await using var resumedReader = resumed.Reader();

        Assert.Equal([WatchEventType.Put, WatchEventType.Put, WatchEventType.Canceled], events.Select(each => each.Type));
        Assert.Equal((WatchEndReason.Slow, events[1].Revision), (events[2].Reason, events[2].Revision));
        Assert.True(await slowReader.EndsAsync());
        Assert.Equal("2", (await resumedReader.NextAsync()).Value.Text());
    }

    [Fact]
    public async Task An_observer_outside_the_cluster_is_pushed_every_event_once_in_order()
    {
        var observer = new RecordingObserver();
        await using var subscription = await _cluster.Client.SubscribeAsync(WatchTarget.Prefix(_root), observer);

        for (var at = 0; at < 100; at++)
            await _cluster.Client.PutAsync(_root + "o", $"{at}");

        var events = await observer.WaitForAsync(100);
        Assert.Equal(Enumerable.Range(0, 100).Select(at => $"{at}"), events.Select(each => each.Value.Text()));
        Assert.Equal(events[^1].Revision, subscription.Cursor);
    }

    [Fact]
    public async Task An_observer_that_throws_ends_its_watch_and_nothing_else()
    {
        var broken = new RecordingObserver { Fails = true };
        await using var subscription = await _cluster.HostedIn(2).SubscribeAsync(WatchTarget.Prefix(_root), broken);

        await _cluster.Client.PutAsync(_root + "o", "1");

        Assert.Equal(WatchEndReason.CallbackFailed, await subscription.Completion.WaitAsync(WatchCluster.Patience));
    }

    [Theory]
    [InlineData("", WatchErrorCode.InvalidKey, "1 to 4096")]
    [InlineData("4097", WatchErrorCode.InvalidKey, "4097")]
    public async Task A_key_out_of_bounds_is_refused_with_the_bounds(string kind, WatchErrorCode code, string says)
    {
        var key = Key.Of(new string('k', kind.Length == 0 ? 0 : int.Parse(kind, System.Globalization.CultureInfo.InvariantCulture)));

        var put = await Assert.ThrowsAsync<WatchException>(() => _cluster.Client.PutAsync(key, default));
        var get = await Assert.ThrowsAsync<WatchException>(() => _cluster.Client.GetAsync(key));
        var watch = await Assert.ThrowsAsync<WatchException>(() => _cluster.Client.WatchAsync(WatchTarget.Key(key)));

        Assert.All([put, get, watch], error =>
        {
            Assert.Equal(code, error.Code);
            Assert.Contains(says, error.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task A_value_over_the_limit_is_refused_and_nothing_is_written()
    {
        var before = (await _cluster.Client.PutAsync(_root + "v", "small")).Revision;

        var error = await Assert.ThrowsAsync<WatchException>(() => _cluster.Client.PutAsync(Key.Of(_root + "v"), new byte[(1 << 20) + 1]));

        Assert.Equal(WatchErrorCode.ValueTooLarge, error.Code);
        Assert.Contains("1048577", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, (await _cluster.Client.GetAsync(_root + "v")).Key!.ModRevision);
    }

    [Fact]
    public async Task The_largest_value_arrives_though_no_stream_would_carry_it()
    {
        await using var stream = await _cluster.Client.WatchAsync(WatchTarget.Key(_root + "large"));
        await using var reader = stream.Reader();
        var value = new byte[1 << 20];
        value[^1] = 7;

        await _cluster.Client.PutAsync(Key.Of(_root + "large"), value);

        Assert.Equal(value, (await reader.NextAsync()).Value.ToArray());
    }

    [Fact]
    public async Task Keys_that_are_no_text_are_watched_byte_for_byte()
    {
        var key = Key.Of([0x2F, 0xFF, 0x25, 0x00, 0xC3]);
        await using var stream = await _cluster.Client.WatchAsync(WatchTarget.Key(key));
        await using var reader = stream.Reader();

        await _cluster.Client.PutAsync(Key.Of([0x2F, 0xFF, 0x25, 0x00, 0xC4]), default);
        await _cluster.Client.PutAsync(key, Watching.Bytes("x"));

        Assert.Equal(key, (await reader.NextAsync()).Key);
    }

    [Fact]
    public async Task Disposing_of_watches_brings_their_count_back()
    {
        var before = (await _cluster.HostedIn(1).StatusAsync()).Watchers;
        var watches = new List<IWatchStream>();
        for (var at = 0; at < 5; at++)
            watches.Add(await _cluster.HostedIn(1).WatchAsync(WatchTarget.Key(_root + "d")));
        var during = (await _cluster.HostedIn(1).StatusAsync()).Watchers;

        foreach (var each in watches)
            await each.DisposeAsync();

        Assert.Equal(before + 5, during);
        Assert.Equal(before, (await _cluster.HostedIn(1).StatusAsync()).Watchers);
    }

    /// <summary>One cluster for the tests that only read and write.</summary>
    public sealed class SharedCluster : IAsyncLifetime
    {
        private WatchCluster? _cluster;

        public WatchCluster Cluster => _cluster ?? throw new InvalidOperationException("The cluster has not started.");

        public async Task InitializeAsync() => _cluster = await WatchCluster.StartAsync();

        public async Task DisposeAsync() => await Cluster.DisposeAsync();
    }
}
