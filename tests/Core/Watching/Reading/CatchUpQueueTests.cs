using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>Many that are behind are served in turn, and those who repair for everybody go first.</summary>
public class CatchUpQueueTests
{
    [Fact]
    public void Between_two_pages_of_one_watch_every_other_that_waited_gets_one()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            var options = new WatchTableOptions { FetchesInFlightMax = random.Next(1, 6), FetchEventsMax = 2 };
            var desk = new Desk(options);
            // Each of a scope of its own, so that none reads with another one.
            var count = random.Next(2, 30);
            for (var i = 0; i < 30 * count; i++)
                desk.Put($"/{i % count}", $"{i}");
            var watches = Enumerable.Range(0, count).Select(i => desk.Begin($"/{i}", startAt: 1).Id).ToList();
            foreach (var effect in desk.TakeEffects())
                desk.Answer(effect);

            var underWay = new List<(SubscriptionId Watch, WatchEffect.Fetch Fetch)>();
            var asked = 0;
            var pages = watches.ToDictionary(id => id, _ => 0);
            var joined = watches.ToDictionary(id => id, _ => 0);
            while (true)
            {
                foreach (var fetch in desk.TakeEffects().Cast<WatchEffect.Fetch>())
                {
                    var watch = watches.Single(id => desk.Table.TryGet(id, out var each) && each.Reader?.InFlight == fetch.Id);
                    Assert.True(asked - joined[watch] < watches.Count, $"seed {seed}: {asked - joined[watch]} pages were asked for while watch {watch} of {watches.Count} stood in line");
                    underWay.Add((watch, fetch));
                    asked++;
                }

                Assert.True(underWay.Count <= options.FetchesInFlightMax, $"seed {seed}: {underWay.Count} questions are under way");
                if (underWay.Count == 0)
                    break;
                var at = random.Next(underWay.Count);
                var (served, answer) = underWay[at];
                underWay.RemoveAt(at);
                joined[served] = asked;
                pages[served]++;
                AnswerShortly(desk, answer);
            }

            Assert.All(pages.Values, count => Assert.True(count > 10, $"seed {seed}: a watch got {count} pages"));
        }
    }

    [Fact]
    public void A_repair_does_not_stand_behind_watches_that_are_behind()
    {
        var desk = new Desk(new WatchTableOptions { FetchesInFlightMax = 1, FetchEventsMax = 1, HoldMs = 0 });
        var live = desk.Watch("/live");
        for (var i = 0; i < 5; i++)
            desk.Put($"/{i}", $"{i}");
        for (var i = 0; i < 5; i++)
            desk.Begin($"/{i}", startAt: 1);
        foreach (var effect in desk.TakeEffects())
            desk.Answer(effect);
        Assert.Single(desk.TakeEffects());

        desk.Ledger.Commit(("/live", "lost"));
        desk.Put("/live", "came");
        desk.TickDue();

        var repair = Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects()));
        Assert.True(repair.IsRepair);
        desk.Answer(repair);
        Assert.Equal(["put /live lost @6", "put /live came @7"], Desk.Read(live));
    }

    [Fact]
    public void Those_who_come_back_at_one_cursor_read_history_together_and_what_they_read_is_made_once()
    {
        const int Watches = 130, Revisions = 500;
        var desk = new Desk(new WatchTableOptions { FetchEventsMax = 100 });
        for (var i = 0; i < Revisions; i++)
            desk.Ledger.Commit(("/a", $"{i}"));
        var watches = Enumerable.Range(0, Watches).Select(_ => desk.Begin("/a", startAt: 1)).ToList();
        var (questions, underWay) = (0, new Queue<WatchEffect>(desk.TakeEffects()));
        for (; underWay.TryDequeue(out var effect); desk.TakeEffects().ToList().ForEach(underWay.Enqueue))
            if (effect is WatchEffect.Fetch fetch)
            {
                questions++;
                AnswerWithin(desk, fetch);
            }
            else
                desk.Answer(effect);

        // Those whose registration was answered while there was room for a question went alone; the others, at most so many together.
        var pages = Revisions / 100;
        Assert.InRange(questions, pages * Watches / CatchUpQueue.TogetherMax, pages * (4 + 1 + (Watches / CatchUpQueue.TogetherMax)));
        var commits = new HashSet<SharedCommit>(ReferenceEqualityComparer.Instance);
        foreach (var watch in watches)
        {
            Assert.Equal(SubscriptionState.Live, watch.State);
            Assert.True(watch.TryTake(Revisions, 1 << 20, out var items));
            Assert.Equal(Enumerable.Range(1, Revisions), items.Parts.Cast<WatchPart.Events>().Select(part => (int)part.Commit.Revision.Value));
            commits.UnionWith(items.Parts.Cast<WatchPart.Events>().Select(part => part.Commit));
        }

        Assert.InRange(commits.Count, Revisions, Revisions * (4 + 1 + (Watches / CatchUpQueue.TogetherMax)));
    }

    [Fact]
    public void Of_those_who_read_together_each_goes_on_at_its_own_pace_and_one_that_leaves_takes_nothing_from_the_others()
    {
        var desk = new Desk(new WatchTableOptions { FetchesInFlightMax = 1 });
        for (var i = 1; i <= 6; i++)
            desk.Put("/a", $"{i}");
        // The first one has the one place for a question until the others stand in line.
        var first = desk.Begin("/a", startAt: 1);
        var (slow, fast, gone) = (desk.Begin("/a", queue: 2, startAt: 1), desk.Begin("/a", startAt: 1), desk.Begin("/a", startAt: 1));
        foreach (var effect in desk.TakeEffects())
            desk.Answer(effect);
        desk.Answer(Assert.Single(desk.TakeEffects()));
        var together = Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects()));
        Assert.Equal(1024, together.EventsMax);
        desk.Table.Unsubscribe(gone.Id, EndReason.Disposed);
        desk.Answer(together);

        Assert.Equal((SubscriptionState.Live, SubscriptionState.Live, SubscriptionState.CatchingUp), (first.State, fast.State, slow.State));
        Assert.Equal(["put /a 1 @1", "put /a 2 @2", "put /a 3 @3", "put /a 4 @4", "put /a 5 @5", "put /a 6 @6"], Desk.Read(fast));
        var read = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            read.AddRange(Desk.Read(slow));
            desk.ContinueReplays();
        }

        Assert.Equal(["put /a 1 @1", "put /a 2 @2", "put /a 3 @3", "put /a 4 @4", "put /a 5 @5", "put /a 6 @6"], read);
        Assert.Equal(0, desk.Table.UnderWay);
    }

    [Fact]
    public void Those_who_read_together_are_all_told_that_it_failed_or_is_compacted()
    {
        var desk = new Desk(new WatchTableOptions { FetchesInFlightMax = 1 });
        for (var i = 1; i <= 6; i++)
            desk.Put("/a", $"{i}");
        var watches = Enumerable.Range(0, 4).Select(_ => desk.Begin("/a", startAt: 1)).ToList();
        foreach (var effect in desk.TakeEffects())
            desk.Answer(effect);
        desk.Answer(Assert.Single(desk.TakeEffects()));
        desk.Table.FetchFailed(Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects())).Id, desk.NowMs);
        Assert.Equal(1, desk.Table.Stats.QuestionsFailed);
        desk.TickDue();
        desk.NowMs += 100_000;
        desk.Table.Tick(desk.NowMs);
        for (var effects = desk.TakeEffects(); effects.Count > 0; effects = desk.TakeEffects())
            foreach (var effect in effects)
                desk.Table.FetchCompacted(Assert.IsType<WatchEffect.Fetch>(effect).Id, new Revision(4), desk.NowMs);
        Assert.Equal([SubscriptionState.Live, SubscriptionState.Ended, SubscriptionState.Ended, SubscriptionState.Ended], watches.Select(each => each.State));
        Assert.Equal(0, desk.Table.UnderWay);
    }

    [Fact]
    public void Who_leaves_while_it_waits_holds_up_nobody()
    {
        var desk = new Desk(new WatchTableOptions { FetchesInFlightMax = 1 });
        for (var i = 0; i < 3; i++)
            desk.Put("/a", $"{i}");
        var (first, second, third) = (desk.Begin("/a", startAt: 1), desk.Begin("/a", startAt: 1), desk.Begin("/a", startAt: 1));
        foreach (var effect in desk.TakeEffects())
            desk.Answer(effect);
        var asked = Assert.Single(desk.TakeEffects());

        desk.Table.Unsubscribe(second.Id, EndReason.Disposed);
        desk.Table.Unsubscribe(first.Id, EndReason.Disposed);
        // The question is under way all the same: the next one is asked when it ends.
        Assert.Empty(desk.TakeEffects());
        desk.Answer(asked);
        desk.Answer();

        Assert.Equal(["put /a 0 @1", "put /a 1 @2", "put /a 2 @3"], Desk.Read(third));
    }

    [Fact]
    public void Watches_that_come_and_go_let_no_more_questions_go_than_may_be_under_way()
    {
        var desk = new Desk(new WatchTableOptions { FetchesInFlightMax = 2 });
        desk.Put("/a", "1");
        var underWay = new List<WatchEffect>();
        for (var i = 0; i < 20; i++)
        {
            var watch = i % 2 == 0 ? desk.Begin("/a", startAt: 1) : desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("/a"), Snapshot = true }, desk.NowMs);
            foreach (var effect in desk.TakeEffects())
                if (effect is WatchEffect.Fetch or WatchEffect.ReadSnapshot)
                    underWay.Add(effect);
                else
                    desk.Answer(effect);
            underWay.AddRange(desk.TakeEffects().Where(effect => effect is WatchEffect.Fetch or WatchEffect.ReadSnapshot));
            desk.Table.Unsubscribe(watch.Id, EndReason.Disposed);
        }

        Assert.Equal(2, underWay.Count);
        foreach (var effect in underWay)
            if (effect is WatchEffect.ReadSnapshot read)
                desk.Table.SnapshotFailed(read.Id, desk.NowMs);
            else
                desk.Table.FetchFailed(((WatchEffect.Fetch)effect).Id, desk.NowMs);
        desk.Answer();
        Assert.Equal(0, desk.Table.UnderWay);
    }

    [Theory]
    [InlineData("glob /*/x", EventFilter.None, 64)]
    [InlineData("prefix /", EventFilter.NoPuts, 64)]
    [InlineData("prefix /", EventFilter.KeysOnly, 64)]
    public void One_with_a_small_queue_passes_by_what_it_does_not_deliver_in_large_pages(string target, EventFilter filter, int questionsMax)
    {
        var desk = new Desk();
        for (var i = 0; i < 10_000; i++)
            desk.Ledger.Commit(("/a", "1"));
        var value = new string('v', 60_000);
        for (var i = 0; i < 100; i++)
            desk.Ledger.Commit(("/a", value));
        var watch = desk.Table.Subscribe(
            new WatchSpec { Target = Desk.Target(target), Filter = filter, StartAt = new Revision(filter == EventFilter.KeysOnly ? 10_001 : 1), QueueEventsMax = filter == EventFilter.KeysOnly ? 1000 : 1, QueueBytesMax = 1 << 16 }, desk.NowMs);
        var questions = 0;
        for (var effects = desk.TakeEffects(); effects.Count > 0; effects = desk.TakeEffects())
            foreach (var effect in effects)
                if (effect is WatchEffect.Fetch fetch)
                {
                    questions++;
                    AnswerWithin(desk, fetch);
                }
                else
                    desk.Answer(effect);
        Assert.Equal(SubscriptionState.Live, watch.State);
        Assert.InRange(questions, 1, questionsMax);
    }

    [Fact]
    public void A_revision_that_comes_in_pieces_is_given_to_nobody_before_it_is_whole()
    {
        var desk = new Desk(new WatchTableOptions { HoldMs = 0 });
        var live = desk.Watch("prefix /a/");
        desk.Ledger.Commit(("/a/1", "x"), ("/a/2", "y"), ("/a/3", "z"));
        desk.Put("/a/9", "after");
        desk.TickDue();
        var skips = new List<int>();
        for (var left = 3; left > 0; left--)
        {
            var fetch = Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects()));
            skips.Add(fetch.Skip);
            var whole = desk.Ledger.Truth(fetch.Scope, fetch.After, new Revision(1))[0];
            var piece = new Commit(whole.Revision, [whole.Changes[fetch.Skip]]);
            Assert.Equal(0, live.QueuedEvents);
            desk.Table.Fetched(fetch.Id, new HistoryPiece([piece], left == 1 ? new Revision(1) : Revision.None, left - 1), desk.NowMs);
        }

        Assert.Equal([0, 1, 2], skips);
        Assert.Equal(["put /a/1 x @1", "put /a/2 y @1", "put /a/3 z @1", "put /a/9 after @2"], Desk.Read(live));
    }

    [Fact]
    public void Those_who_read_together_have_the_pieces_of_a_large_revision_together()
    {
        var desk = new Desk(new WatchTableOptions { FetchesInFlightMax = 1 });
        desk.Put("/elsewhere", "x");
        desk.Commit(("/a/1", "x"), ("/a/2", "y"), ("/a/3", "z"));
        Subscription[] watches = [desk.Begin("/elsewhere", startAt: 1), desk.Begin("prefix /a/", startAt: 1), desk.Begin("prefix /a/", startAt: 1)];
        foreach (var effect in desk.TakeEffects())
            desk.Answer(effect);
        desk.Answer(Assert.Single(desk.TakeEffects()));
        for (var skip = 0; skip < 3; skip++)
        {
            var fetch = Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects()));
            Assert.Equal(skip, fetch.Skip);
            var piece = new Commit(new Revision(2), [desk.Ledger.Truth(fetch.Scope, Revision.None, new Revision(2))[0].Changes[skip]]);
            // Who reads on alone from there has what it had, too.
            if (skip == 2)
                desk.Table.Unsubscribe(watches[1].Id, EndReason.Disposed);
            desk.Table.Fetched(fetch.Id, new HistoryPiece([piece], skip == 2 ? new Revision(2) : Revision.None, 2 - skip), desk.NowMs);
        }

        Assert.Equal(["put /a/1 x @2", "put /a/2 y @2", "put /a/3 z @2"], Desk.Read(watches[2]));
    }

    [Theory]
    [InlineData(4, 4096)]
    [InlineData(16, 1024)]
    [InlineData(64, 256)]
    public void What_is_given_out_in_one_step_is_bounded_however_many_ask_together(int together, int events)
    {
        var desk = new Desk(new WatchTableOptions { FetchesInFlightMax = 1 });
        desk.Put("/a", "x");
        desk.Put("/elsewhere", "x");
        desk.Begin("/elsewhere", startAt: 1);
        for (var i = 0; i < together; i++)
            desk.Begin("/a", queue: 100_000, startAt: 1);
        foreach (var effect in desk.TakeEffects())
            desk.Answer(effect);
        desk.Answer(Assert.Single(desk.TakeEffects()));
        Assert.Equal(events, Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects())).EventsMax);
    }

    [Fact]
    public void The_first_of_those_who_read_together_leaves_and_the_others_have_nothing_of_another_place()
    {
        var desk = new Desk(new WatchTableOptions { FetchesInFlightMax = 1 });
        desk.Commit(("/elsewhere", "x"), ("/other", "x"));
        for (var i = 2; i <= 5; i++)
            desk.Put("/a/1", $"{i}");
        desk.Commit(("/a/1", "6"), ("/a/2", "6"));
        Subscription[] watches = [desk.Begin("/elsewhere", startAt: 1), desk.Begin("prefix /a/", queue: 2, startAt: 1), desk.Begin("prefix /a/", queue: 2, startAt: 1)];
        foreach (var effect in desk.TakeEffects())
            desk.Answer(effect);
        desk.Answer(Assert.Single(desk.TakeEffects()));

        // An answer with whole revisions and a part behind them, of which neither takes more than two.
        var fetch = Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects()));
        var all = desk.Ledger.Truth(fetch.Scope, fetch.After, new Revision(6));
        desk.Table.Fetched(fetch.Id, new HistoryPiece([.. all.SkipLast(1), new Commit(all[^1].Revision, [all[^1].Changes[0]])], new Revision(5), 1), desk.NowMs);
        Assert.Equal(["put /a/1 2 @2", "put /a/1 3 @3"], Desk.Read(watches[1]));
        Assert.Equal(["put /a/1 2 @2", "put /a/1 3 @3"], Desk.Read(watches[2]));
        // Another one has the place for a question until both stand in line.
        desk.Begin("/other", startAt: 1);
        desk.Answer(Assert.Single(desk.TakeEffects()));
        var other = Assert.Single(desk.TakeEffects());
        desk.Table.Continue(watches[1].Id, desk.NowMs);
        desk.Table.Continue(watches[2].Id, desk.NowMs);
        desk.Answer(other);

        var next = Assert.IsType<WatchEffect.Fetch>(Assert.Single(desk.TakeEffects()));
        Assert.Equal((new Revision(3), 0), (next.After, next.Skip));
        desk.Table.Unsubscribe(watches[1].Id, EndReason.Disposed);
        desk.Answer(next);
        desk.Answer();
        Assert.Equal(["put /a/1 4 @4", "put /a/1 5 @5"], Desk.Read(watches[2]));
    }

    [Fact]
    public void A_consumer_that_throws_holds_up_nobody_who_stands_in_line()
    {
        var desk = new Desk(new WatchTableOptions { FetchesInFlightMax = 1 });
        desk.Put("/a", "1");
        desk.Put("/b", "2");
        var (broken, other) = (desk.Begin("/a", startAt: 1), desk.Begin("/b", startAt: 1));
        broken.Ready = static () => throw new InvalidOperationException("The consumer is broken.");
        foreach (var effect in desk.TakeEffects())
            desk.Answer(effect);
        Assert.Throws<InvalidOperationException>(() => desk.Answer(Assert.Single(desk.TakeEffects())));
        desk.Answer();
        Assert.Equal(["put /b 2 @2"], Desk.Read(other));
    }

    /// <summary>History gives as many changes and bytes as it is asked for, one revision at least.</summary>
    private static void AnswerWithin(Desk desk, WatchEffect.Fetch fetch)
    {
        var (reached, bytes) = (fetch.After, 0L);
        var commits = new List<Commit>();
        for (var at = fetch.After.Next; at <= fetch.UpTo && commits.Count < fetch.EventsMax; at = at.Next)
        {
            var commit = desk.Ledger.At(at);
            bytes += CommitSize.Of(commit.Changes).Bytes;
            if (commits.Count > 0 && bytes > fetch.BytesMax)
                break;
            commits.Add(commit);
            reached = at;
        }

        desk.Table.Fetched(fetch.Id, new HistoryPiece(commits, reached, 0), desk.NowMs);
    }

    /// <summary>History gives two events at a time.</summary>
    private static void AnswerShortly(Desk desk, WatchEffect.Fetch fetch)
    {
        var some = desk.Ledger.Truth(fetch.Scope, fetch.After, fetch.UpTo).Take(2).ToList();
        var reached = some.Count < 2 ? fetch.UpTo : some[^1].Revision;
        desk.Table.Fetched(fetch.Id, new HistoryPiece(desk.Ledger.Truth(fetch.Scope, fetch.After, reached), reached, 0), desk.NowMs);
    }
}
