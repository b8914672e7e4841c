using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>What a watch is told about how far it is.</summary>
public class FreshnessTests
{
    [Fact]
    public void Watches_that_have_ended_do_not_wait_in_the_table_for_the_hour_at_which_they_were_to_be_told()
    {
        var desk = new Desk();
        for (var i = 0; i < 1000; i++)
        {
            var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("/a"), ProgressIntervalMs = 3_600_000 }, desk.NowMs++);
            desk.Answer();
            desk.Table.Unsubscribe(watch.Id, EndReason.ClientLost);
            desk.Answer();
        }

        Assert.InRange(desk.Table.DueEntries, 0, 32);
    }

    [Fact]
    public void On_request_a_watch_is_told_once_behind_everything_up_to_a_revision_that_is_current()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        desk.Put("/a", "1");
        desk.Put("/b", "elsewhere");
        desk.Table.AskProgress(watch.Id, desk.NowMs);
        desk.Table.AskProgress(watch.Id, desk.NowMs);
        Assert.IsType<WatchEffect.AskProgress>(Assert.Single(desk.TakeEffects()));
        desk.Progress();
        Assert.Equal((1, 49L + 2), (watch.QueuedEvents, watch.QueuedBytes));
        desk.Put("/a", "2");
        Assert.Equal(["put /a 1 @1", "put /a 2 @3", "progress @3 as of 3"], Desk.Read(watch));
        desk.Progress();
        Assert.Empty(Desk.Read(watch));
    }

    [Fact]
    public void A_question_that_was_sent_before_a_watch_asked_does_not_count()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        var ask = desk.Table.BeginProgress(desk.Bucket, desk.NowMs);
        desk.Table.AskProgress(watch.Id, desk.NowMs);
        desk.Table.Progress(ask, desk.Ledger.Answer(ask), desk.NowMs);
        Assert.Empty(Desk.Read(watch));
        desk.Progress();
        Assert.Equal(["progress @0 as of 1"], Desk.Read(watch));
    }

    [Fact]
    public void At_an_interval_a_watch_is_told_whether_or_not_anything_changed_and_a_missed_tick_is_not_made_up_for()
    {
        var desk = new Desk();
        var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("/a"), ProgressIntervalMs = 1_000 }, desk.NowMs);
        desk.Answer();
        desk.Progress();
        var gaps = new HashSet<long>();
        for (var i = 0; i < 50; i++)
        {
            var gap = desk.Table.NextDeadlineMs!.Value - desk.NowMs;
            Assert.InRange(gap, 900, 1_100);
            gaps.Add(gap);
            desk.TickDue();
            Assert.Equal(["progress @0 as of 1"], Desk.Read(watch));
        }

        Assert.True(gaps.Count > 10, "there is no jitter");
        desk.NowMs += 100_000;
        desk.Table.Tick(desk.NowMs);
        Assert.Single(Desk.Read(watch));
        Assert.InRange(desk.Table.NextDeadlineMs!.Value - desk.NowMs, 0, 1_100);
        desk.Table.Unsubscribe(watch.Id, EndReason.Disposed);
        Assert.Null(desk.Table.NextDeadlineMs);
    }

    [Fact]
    public void One_that_begins_at_a_revision_to_come_is_told_of_no_revision_that_there_is_not()
    {
        var desk = new Desk();
        var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("/a"), StartAt = new Revision(4), ProgressIntervalMs = 1_000 }, desk.NowMs);
        desk.Answer();
        for (var i = 1; i <= 4; i++)
        {
            desk.Put("/b", "elsewhere");
            desk.Progress();
            desk.TickDue();
            Assert.True(watch.TryTake(1, 100, out var items));
            Assert.Equal(new Revision(i), Assert.IsType<WatchPart.Progress>(Assert.Single(items.Parts)).Revision);
            Assert.Equal(new Revision(Math.Max(3, i)), items.Revision);
        }
    }

    [Fact]
    public void Words_that_nobody_takes_are_one_word_and_fill_no_queue()
    {
        var desk = new Desk();
        var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("/a"), ProgressIntervalMs = 100, QueueEventsMax = 1, WhenSlow = SlowRule.Cancel }, desk.NowMs);
        desk.Answer();
        for (var i = 0; i < 20; i++)
            desk.TickDue();
        desk.Put("/a", "x");
        for (var i = 0; i < 20; i++)
            desk.TickDue();
        Assert.Equal((1, SubscriptionState.Live), (watch.QueuedEvents, watch.State));
        Assert.Equal(["put /a x @1", "progress @1 as of 0"], Desk.Read(watch));
    }

    [Fact]
    public void One_that_nobody_confirms_is_told_once_that_it_is_stale_and_then_when_it_is_fresh_again()
    {
        var desk = new Desk();
        var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("/a"), StaleAfterMs = 1_000, ProgressIntervalMs = 400 }, desk.NowMs);
        desk.Answer();
        desk.Progress();
        var words = new List<string>();
        for (var until = desk.NowMs + 5_000; desk.NowMs < until; words.AddRange(Desk.Read(watch)))
            desk.TickDue();
        var stale = words.FindIndex(word => word.StartsWith("stale", StringComparison.Ordinal));
        Assert.True(stale > 0 && stale == words.Count - 1, string.Join(", ", words));
        desk.Progress();
        words.Clear();
        for (var i = 0; words.Count == 0; i++, words.AddRange(Desk.Read(watch)))
            desk.TickDue();
        Assert.Equal(["progress @0 as of 1"], words);
    }

    [Fact]
    public void One_in_whose_scope_something_is_missing_is_not_told_that_it_has_everything()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        desk.Ledger.Commit(("/a", "lost"));
        desk.Table.AskProgress(watch.Id, desk.NowMs);
        desk.TakeEffects();
        desk.Progress();
        Assert.Empty(Desk.Read(watch));
        desk.TickDue();
        desk.Answer();
        desk.Progress();
        Assert.Equal(["put /a lost @1", "progress @1 as of 2"], Desk.Read(watch));
    }
}
