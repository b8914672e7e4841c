using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>The chain rule: lost, early, repeated and oversized messages of a scope, and what progress finds.</summary>
public class RepairTests
{
    [Fact]
    public void An_early_message_waits_for_the_one_it_overtook_and_history_is_not_asked()
    {
        var (desk, watch, messages) = WithMessages(3);
        desk.Deliver(messages[2]);
        desk.Deliver(messages[1]);
        Assert.Equal(desk.NowMs + 5, desk.Table.NextDeadlineMs);
        Assert.Empty(Desk.Read(watch));
        desk.Deliver(messages[0]);
        Assert.Equal(["put /a 1 @1", "put /a 2 @2", "put /a 3 @3"], Desk.Read(watch));
        Assert.Null(desk.Table.NextDeadlineMs);
        Assert.False(desk.Table.HasEffects);
    }

    [Fact]
    public void A_lost_message_is_read_from_history_after_the_hold_time_and_what_was_held_follows()
    {
        var (desk, watch, messages) = WithMessages(4);
        desk.Deliver(messages[0]);
        desk.Deliver(messages[3]);
        desk.Table.Tick(desk.NowMs + 4);
        Assert.False(desk.Table.HasEffects);
        desk.TickDue();
        var fetch = Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects()));
        Assert.Equal((1L, 3L), (fetch.After.Value, fetch.UpTo.Value));
        desk.Answer(fetch);
        Assert.Equal(["put /a 1 @1", "put /a 2 @2", "put /a 3 @3", "put /a 4 @4"], Desk.Read(watch));
        Assert.Equal(1, desk.Table.Stats.GapsRepaired);
    }

    [Fact]
    public void A_repeated_message_is_dropped_whether_delivered_or_held()
    {
        var (desk, watch, messages) = WithMessages(2);
        foreach (var i in new[] { 1, 1, 0, 0, 1 })
            desk.Deliver(messages[i]);
        Assert.Equal(["put /a 1 @1", "put /a 2 @2"], Desk.Read(watch));
        Assert.Equal(3, desk.Table.Stats.DuplicatesDropped);
    }

    [Fact]
    public void The_missing_message_may_come_while_history_is_asked()
    {
        var (desk, watch, messages) = WithMessages(3);
        desk.Deliver(messages[2]);
        desk.TickDue();
        var fetch = Assert.Single(desk.TakeEffects());
        desk.Deliver(messages[0]);
        desk.Deliver(messages[1]);
        desk.Answer(fetch);
        Assert.Equal(3, Desk.Read(watch).Count);
        Assert.Equal(0, desk.Table.Stats.GapsRepaired);
        Assert.Null(desk.Table.NextDeadlineMs);
    }

    [Fact]
    public void A_lost_last_message_is_found_by_progress()
    {
        var (desk, watch, _) = WithMessages(1);
        desk.Progress();
        desk.TickDue();
        desk.Answer();
        Assert.Equal(["put /a 1 @1"], Desk.Read(watch));
    }

    [Fact]
    public void Progress_without_news_moves_the_cursor_of_a_quiet_scope()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        desk.Put("/b", "x");
        desk.Progress();
        Assert.False(desk.Table.HasEffects);
        desk.Table.Unsubscribe(watch.Id, EndReason.Disposed);
        Assert.Equal(["ended Disposed cursor 1"], Desk.Read(watch));
    }

    [Fact]
    public void A_message_too_large_to_travel_is_read_from_history_at_once()
    {
        var (desk, watch, messages) = WithMessages(2);
        desk.Deliver(messages[0] with { Changes = null });
        desk.Deliver(messages[1]);
        desk.Answer();
        Assert.Equal(["put /a 1 @1", "put /a 2 @2"], Desk.Read(watch));
    }

    [Fact]
    public void No_more_is_held_than_allowed_and_the_rest_comes_from_history()
    {
        var (desk, watch, messages) = WithMessages(100, new WatchTableOptions { HeldMessagesMax = 3, FetchEventsMax = 10 });
        foreach (var message in messages.Skip(1))
            desk.Deliver(message);
        Assert.Equal(3, desk.Table.Stats.MessagesHeld);
        desk.TickDue();
        desk.Answer();
        Assert.Equal(100, Desk.Read(watch).Count);
    }

    [Fact]
    public void A_short_answer_is_asked_for_again_and_a_failed_one_after_a_growing_while()
    {
        var (desk, watch, messages) = WithMessages(4);
        desk.Deliver(messages[3]);
        desk.TickDue();
        var waits = new List<long>();
        for (var i = 0; i < 10; i++)
        {
            var failed = Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects()));
            desk.Table.FetchFailed(failed.Id, desk.NowMs);
            waits.Add(desk.Table.NextDeadlineMs!.Value - desk.NowMs);
            desk.TickDue();
        }

        Assert.InRange(waits[0], 10, 20);
        Assert.InRange(waits[^1], 1000, 2000);
        var fetch = Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects()));
        desk.Table.Fetched(fetch.Id, new HistoryPiece(desk.Ledger.Truth(fetch.Scope, new Revision(0), new Revision(1)), new Revision(1), 0), desk.NowMs);
        Assert.Equal(["put /a 1 @1"], Desk.Read(watch));
        fetch = Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects()));
        Assert.Equal((1L, 3L), (fetch.After.Value, fetch.UpTo.Value));
        desk.Answer(fetch);
        Assert.Equal(["put /a 2 @2", "put /a 3 @3", "put /a 4 @4"], Desk.Read(watch));
    }

    [Fact]
    public void Where_the_gap_was_compacted_those_it_concerns_end_and_those_who_start_later_stay()
    {
        var (desk, watch, messages) = WithMessages(5);
        var later = desk.Begin("/a", startAt: 5);
        desk.Table.Registered(later.Id, desk.Ledger.Now, default, desk.Ledger.Head(Desk.ScopeOf("/a")), desk.NowMs);
        desk.TakeEffects();
        desk.Deliver(messages[0]);
        desk.Ledger.Compact(new Revision(3));
        desk.Deliver(messages[4]);
        desk.TickDue();
        desk.Answer();
        Assert.Equal(["put /a 1 @1", "ended Compacted cursor 1"], Desk.Read(watch));
        Assert.Equal(["put /a 5 @5"], Desk.Read(later));
    }

    [Fact]
    public void A_compacted_end_names_the_first_revision_that_can_be_had()
    {
        var desk = new Desk();
        for (var i = 1; i <= 5; i++)
            desk.Put("/a", "x");
        desk.Ledger.Compact(new Revision(3));
        var tooEarly = desk.Watch("/a", startAt: 3);
        Assert.True(tooEarly.TryTake(1, 1, out var items));
        Assert.Equal((EndReason.Compacted, 4L, 2L), (items.End!.Reason, items.End.FirstAvailable!.Value.Value, items.End.Cursor!.Value.Value));
        Assert.Equal(["put /a x @4", "put /a x @5"], Desk.Read(desk.Watch("/a", startAt: 4)));
    }

    [Fact]
    public void A_new_leader_learns_the_scopes_from_the_next_progress()
    {
        var desk = new Desk();
        var watches = new[] { desk.Watch("/a"), desk.Watch("prefix /a/") };
        desk.Ledger.ChangeLeader();
        desk.Put("/a", "unseen");
        desk.Put("/a/1", "unseen");
        Assert.Equal(2, desk.Table.ScopesOf(desk.Bucket).Count);
        desk.Progress();
        desk.Answer();
        desk.TickDue();
        desk.Answer();
        desk.Put("/a", "seen");
        Assert.Equal(["put /a unseen @1", "put /a seen @3"], Desk.Read(watches[0]));
        Assert.Equal(["put /a/1 unseen @2"], Desk.Read(watches[1]));
    }

    [Fact]
    public void A_scope_that_the_leader_knows_in_vain_is_unregistered_after_the_next_progress()
    {
        var desk = new Desk();
        desk.Ledger.Register(Desk.ScopeOf("/gone"));
        desk.Progress();
        desk.Answer();
        Assert.False(desk.Ledger.Watched.Any);
    }

    [Fact]
    public void Whichever_message_of_a_run_is_lost_it_is_repaired()
    {
        var total = Run(lost: null);
        Assert.True(total > 40);
        for (var lost = 0; lost < total; lost++)
            Run(lost);
    }

    private static int Run(int? lost)
    {
        var desk = new Desk();
        string[] targets = ["/a/1", "prefix /a/", "prefix /"];
        var watches = targets.Select(target => desk.Watch(target)).ToList();
        var sent = 0;
        for (var i = 0; i < 20; i++)
            foreach (var message in desk.Ledger.Commit(($"/a/{i % 3}", $"{i}"), ($"/b/{i % 2}", i % 5 == 0 ? null : "x")))
                if (sent++ != lost)
                    desk.Deliver(message);
        desk.Progress();
        desk.TickDue();
        desk.Answer();
        for (var i = 0; i < targets.Length; i++)
        {
            var expected = desk.Ledger.Truth(Desk.ScopeOf(targets[i]), default, desk.Ledger.Now).SelectMany(commit => commit.Changes).Select(change => change.Revision);
            Assert.True(watches[i].TryTake(int.MaxValue, long.MaxValue, out var items));
            Assert.True(expected.SequenceEqual(items.Commits().SelectMany(commit => commit.Changes).Select(change => change.Revision)), $"message {lost} lost: {targets[i]} differs");
        }

        return sent;
    }

    /// <summary>A watcher of /a, and the messages of that many puts, undelivered.</summary>
    private static (Desk Desk, Subscription Watch, List<ScopeMessage> Messages) WithMessages(int count, WatchTableOptions? options = null)
    {
        var desk = new Desk(options);
        var watch = desk.Watch("/a");
        var messages = Enumerable.Range(1, count).Select(i => Assert.Single(desk.Ledger.Commit(("/a", $"{i}")))).ToList();
        return (desk, watch, messages);
    }
}
