using Watch.Core;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>What a reader meets while its watch is changed, left or lost, against a server that does what a test says.</summary>
public sealed class ResumingStreamTests
{
    private const ulong NewHash = 42;
    private static readonly WatchTarget s_old = WatchTarget.Key("/old");
    private static readonly WatchTarget s_new = WatchTarget.Key("/new");

    private readonly ManualTime _time = new();
    private readonly ScriptedClient _client;

    public ResumingStreamTests() => _client = new ScriptedClient(_time);

    private ScriptedFeed Feed => _client.Feeds[^1];

    [Fact]
    public Task A_reader_that_stops_at_the_last_event_is_told_by_Completion_why_the_watch_ended() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(s_old);
        Feed.Put("/old", 1);
        Feed.End(WatchEndReason.Slow);
        await foreach (var each in stream)
        {
            if (each.Type == WatchEventType.Canceled)
                break;
        }

        Assert.Equal(WatchEndReason.Slow, await stream.Completion);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task Who_leaves_amid_a_batch_is_handed_nothing_more_of_it_and_stands_where_it_left(bool cancels) => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(s_old);
        Feed.Send(4, Put(1), Put(2), Put(3), Put(4));
        using var enough = new CancellationTokenSource();
        var seen = new List<long>();
        try
        {
            await foreach (var each in stream.WithCancellation(enough.Token))
            {
                seen.Add(each.Revision.Value);
                if (seen.Count < 2)
                    continue;
                if (cancels)
                    enough.Cancel();
                else
                    await stream.DisposeAsync();
            }

            Assert.False(cancels, "a reader that was canceled was not told so");
        }
        catch (OperationCanceledException) when (cancels)
        {
            // As it was asked for.
        }

        Assert.Equal([1, 2], seen);
        Assert.Equal(new Revision(2), stream.Cursor);
    });

    [Fact]
    public Task A_callback_that_disposes_of_its_watcher_is_called_for_nothing_more() => TwoNodes.InTurnsAsync(async () =>
    {
        var seen = new List<long>();
        IWatcher? watcher = null;
        watcher = _client.CreateWatcher(s_old, async (each, _) =>
        {
            seen.Add(each.Revision.Value);
            await watcher!.DisposeAsync();
        });
        var run = watcher.RunAsync();
        await TwoNodes.PassAsync();
        Feed.Send(3, Put(1), Put(2), Put(3));
        await TwoNodes.PassAsync();
        await run;
        Assert.Equal([1], seen);
        Assert.Equal(WatchEndReason.Disposed, await watcher.Completion);
    });

    [Fact]
    public Task A_cursor_is_one_of_the_new_target_though_its_marker_came_before_the_answer() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(s_old);
        var events = stream.Record();
        var answer = new TaskCompletionSource<RetargetReply>();
        Feed.OnRetarget = (_, _) => answer.Task;
        var changing = stream.ChangeTargetAsync(s_new);
        Feed.Send(3, Changed(3, 1));
        await TwoNodes.PassAsync();
        Assert.Equal(WatchEventType.TargetsChanged, Assert.Single(events).Type);
        answer.SetResult(new RetargetReply(new Revision(3), 1, NewHash));
        Assert.Equal(new Revision(3), await changing);
        Assert.Equal((NewHash, new Revision(3)), (stream.GetCursor().FilterHash, stream.GetCursor().Revision));
    });

    [Fact]
    public Task A_change_of_target_whose_answer_was_lost_is_asked_again_by_the_same_version() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(s_old);
        var events = stream.Record();
        var asked = new List<long>();
        Feed.OnRetarget = (_, version) =>
        {
            asked.Add(version);
            return asked.Count < 3 ? throw new WatchException(WatchErrorCode.Unavailable, "The answer was lost.") : Task.FromResult(new RetargetReply(new Revision(2), version, NewHash));
        };
        var changing = stream.ChangeTargetAsync(s_new);
        await _time.PassAsync(TimeSpan.FromSeconds(2));
        Assert.Equal(new Revision(2), await changing);
        Assert.Equal([1, 1, 1], asked);
        Assert.Empty(events);
    });

    [Fact]
    public Task A_change_of_target_that_its_caller_gave_up_is_decided_now_and_not_at_some_later_loss() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(s_old);
        var events = stream.Record();
        Feed.Put("/old", 5);
        await TwoNodes.PassAsync();
        Feed.OnRetarget = (_, _) => throw new WatchException(WatchErrorCode.Unavailable, "Nobody answers.");
        using var enough = new CancellationTokenSource();
        var changing = stream.ChangeTargetAsync(s_new, enough.Token);
        await TwoNodes.PassAsync();
        enough.Cancel();
        await _time.PassAsync(TimeSpan.FromSeconds(2));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => changing);
        Assert.True(_client.Feeds[0].IsDisposed, "the old registration goes on as if nothing had been asked");
        Assert.Equal((s_new, new Revision(6)), (_client.Requests[^1].Target, _client.Requests[^1].StartAt));
        Assert.Equal((WatchEventType.TargetsChanged, new Revision(5)), (events[^1].Type, events[^1].Revision));
    });

    [Fact]
    public Task A_policy_and_a_target_that_change_at_the_same_time_both_go_with_the_watch() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(s_old);
        var events = stream.Record();
        Feed.OnRetarget = (_, version) => Task.FromResult(new RetargetReply(new Revision(3), version, NewHash));
        await stream.ChangeTargetAsync(s_new);
        var changing = stream.ChangePolicyAsync(SlowPolicy.Latest, queueEventsMax: 77);
        Feed.Send(3, Changed(3, 1));
        await TwoNodes.PassAsync();
        await changing;
        Feed.Lose();
        await _time.PassAsync(TimeSpan.FromSeconds(2));
        var request = _client.Requests[^1];
        Assert.Equal((2, s_new, SlowPolicy.Latest, 77, new Revision(4)), (_client.Requests.Count, request.Target, request.WhenSlow, request.QueueEventsMax, request.StartAt));
        Assert.Single(events);
    });

    [Fact]
    public Task A_wait_whose_watch_ends_asks_no_more_and_leaves_nothing_behind() => TwoNodes.InTurnsAsync(async () =>
    {
        var stream = await _client.WatchAsync(s_old);
        var waiting = stream.WaitForAsync(new Revision(long.MaxValue));
        await TwoNodes.PassAsync();
        Assert.Equal((1, 1), (Feed.Asked, _time.Timers));
        await stream.DisposeAsync();
        Assert.Equal(WatchErrorCode.Unavailable, (await Assert.ThrowsAsync<WatchException>(() => waiting)).Code);
        await _time.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(0, _time.Timers);
    });

    private static WatchEvent Put(long revision) => new() { Type = WatchEventType.Put, Key = Key.Of("/old"), Revision = new Revision(revision) };

    private static WatchEvent Changed(long from, long version) => new() { Type = WatchEventType.TargetsChanged, Revision = new Revision(from), Count = version };
}
