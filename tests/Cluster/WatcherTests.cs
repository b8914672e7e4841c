using System.Diagnostics;

namespace Watch.Cluster.Tests;

/// <summary>Watches that call a function: when they are ready, how they run, and what ends them.</summary>
public sealed class WatcherTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _key = SharedCluster.NewRoot("watchers") + "k";

    [Theory, BothOrigins]
    [Trait("NU", "W01"), Trait("NU", "W02"), Trait("NU", "W05"), Trait("NU", "W06"), Trait("NU", "W08"), Trait("NU", "W12")]
    public async Task A_watcher_that_runs_is_ready_soon_and_calls_with_each_event_until_it_is_disposed_of(Origin origin)
    {
        var events = new Calls();
        await using var watcher = Create(origin, events.AddAsync);
        var run = watcher.RunAsync();
        var started = Stopwatch.GetTimestamp();
        await watcher.WaitReadyAsync(TimeSpan.FromSeconds(5));
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(5));
        // One that is ready is so at once, however little time is given.
        await watcher.WaitReadyAsync(TimeSpan.FromMilliseconds(100));
        Assert.False(run.IsCompleted, "the run ended while its watch goes on");

        var written = await _cluster.Client.PutAsync(_key, "1");
        await _cluster.Client.DeleteAsync(_key);
        var seen = await events.WaitForAsync(2);
        Assert.Equal([$"put {_key}=1@{written.Revision}", $"delete {_key}@{written.Revision.Next}"], seen.Select(each => each.Short()));
        Assert.True(watcher.Start < written.Revision);

        await watcher.DisposeAsync();
        await run.WaitAsync(WatchCluster.Patience);
        Assert.Equal((WatchEndReason.Disposed, written.Revision.Next), (await watcher.Completion, watcher.Cursor));
    }

    [Fact]
    [Trait("NU", "W03")]
    public async Task A_watcher_whose_registration_is_refused_says_so_to_its_runner_and_to_all_who_wait()
    {
        await using var watcher = _cluster.Client.CreateWatcher(WatchTarget.Prefix("no-slash"), (_, _) => default);
        var waiting = watcher.WaitReadyAsync(WatchCluster.Patience);
        var run = watcher.RunAsync();
        Assert.Equal(WatchErrorCode.InvalidPrefix, (await Assert.ThrowsAsync<WatchException>(() => run)).Code);
        Assert.Equal(WatchErrorCode.InvalidPrefix, (await Assert.ThrowsAsync<WatchException>(() => waiting)).Code);
        Assert.Equal(WatchEndReason.Refused, await watcher.Completion);
    }

    [Theory, BothOrigins]
    [Trait("NU", "W04"), Trait("NU", "W10")]
    public async Task However_often_a_watcher_is_run_it_runs_once(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var events = new Calls();
        await using var watcher = Create(origin, events.AddAsync);
        var runs = Enumerable.Range(0, 10).Select(_ => watcher.RunAsync()).ToList();
        await watcher.WaitReadyAsync(WatchCluster.Patience);
        await watcher.RunAsync().WaitAsync(WatchCluster.Patience);
        Assert.Equal(9, runs.Count(run => run.IsCompletedSuccessfully));
        Assert.Equal(before + 1, await _cluster.CountWatchersAsync());
        await _cluster.Client.PutAsync(_key, "1");
        await _cluster.Client.PutAsync(_key, "2");
        Assert.Equal(["1", "2"], (await events.WaitForAsync(2)).Select(each => each.Value.Text()));

        await watcher.DisposeAsync();
        await Task.WhenAll(runs).WaitAsync(WatchCluster.Patience);
    }

    [Fact]
    [Trait("NU", "W07")]
    public async Task A_watcher_that_never_runs_is_not_ready_and_says_so_when_the_time_is_over_not_before()
    {
        await using var watcher = Create(Origin.Hosted, (_, _) => default);
        var started = Stopwatch.GetTimestamp();
        var error = await Assert.ThrowsAsync<TimeoutException>(() => watcher.WaitReadyAsync(TimeSpan.FromMilliseconds(100)));
        Assert.Contains("timeout", error.Message, StringComparison.Ordinal);
        Assert.True(Stopwatch.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(99));
        Assert.False(watcher.Completion.IsCompleted);
    }

    [Fact]
    [Trait("NU", "W09"), Trait("NU", "W11")]
    public async Task All_who_wait_for_a_watcher_are_told_when_it_runs_whether_they_came_before_or_with_it()
    {
        await using var watcher = Create(Origin.Remote, (_, _) => default);
        var waiting = Enumerable.Range(0, 5).Select(_ => watcher.WaitReadyAsync(WatchCluster.Patience)).ToList();
        Assert.All(waiting, each => Assert.False(each.IsCompleted));
        var run = watcher.RunAsync();
        await Task.WhenAll([.. waiting, watcher.WaitReadyAsync(WatchCluster.Patience)]);
        await watcher.DisposeAsync();
        await run.WaitAsync(WatchCluster.Patience);
    }

    [Theory, BothOrigins]
    [Trait("NU", "W13")]
    public async Task A_watcher_that_is_canceled_ends_says_so_and_leaves_nothing_behind(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        using var cancel = new CancellationTokenSource();
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var watcher = Create(origin, async (_, token) =>
        {
            entered.TrySetResult();
            await new TaskCompletionSource().Task.WaitAsync(token);
        }, TimeSpan.FromHours(1));
        var run = watcher.RunAsync(cancel.Token);
        await watcher.WaitReadyAsync(WatchCluster.Patience);
        await _cluster.Client.PutAsync(_key, "1");
        await entered.Task.WaitAsync(WatchCluster.Patience);

        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run.WaitAsync(WatchCluster.Patience));
        Assert.Equal(WatchEndReason.Disposed, await watcher.Completion);
        await _cluster.WatchersComeToAsync(before);
    }

    [Theory, BothOrigins]
    [Trait("NU", "D05")]
    public async Task A_callback_that_throws_ends_its_watch_and_its_run_throws_the_same(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var calls = 0;
        await using var watcher = Create(origin, (_, _) => ++calls == 2 ? throw new InvalidOperationException("the second one fails on purpose") : default);
        var run = watcher.RunAsync();
        await watcher.WaitReadyAsync(WatchCluster.Patience);
        var first = await _cluster.Client.PutAsync(_key, "1");
        await _cluster.Client.PutAsync(_key, "2");
        await _cluster.Client.PutAsync(_key, "3");

        Assert.Contains("on purpose", (await Assert.ThrowsAsync<InvalidOperationException>(() => run.WaitAsync(WatchCluster.Patience))).Message, StringComparison.Ordinal);
        Assert.Equal((WatchEndReason.CallbackFailed, 2), (await watcher.Completion, calls));
        Assert.Equal(first.Revision, watcher.Cursor);
        await _cluster.WatchersComeToAsync(before);
    }

    [Theory]
    [InlineData(Origin.Hosted, false)]
    [InlineData(Origin.Remote, false)]
    [InlineData(Origin.Remote, true)]
    [Trait("NU", "D06"), Trait("NU", "D07")]
    public async Task A_callback_that_takes_too_long_ends_its_watch_and_its_run_says_so(Origin origin, bool byDefault)
    {
        var before = await _cluster.CountWatchersAsync();
        var calls = 0;
        var canceled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var watcher = Create(origin, async (_, token) =>
        {
            calls++;
            await using var told = token.Register(canceled.SetResult);
            await new TaskCompletionSource().Task;
        }, byDefault ? null : TimeSpan.FromMilliseconds(100));
        var run = watcher.RunAsync();
        await watcher.WaitReadyAsync(WatchCluster.Patience);
        await _cluster.Client.PutAsync(_key, "1");
        await _cluster.Client.PutAsync(_key, "2");

        var error = await Assert.ThrowsAsync<TimeoutException>(() => run.WaitAsync(WatchCluster.Patience));
        Assert.Contains(byDefault ? "00:00:01" : "00:00:00.1", error.Message, StringComparison.Ordinal);
        Assert.Equal((WatchEndReason.CallbackTimedOut, 1), (await watcher.Completion, calls));
        await canceled.Task.WaitAsync(WatchCluster.Patience);
        await _cluster.WatchersComeToAsync(before);
    }

    [Fact]
    public void A_limit_that_is_none_is_refused()
    {
        foreach (var limit in new[] { TimeSpan.Zero, TimeSpan.FromSeconds(-1), TimeSpan.FromHours(2) })
            Assert.Equal(WatchErrorCode.InvalidOption, Assert.Throws<WatchException>(() => Create(Origin.Hosted, (_, _) => default, limit)).Code);
    }

    private IWatcher Create(Origin origin, Func<WatchEvent, CancellationToken, ValueTask> callback, TimeSpan? limit = null) =>
        _cluster.Of(origin).CreateWatcher(WatchTarget.Key(_key), callback, limit is { } given ? new WatcherOptions { CallbackTimeout = given } : null);

    /// <summary>Keeps what it is called with, and notices two calls at once.</summary>
    private sealed class Calls
    {
        private readonly RecordingObserver _events = new();
        private int _under;

        public async ValueTask AddAsync(WatchEvent each, CancellationToken cancellationToken)
        {
            Assert.Equal(1, Interlocked.Increment(ref _under));
            await Task.Yield();
            await _events.OnBatch(new WatchBatch(0, default, each.Revision, [each]));
            Interlocked.Decrement(ref _under);
        }

        public Task<List<WatchEvent>> WaitForAsync(int count) => _events.WaitForAsync(count);
    }
}
