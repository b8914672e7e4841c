using Watch.Client;
using Watch.Core;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>What was answered to a change of target holds, whatever becomes of the registrations underneath.</summary>
public sealed class ChangeAnswerTests
{
    private static readonly WatchTarget s_first = WatchTarget.Key("/1");
    private static readonly WatchTarget s_second = WatchTarget.Key("/2");
    private static readonly WatchTarget s_third = WatchTarget.Key("/3");
    private readonly Queue<ScriptedFeed> _ready = [];
    private readonly ScriptedClient _client;

    public ChangeAnswerTests() => _client = NewClient(TimeProvider.System);

    [Fact]
    public async Task A_change_that_follows_one_whose_registration_was_lost_takes_effect_with_it_and_not_before()
    {
        var lost = Next(start: 1);
        await using var stream = await _client.WatchAsync(s_first);
        await using var reader = stream.Reader();
        lost.OnRetarget = (_, _) => Answer(from: 10, version: 1);
        Assert.Equal(new Revision(10), await stream.ChangeTargetAsync(s_second));
        var resumed = Next(start: 1);
        // A server that knows nothing of the first change would name an earlier revision for the second.
        var wasAsked = false;
        resumed.OnRetarget = (_, _) =>
        {
            wasAsked = true;
            return Answer(from: 4, version: 2);
        };
        resumed.Send(5, Put("/1", 5));
        lost.Lose();
        Assert.Equal("put /1=@5", (await reader.NextAsync()).Short());

        Assert.Equal(new Revision(10), await stream.ChangeTargetAsync(s_third));

        var last = Next(start: 10);
        last.Send(12, Put("/3", 12));
        resumed.Send(11, Put("/1", 9), Put("/1", 11));
        Assert.Equal("put /1=@9", (await reader.NextAsync()).Short());
        Assert.Equal((WatchEventType.TargetsChanged, 10L, 1L), Told(await reader.NextAsync("the first change")));
        Assert.Equal((WatchEventType.TargetsChanged, 10L, 2L), Told(await reader.NextAsync("the second change")));
        Assert.Equal("put /3=@12", (await reader.NextAsync()).Short());
        Assert.False(wasAsked, "a server was asked that did not know of the first change");
        Assert.Equal((s_third, new Revision(11), 2L), (_client.Requests[^1].Target, _client.Requests[^1].StartAt, _client.Requests[^1].TargetVersion));
    }

    [Fact]
    public async Task An_answer_of_a_registration_that_was_lost_meanwhile_decides_nothing()
    {
        var lost = Next(start: 1);
        await using var stream = await _client.WatchAsync(s_first);
        await using var reader = stream.Reader();
        lost.Send(5, Put("/1", 5));
        Assert.Equal("put /1=@5", (await reader.NextAsync()).Short());
        var answer = new TaskCompletionSource<RetargetReply>();
        lost.OnRetarget = (_, _) => answer.Task;
        var change = stream.ChangeTargetAsync(s_second);
        var resumed = Next(start: 5);
        lost.Lose();
        Assert.Equal((WatchEventType.TargetsChanged, 5L, 1L), Told(await reader.NextAsync("the change")));
        answer.SetResult(new RetargetReply(new Revision(9), 1, 0));

        Assert.Equal(new Revision(5), await change.WaitAsync(WatchCluster.Patience));
        resumed.Send(7, Put("/2", 7));
        Assert.Equal("put /2=@7", (await reader.NextAsync()).Short());
        Assert.Equal((s_second, new Revision(6)), (_client.Requests[^1].Target, _client.Requests[^1].StartAt));
    }

    [Fact]
    public Task A_change_that_nobody_answers_is_not_waited_for_longer_than_a_call_may_take_and_holds_where_the_watch_goes_on() => TwoNodes.InTurnsAsync(async () =>
    {
        var time = new ManualTime();
        var client = NewClient(time);
        var silent = Next(start: 1);
        silent.OnRetarget = (_, _) => new TaskCompletionSource<RetargetReply>().Task;
        await using var stream = await client.WatchAsync(s_first);
        await using var reader = stream.Reader();
        silent.Send(5, Put("/1", 5));
        Assert.Equal("put /1=@5", (await reader.NextAsync()).Short());

        var change = stream.ChangeTargetAsync(s_second);
        time.Advance(client.CallTimeout);
        time.Fire();

        var refused = await Assert.ThrowsAsync<WatchException>(() => change.WaitAsync(WatchCluster.Patience));
        Assert.Equal(WatchErrorCode.Unavailable, refused.Code);
        Assert.Contains("not answered within", refused.Message, StringComparison.Ordinal);
        Next(start: 5);
        Assert.Equal((WatchEventType.TargetsChanged, 5L, 1L), Told(await reader.NextAsync("the change")));
        Assert.Equal(s_second, stream.Target);
    });

    [Fact]
    public async Task A_change_that_was_given_up_while_another_server_was_looked_for_takes_effect_when_there_is_one()
    {
        var lost = Next(start: 1);
        await using var stream = await _client.WatchAsync(s_first);
        await using var reader = stream.Reader();
        var (asked, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        _client.OnOpen = async _ =>
        {
            _client.OnOpen = _ => Task.FromResult(_ready.Dequeue());
            asked.SetResult();
            await go.Task;
            return _ready.Dequeue();
        };
        lost.Lose();
        var next = reader.NextAsync("the change");
        await asked.Task.WaitAsync(WatchCluster.Patience);
        using var patience = new CancellationTokenSource();
        var change = stream.ChangeTargetAsync(s_second, patience.Token);
        patience.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => change.WaitAsync(WatchCluster.Patience));

        Next(start: 1);
        var changed = Next(start: 1);
        changed.Send(7, Put("/2", 7));
        go.SetResult();

        Assert.Equal((WatchEventType.TargetsChanged, 1L, 1L), Told(await next));
        Assert.Equal("put /2=@7", (await reader.NextAsync()).Short());
        Assert.Equal((s_second, 1L), (_client.Requests[^1].Target, _client.Requests[^1].TargetVersion));
    }

    private ScriptedClient NewClient(TimeProvider time) =>
        new(time, options: new WatchClientOptions { BackoffFirst = TimeSpan.FromMilliseconds(1), BackoffMax = TimeSpan.FromMilliseconds(1) }) { OnOpen = _ => Task.FromResult(_ready.Dequeue()) };

    private ScriptedFeed Next(long start)
    {
        var feed = new ScriptedFeed(new Revision(start));
        _ready.Enqueue(feed);
        return feed;
    }

    private static Task<RetargetReply> Answer(long from, long version) => Task.FromResult(new RetargetReply(new Revision(from), version, 0));

    private static (WatchEventType Type, long Revision, long Version) Told(WatchEvent each) => (each.Type, each.Revision.Value, each.Count);

    private static WatchEvent Put(string key, long revision) => new() { Type = WatchEventType.Put, Key = Key.Of(key), Revision = new Revision(revision) };
}
