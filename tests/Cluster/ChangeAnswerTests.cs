using Watch.Core;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>What was answered to a change of target holds, whatever becomes of the registrations underneath.</summary>
public sealed class ChangeAnswerTests
{
    private static readonly WatchTarget s_first = WatchTarget.Key("/1");
    private static readonly WatchTarget s_second = WatchTarget.Key("/2");
    private static readonly WatchTarget s_third = WatchTarget.Key("/3");
    private readonly ScriptedFeeds _client = new(FakeFactory.Over(new FakeCluster()), TimeProvider.System);

    [Fact]
    public async Task A_change_that_follows_one_whose_registration_was_lost_takes_effect_with_it_and_not_before()
    {
        var lost = _client.Next(start: 1);
        await using var stream = await _client.WatchAsync(s_first);
        await using var reader = stream.Reader();
        lost.Answer.SetResult(new RetargetReply(new Revision(10), 1, 0));
        Assert.Equal(new Revision(10), await stream.ChangeTargetAsync(s_second));
        var resumed = _client.Next(start: 1);
        // A server that knows nothing of the first change would name an earlier revision for the second.
        resumed.Answer.SetResult(new RetargetReply(new Revision(4), 2, 0));
        resumed.Deliver(5, Put("/1", 5));
        lost.Lose();
        Assert.Equal("put /1=@5", (await reader.NextAsync()).Short());

        Assert.Equal(new Revision(10), await stream.ChangeTargetAsync(s_third));

        var last = _client.Next(start: 10);
        last.Deliver(12, Put("/3", 12));
        resumed.Deliver(11, Put("/1", 9), Put("/1", 11));
        Assert.Equal("put /1=@9", (await reader.NextAsync()).Short());
        Assert.Equal((WatchEventType.TargetsChanged, 10L, 1L), Told(await reader.NextAsync("the first change")));
        Assert.Equal((WatchEventType.TargetsChanged, 10L, 2L), Told(await reader.NextAsync("the second change")));
        Assert.Equal("put /3=@12", (await reader.NextAsync()).Short());
        Assert.Empty(resumed.Told);
        Assert.Equal((s_third, new Revision(11), 2L), (_client.Requests[^1].Target, _client.Requests[^1].StartAt, _client.Requests[^1].TargetVersion));
    }

    [Fact]
    public async Task An_answer_of_a_registration_that_was_lost_meanwhile_decides_nothing()
    {
        var lost = _client.Next(start: 1);
        await using var stream = await _client.WatchAsync(s_first);
        await using var reader = stream.Reader();
        lost.Deliver(5, Put("/1", 5));
        Assert.Equal("put /1=@5", (await reader.NextAsync()).Short());
        var change = stream.ChangeTargetAsync(s_second);
        Assert.Equal([1L], lost.Told);
        var resumed = _client.Next(start: 5);
        lost.Lose();
        Assert.Equal((WatchEventType.TargetsChanged, 5L, 1L), Told(await reader.NextAsync("the change")));
        lost.Answer.SetResult(new RetargetReply(new Revision(9), 1, 0));

        Assert.Equal(new Revision(5), await change.WaitAsync(WatchCluster.Patience));
        resumed.Deliver(7, Put("/2", 7));
        Assert.Equal("put /2=@7", (await reader.NextAsync()).Short());
        Assert.Equal((s_second, new Revision(6)), (_client.Requests[^1].Target, _client.Requests[^1].StartAt));
    }

    [Fact]
    public Task A_change_that_nobody_answers_is_not_waited_for_longer_than_a_call_may_take_and_holds_where_the_watch_goes_on() => TwoNodes.InTurnsAsync(async () =>
    {
        var time = new ManualTime();
        var client = new ScriptedFeeds(FakeFactory.Over(new FakeCluster()), time);
        var silent = client.Next(start: 1);
        await using var stream = await client.WatchAsync(s_first);
        await using var reader = stream.Reader();
        silent.Deliver(5, Put("/1", 5));
        Assert.Equal("put /1=@5", (await reader.NextAsync()).Short());

        var change = stream.ChangeTargetAsync(s_second);
        time.Advance(client.CallTimeout);
        time.Fire();

        var refused = await Assert.ThrowsAsync<WatchException>(() => change.WaitAsync(WatchCluster.Patience));
        Assert.Equal(WatchErrorCode.Unavailable, refused.Code);
        Assert.Contains("not answered within", refused.Message, StringComparison.Ordinal);
        client.Next(start: 5);
        Assert.Equal((WatchEventType.TargetsChanged, 5L, 1L), Told(await reader.NextAsync("the change")));
        Assert.Equal(s_second, stream.Target);
    });

    private static (WatchEventType Type, long Revision, long Version) Told(WatchEvent each) => (each.Type, each.Revision.Value, each.Count);

    private static WatchEvent Put(string key, long revision) => new() { Type = WatchEventType.Put, Key = Key.Of(key), Revision = new Revision(revision) };
}
