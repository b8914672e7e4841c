using Watch.Client;
using Watch.Core;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>Changes of target that are mistakes, come late, or fail: the watch goes on, and the caller is told what became of them.</summary>
public sealed class ChangeMistakesTests
{
    private static readonly WatchTarget s_old = WatchTarget.Key("/old");
    private static readonly WatchTarget s_new = WatchTarget.Key("/new");
    private readonly ManualTime _time = new();
    private readonly ScriptedClient _client;

    public ChangeMistakesTests() => _client = new ScriptedClient(_time, options: new WatchClientOptions { CallTimeout = TimeSpan.FromSeconds(10) });

    private ScriptedFeed Feed => _client.Feeds[^1];

    [Fact]
    public Task A_target_that_no_server_takes_is_refused_at_once_also_while_none_can_be_asked() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(s_old);
        var asked = 0;
        Feed.OnRetarget = (_, _) =>
        {
            asked++;
            throw new WatchException(WatchErrorCode.Unavailable, "Nobody answers.");
        };
        foreach (var (bad, code) in new[]
        {
            (WatchTarget.Prefix("bad"), WatchErrorCode.InvalidPrefix),
            (WatchTarget.Key(""), WatchErrorCode.InvalidKey),
            (WatchTarget.Range("/b", "/a"), WatchErrorCode.InvalidTarget),
            (WatchTarget.Several(), WatchErrorCode.InvalidTarget),
            (s_old with { End = Key.Of("/z") }, WatchErrorCode.InvalidTarget),
        })
        {
            var change = stream.ChangeTargetAsync(bad);
            Assert.True(change.IsCompleted, $"{bad} was not refused at once");
            Assert.Equal(code, (await Assert.ThrowsAsync<WatchException>(() => change)).Code);
        }

        Assert.Equal((0, s_old), (asked, stream.Target));
    });

    [Fact]
    public Task A_change_by_a_token_that_is_canceled_already_changes_nothing() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(s_old);
        var asked = 0;
        Feed.OnRetarget = (_, version) =>
        {
            asked++;
            return Task.FromResult(new RetargetReply(new Revision(3), version, 1));
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stream.ChangeTargetAsync(s_new, new CancellationToken(canceled: true)));
        Assert.Equal((0, s_old), (asked, stream.Target));
    });

    [Fact]
    public Task What_the_reader_decided_while_nobody_answered_is_what_the_caller_is_told_when_its_time_is_over() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(s_old);
        var events = stream.Record();
        Feed.Put("/old", 5);
        Feed.OnRetarget = (_, _) => throw new WatchException(WatchErrorCode.Unavailable, "Nobody answers.");
        var changing = stream.ChangeTargetAsync(s_new);
        // The caller looks again after 6.3 seconds and then after 11.3, when its time is over.
        await _time.PassAsync(TimeSpan.FromSeconds(7));
        Feed.Lose();
        await _time.PassAsync(TimeSpan.FromSeconds(2));
        Assert.Equal((WatchEventType.TargetsChanged, new Revision(5)), (events[^1].Type, events[^1].Revision));
        Assert.False(changing.IsCompleted, "the caller looked before: nothing was shown");
        await _time.PassAsync(TimeSpan.FromSeconds(1.5));

        Assert.True(changing.IsCompleted, "the caller waits for longer than a call may take");
        Assert.Equal(new Revision(5), await changing);
    });

    [Fact]
    public Task A_change_that_fails_as_nobody_expects_does_not_hold_up_the_next_one() => TwoNodes.InTurnsAsync(async () =>
    {
        await using var stream = await _client.WatchAsync(s_old);
        var events = stream.Record();
        Feed.OnRetarget = (_, _) => throw new InvalidOperationException("Nobody expects this.");
        await Assert.ThrowsAsync<InvalidOperationException>(() => stream.ChangeTargetAsync(s_new));
        var third = WatchTarget.Key("/third");
        var second = stream.ChangeTargetAsync(third);
        await _time.PassAsync(TimeSpan.FromSeconds(3));

        Assert.True(second.IsCompleted, "the next change waits for the one that failed");
        // Both take effect where the reader is.
        Assert.Equal(Revision.None, await second);
        Assert.Equal([(WatchEventType.TargetsChanged, 1L), (WatchEventType.TargetsChanged, 2L)], events.Select(each => (each.Type, each.Count)));
        Assert.Equal(third, _client.Requests[^1].Target);
    });

    [Fact]
    public void A_refusal_that_comes_after_a_change_was_decided_does_not_take_it_from_the_reader()
    {
        var changes = new TargetChanges();
        var change = changes.Tell(s_new);
        Assert.Same(change, changes.DueAt(new Revision(5), beginsAnew: false));
        changes.Refused(change);
        Assert.Same(change, changes.Met(change.Version, new Revision(5)));

        var refused = changes.Tell(s_old);
        changes.Refused(refused);
        Assert.Null(changes.Last);
    }
}
