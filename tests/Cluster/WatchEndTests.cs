using Watch.Client;
using Watch.Core;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>How watches end: by their client, by what a callback throws, and by what goes wrong at the end itself.</summary>
public sealed class WatchEndTests
{
    private static readonly WatchTarget s_target = WatchTarget.Key("/k");
    private readonly ManualTime _time = new(repeats: true);
    private readonly ScriptedClient _client;

    public WatchEndTests() => _client = new ScriptedClient(_time);

    private ScriptedFeed Feed => _client.Feeds[^1];

    [Fact]
    public Task A_client_that_is_disposed_of_cancels_the_callback_that_is_under_way_and_does_not_wait_for_its_time() => TwoNodes.InTurnsAsync(async () =>
    {
        var server = new ScriptedServer();
        var client = server.NewClient(_time);
        var wasCanceled = false;
        await using var watcher = client.CreateWatcher(s_target, async (_, token) =>
        {
            var canceled = new TaskCompletionSource();
            await using var told = token.Register(canceled.SetResult);
            await canceled.Task;
            wasCanceled = true;
        }, new WatcherOptions { CallbackTimeout = TimeSpan.FromHours(1), Watch = new WatchOptions { ProgressInterval = TimeSpan.FromMinutes(1) } });
        var run = watcher.RunAsync();
        await TwoNodes.PassAsync();
        await server.Session.SendAsync(ProgressOf(Assert.Single(server.Session.Watches)));
        await TwoNodes.PassAsync();

        var closing = client.DisposeAsync().AsTask();
        await TwoNodes.PassAsync();
        Assert.True(wasCanceled, "the callback was not canceled");
        Assert.True(closing.IsCompletedSuccessfully, "the client's end waits for the callback's time");
        await run;
        Assert.Equal(WatchEndReason.Disposed, await watcher.Completion);
    });

    [Fact]
    public Task A_watch_whose_thread_never_comes_back_holds_its_clients_end_up_for_a_while_and_not_for_ever() => TwoNodes.InTurnsAsync(async () =>
    {
        var server = new ScriptedServer();
        var client = server.NewClient(_time);
        var context = new BlockableContext();
        var watcher = client.CreateWatcher(s_target, (_, _) => default);
        var run = context.Begin(() => watcher.RunAsync());
        await TwoNodes.PassAsync();
        context.IsBlocked = true;

        var closing = client.DisposeAsync().AsTask();
        await TwoNodes.PassAsync();
        Assert.False(closing.IsCompleted, "it did not wait: nothing was shown");
        _time.Advance(TimeSpan.FromSeconds(IWatchObserver.CallbackSeconds) + new WatchClientOptions().CallTimeout);
        _time.Fire();
        await TwoNodes.PassAsync();
        Assert.True(closing.IsCompletedSuccessfully, "the client's end waits for ever");
        Assert.False(run.IsCompleted);
    });

    [Fact]
    public Task A_client_that_is_disposed_of_while_a_link_says_farewell_to_its_server_waits_for_that() => TwoNodes.InTurnsAsync(async () =>
    {
        var server = new ScriptedServer();
        var client = server.NewClient(_time);
        var stream = await client.WatchAsync(s_target);
        var farewell = new TaskCompletionSource();
        server.Session.OnClose = () => farewell.Task;
        await stream.DisposeAsync();
        await TwoNodes.PassAsync();
        Assert.True(server.Session.IsClosed);

        var closing = client.DisposeAsync().AsTask();
        await TwoNodes.PassAsync();
        Assert.False(closing.IsCompleted, "the client's end is done while its server is still being told");
        farewell.SetResult();
        await TwoNodes.PassAsync();
        Assert.True(closing.IsCompletedSuccessfully, "the client's end does not come");
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task A_callback_whose_own_call_was_canceled_fails_like_any_other_and_its_run_throws_the_same(bool canBeCanceled) => TwoNodes.InTurnsAsync(async () =>
    {
        using var callers = new CancellationTokenSource();
        var thrown = new TaskCanceledException("A call of its own timed out.", new TimeoutException());
        await using var watcher = _client.CreateWatcher(s_target, (_, _) => throw thrown);
        var run = watcher.RunAsync(canBeCanceled ? callers.Token : default);
        await TwoNodes.PassAsync();
        Feed.Put("/k", 1);
        await TwoNodes.PassAsync();

        Assert.True(run.IsFaulted, $"the run ended as {run.Status}");
        Assert.Same(thrown, await Assert.ThrowsAsync<TaskCanceledException>(() => run));
        Assert.Equal(WatchEndReason.CallbackFailed, await watcher.Completion);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task Who_cancels_a_run_is_told_so_by_the_same_token(bool before) => TwoNodes.InTurnsAsync(async () =>
    {
        using var callers = new CancellationTokenSource();
        await using var watcher = _client.CreateWatcher(s_target, (_, _) => default);
        if (before)
            callers.Cancel();
        var run = watcher.RunAsync(callers.Token);
        await TwoNodes.PassAsync();
        callers.Cancel();
        await TwoNodes.PassAsync();
        Assert.True(run.IsCanceled, $"the run ended as {run.Status}");
        Assert.Equal(callers.Token, (await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run)).CancellationToken);
        Assert.Equal(WatchEndReason.Disposed, await watcher.Completion);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task What_a_callback_registered_on_its_token_throws_is_what_the_run_throws(bool whileItRuns) => TwoNodes.InTurnsAsync(async () =>
    {
        await using var watcher = _client.CreateWatcher(s_target, async (_, token) =>
        {
            token.Register(() => throw new InvalidOperationException("It fails at the end."));
            if (whileItRuns)
                await new TaskCompletionSource().Task.WaitAsync(token);
        });
        var run = watcher.RunAsync();
        await TwoNodes.PassAsync();
        Feed.Put("/k", 1);
        await TwoNodes.PassAsync();
        await watcher.DisposeAsync();
        await TwoNodes.PassAsync();

        var failure = await Assert.ThrowsAsync<AggregateException>(() => run.WaitAsync(WatchCluster.Patience));
        Assert.Equal("It fails at the end.", Assert.IsType<InvalidOperationException>(Assert.Single(failure.InnerExceptions)).Message);
        Assert.Equal(WatchEndReason.CallbackFailed, await watcher.Completion);
    });

    [Fact]
    public Task A_watch_that_does_not_resume_ends_as_disposed_of_where_its_client_was() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(s_target, new WatchOptions { Resume = false });
        await using var reader = stream.GetAsyncEnumerator();
        var next = reader.MoveNextAsync();
        _client.End.Cancel();
        Feed.Lose();
        Assert.True(await next);
        Assert.Equal((WatchEventType.Canceled, WatchEndReason.Disposed), (reader.Current.Type, reader.Current.Reason));
    });

    [Fact]
    public Task A_watch_that_cannot_leave_its_server_has_ended_all_the_same() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var watcher = _client.CreateWatcher(s_target, (_, _) => throw new InvalidOperationException("It fails."));
        var run = watcher.RunAsync();
        await TwoNodes.PassAsync();
        Feed.OnDispose = () => throw new ArgumentException("Nobody expects this.");
        Feed.Put("/k", 1);
        await TwoNodes.PassAsync();
        Assert.True(run.IsCompleted, "the run does not end");
        await Assert.ThrowsAsync<InvalidOperationException>(() => run);
        Assert.Equal(WatchEndReason.CallbackFailed, await watcher.Completion);
    });

    [Fact]
    public Task A_policy_that_was_taken_while_the_watch_was_opened_elsewhere_is_told_there_too() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(s_target);
        var old = Feed;
        var reading = ReadAsync(stream);
        var answer = new TaskCompletionSource();
        old.OnSetPolicy = () => answer.Task;
        var changing = stream.ChangePolicyAsync(SlowPolicy.Latest);
        old.Lose();
        for (var step = 0; step < 20; step++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(250));
            _time.Fire();
            await TwoNodes.PassAsync();
        }

        Assert.NotSame(old, Feed);
        Assert.Equal(SlowPolicy.Park, _client.Requests[^1].WhenSlow);
        answer.SetResult();
        await changing;
        Assert.Equal([SlowPolicy.Latest], Feed.Policies);
        await stream.DisposeAsync();
        await reading;
    });

    private static async Task ReadAsync(IWatchStream stream)
    {
        await foreach (var each in stream)
            Assert.NotNull(each);
    }

    private static WatchStep ProgressOf(long watch) => new(watch, 1, new Revision(0), new Revision(1), [new StepPart(StepKind.Progress, -1, 1, 1)]);
}
