using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>Where a subscription begins, and how it gets from history to live.</summary>
public class StartTests
{
    [Fact]
    public void Everything_after_the_registration_arrives_and_nothing_at_or_before_it()
    {
        var desk = new Desk();
        var first = desk.Watch("/a");
        var before = Assert.Single(desk.Ledger.Commit(("/a", "1")));
        var second = desk.Watch("/a");
        var after = Assert.Single(desk.Ledger.Commit(("/a", "2")));
        desk.Deliver(before);
        desk.Deliver(after);
        Assert.Equal(1, second.RegisteredAt!.Value.Value);
        Assert.Equal(["put /a 1 @1", "put /a 2 @2"], Desk.Read(first));
        Assert.Equal(["put /a 2 @2"], Desk.Read(second));
    }

    [Fact]
    public void Messages_that_outrun_the_answer_of_the_first_registration_are_neither_lost_nor_repeated()
    {
        var desk = new Desk();
        var watch = desk.Begin("/a");
        var register = Assert.IsType<WatchEffect.RegisterScope>(Assert.Single(desk.TakeEffects()));
        desk.Put("/a", "before");
        desk.Ledger.Register(register.Scope);
        var (now, head) = (desk.Ledger.Now, desk.Ledger.Head(register.Scope));
        desk.Put("/a", "1");
        desk.Put("/a", "2");
        desk.Table.Registered(register.Subscription, now, default, head, desk.NowMs);
        Assert.Equal(["put /a 1 @2", "put /a 2 @3"], Desk.Read(watch));
    }

    [Fact]
    public void A_gap_among_messages_that_outran_the_answer_is_repaired()
    {
        var desk = new Desk();
        var watch = desk.Begin("/a");
        var register = Assert.IsType<WatchEffect.RegisterScope>(Assert.Single(desk.TakeEffects()));
        desk.Ledger.Register(register.Scope);
        desk.Ledger.Commit(("/a", "lost"));
        desk.Put("/a", "2");
        desk.Table.Registered(register.Subscription, default, default, default, desk.NowMs);
        desk.TickDue();
        desk.Answer();
        Assert.Equal(["put /a lost @1", "put /a 2 @2"], Desk.Read(watch));
    }

    [Fact]
    public void Messages_that_outrun_the_answer_of_a_later_registration_need_no_history()
    {
        var desk = new Desk();
        desk.Watch("/a");
        var late = desk.Begin("/a");
        var register = Assert.IsType<WatchEffect.RegisterScope>(Assert.Single(desk.TakeEffects()));
        desk.Put("/a", "1");
        desk.Put("/a", "2");
        desk.Table.Registered(register.Subscription, new Revision(1), default, new Revision(1), desk.NowMs);
        Assert.False(desk.Table.HasEffects);
        Assert.Equal(["put /a 2 @2"], Desk.Read(late));
    }

    [Fact]
    public void A_start_in_the_past_is_replayed_and_then_live_without_a_seam()
    {
        var desk = new Desk();
        var other = desk.Watch("/a");
        for (var i = 1; i <= 5; i++)
            desk.Put("/a", $"{i}");
        var watch = desk.Begin("/a", startAt: 2);
        desk.Answer(Assert.Single(desk.TakeEffects()));
        var fetch = Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects()));
        desk.Put("/a", "6");
        desk.Put("/a", "7");
        Assert.Equal(7, Desk.Read(other).Count);
        desk.Answer(fetch);
        Assert.Equal(SubscriptionState.Live, watch.State);
        desk.Put("/a", "8");
        Assert.Equal(["put /a 2 @2", "put /a 3 @3", "put /a 4 @4", "put /a 5 @5", "put /a 6 @6", "put /a 7 @7", "put /a 8 @8"], Desk.Read(watch));
        Assert.False(desk.Table.HasEffects);
    }

    [Fact]
    public void A_start_in_the_future_waits()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a", startAt: 3);
        for (var i = 1; i <= 4; i++)
            desk.Put("/a", $"{i}");
        Assert.True(watch.TryTake(1, 100, out var items));
        Assert.Equal((2L, 3L), (items.Previous!.Value.Value, items.Revision!.Value.Value));
        Assert.Equal(["put /a 4 @4"], Desk.Read(watch));
    }

    [Fact]
    public void A_start_at_revision_zero_or_one_means_from_the_beginning()
    {
        var desk = new Desk();
        desk.Put("/a", "1");
        Assert.Equal(["put /a 1 @1"], Desk.Read(desk.Watch("/a", startAt: 0)));
        Assert.Equal(["put /a 1 @1"], Desk.Read(desk.Watch("/a", startAt: 1)));
    }

    [Fact]
    public void A_replay_longer_than_the_queue_goes_at_the_pace_of_its_consumer_and_is_not_canceled()
    {
        var desk = new Desk();
        var other = desk.Watch("/a");
        for (var i = 1; i <= 50; i++)
            desk.Put("/a", $"{i}");
        var watch = desk.Watch("/a", queue: 4, startAt: 1);
        Assert.Equal(4, watch.QueuedEvents);
        desk.Put("/a", "51");
        var read = new List<string>();
        for (var rounds = 0; read.Count < 51 && rounds < 100; rounds++)
        {
            read.AddRange(Desk.Read(watch));
            desk.ContinueReplays();
        }

        Assert.Equal(Enumerable.Range(1, 51).Select(i => $"put /a {i} @{i}"), read);
        Assert.Equal(SubscriptionState.Live, watch.State);
        Assert.Equal(51, Desk.Read(other).Count);
    }

    [Fact]
    public void A_replay_that_compaction_overtakes_says_so_with_its_exact_cursor()
    {
        var desk = new Desk();
        for (var i = 1; i <= 20; i++)
            desk.Put("/a", $"{i}");
        var watch = desk.Watch("/a", queue: 4, startAt: 1);
        desk.Ledger.Compact(new Revision(10));
        Assert.Equal("put /a 4 @4", Desk.Read(watch)[^1]);
        desk.ContinueReplays();
        Assert.Equal(["ended Compacted cursor 4"], Desk.Read(watch));
    }

    [Fact]
    public void A_failed_registration_is_repeated_and_the_last_answer_counts()
    {
        var desk = new Desk();
        var watch = desk.Begin("/a");
        var lost = Assert.IsType<WatchEffect.RegisterScope>(Assert.Single(desk.TakeEffects()));
        desk.Table.RegisterFailed(lost.Subscription, desk.NowMs);
        desk.Put("/a", "1");
        desk.TickDue();
        desk.Answer();
        desk.Put("/a", "2");
        Assert.Equal(["put /a 2 @2"], Desk.Read(watch));
        Assert.Null(desk.Table.NextDeadlineMs);
    }

    [Fact]
    public void One_that_ends_while_it_is_registered_leaves_nothing_behind()
    {
        var desk = new Desk();
        var watch = desk.Begin("/a");
        desk.Table.Unsubscribe(watch.Id, EndReason.Disposed);
        desk.Answer();
        Assert.False(desk.Ledger.Watched.Any);
        Assert.Equal(0, desk.Table.Stats.Scopes);
        Assert.Equal(["ended Disposed cursor "], Desk.Read(watch));
    }

    [Fact]
    public void A_start_in_the_future_is_the_cursor_of_an_end_before_it()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a", startAt: 10);
        desk.Put("/a", "1");
        desk.Table.Unsubscribe(watch.Id, EndReason.Disposed);
        Assert.Equal(["ended Disposed cursor 9"], Desk.Read(watch));
    }

    [Fact]
    public void A_start_that_was_compacted_is_refused_in_band_even_if_the_target_never_changed()
    {
        var desk = new Desk();
        for (var i = 1; i <= 5; i++)
            desk.Put("/b", "x");
        desk.Ledger.Compact(new Revision(3));
        Assert.Equal(["ended Compacted cursor 2"], Desk.Read(desk.Watch("/a", startAt: 3)));
        Assert.Empty(Desk.Read(desk.Watch("/a", startAt: 4)));
    }

    [Fact]
    public void Of_two_first_registrations_the_second_answer_needs_no_history_for_what_came_between()
    {
        var desk = new Desk();
        Subscription[] watches = [desk.Begin("/a"), desk.Begin("/a")];
        var effects = desk.TakeEffects();
        desk.Answer(effects[0]);
        desk.Put("/a", "1");
        desk.Table.Registered(watches[1].Id, default, default, default, desk.NowMs);
        Assert.False(desk.Table.HasEffects);
        Assert.All(watches, watch => Assert.Equal(["put /a 1 @1"], Desk.Read(watch)));
    }
}
