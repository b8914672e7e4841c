using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>Where a watch goes on that gave up its queue.</summary>
public class ParkTests
{
    [Fact]
    public void A_quiet_watch_that_parks_goes_on_behind_what_its_scope_had_passed_and_outlives_compaction()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a", queue: 2, whenSlow: SlowRule.Park);
        for (var i = 1; i <= 50; i++)
            desk.Put("/elsewhere", $"{i}");
        desk.Progress();
        desk.Ledger.Compact(new Revision(40));
        for (var i = 51; i <= 54; i++)
            desk.Put("/a", $"{i}");
        Assert.Equal((SubscriptionState.Parked, new Revision(50)), (watch.State, watch.Cursor));

        Assert.Empty(Desk.Read(watch));
        desk.ContinueReplays();
        var read = Desk.Read(watch);
        desk.ContinueReplays();
        Assert.Equal(["put /a 51 @51", "put /a 52 @52", "put /a 53 @53", "put /a 54 @54"], [.. read, .. Desk.Read(watch)]);
        desk.ContinueReplays();
        Assert.Equal(SubscriptionState.Live, watch.State);
    }

    [Fact]
    public void What_was_overtaken_in_a_revision_that_was_taken_in_fragments_is_still_counted_when_the_watch_parks()
    {
        var desk = new Desk();
        var watch = desk.Watch("prefix /", queue: 3, whenSlow: SlowRule.Latest);
        desk.Commit(("/a", "1"), ("/b", "1"), ("/c", "1"));
        desk.Put("/a", "2");
        for (var i = 0; i < 2; i++)
        {
            Assert.True(watch.TryTake(10, 1, out var items));
            Assert.IsType<WatchPart.Fragment>(Assert.Single(items.Parts));
        }

        foreach (var key in new[] { "/d", "/e", "/f" })
            desk.Put(key, "1");
        Assert.Equal(SubscriptionState.Parked, watch.State);
        Assert.Equal(1, watch.Dropped);
        Assert.Equal(["lagged 1 up to @1"], Desk.Read(watch));
        desk.ContinueReplays();
        var read = Desk.Read(watch);
        desk.ContinueReplays();
        Assert.Equal(["put /a 2 @2", "put /d 1 @3", "put /e 1 @4", "put /f 1 @5"], [.. read, .. Desk.Read(watch)]);
    }

    [Fact]
    public void What_a_parked_watch_reads_again_is_not_counted_as_dropped_twice()
    {
        var desk = new Desk();
        var watch = desk.Watch("prefix /", queue: 2, whenSlow: SlowRule.Latest);
        foreach (var key in new[] { "/a", "/b", "/a", "/c" })
            desk.Put(key, "1");
        Assert.Equal((SubscriptionState.Parked, 0L), (watch.State, watch.Dropped));
        Assert.Empty(Desk.Read(watch));
        desk.ContinueReplays();
        var (_, lagged) = (Desk.Read(watch), watch.Dropped);
        Assert.InRange(lagged, 0, 1);
    }

    [Fact]
    public void What_was_dropped_was_not_put_into_a_queue()
    {
        var desk = new Desk();
        desk.Watch("/a", queue: 2, whenSlow: SlowRule.DropNewest);
        for (var i = 0; i < 5; i++)
            desk.Put("/a", $"{i}");
        Assert.Equal(2, desk.Table.Stats.EventsOut);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void For_one_that_waits_for_its_consumer_before_it_is_live_nothing_recent_is_kept(bool snapshot)
    {
        var desk = new Desk();
        for (var i = 1; i <= 5; i++)
            desk.Put("/a", $"{i}");
        var watch = desk.Table.Subscribe(
            new WatchSpec { Target = Desk.Target("prefix /"), Snapshot = snapshot, StartAt = snapshot ? null : new Revision(1), QueueEventsMax = 2 }, desk.NowMs);
        for (var effects = desk.TakeEffects(); effects.Count > 0; effects = desk.TakeEffects())
            foreach (var effect in effects)
                if (effect is WatchEffect.ReadSnapshot read)
                    desk.Table.Snapshotted(read.Id, new SnapshotPiece(desk.Ledger.Now, [Item("/a"), Item("/b")], true), desk.NowMs);
                else
                    desk.Answer(effect);
        Assert.Equal((snapshot ? SubscriptionState.Snapshotting : SubscriptionState.CatchingUp, 0), (watch.State, watch.Feed.Joining));
        desk.Put("/a", "6");
        Assert.Null(watch.Feed.Recent);

        var words = Desk.Read(watch);
        for (var i = 0; i < 8; i++)
        {
            foreach (var effect in Continue(desk))
                desk.Table.Snapshotted(effect.Id, new SnapshotPiece(effect.Pinned!.Value, [], false), desk.NowMs);
            words.AddRange(Desk.Read(watch));
        }

        Assert.Equal((SubscriptionState.Live, "put /a 6 @6", 0), (watch.State, words[^1], watch.Feed.Joining));
        Assert.Equal(snapshot ? 5 : 6, words.Count);

        static KeyValue Item(string key) => new(Key.Of(key), default, new Revision(1), new Revision(1), 1);

        static List<WatchEffect.ReadSnapshot> Continue(Desk desk)
        {
            desk.ContinueReplays(answers: false);
            var reads = new List<WatchEffect.ReadSnapshot>();
            foreach (var effect in desk.TakeEffects())
                if (effect is WatchEffect.ReadSnapshot read)
                    reads.Add(read);
                else
                    desk.Answer(effect);
            return reads;
        }
    }

    [Fact]
    public void After_a_change_of_targets_a_parked_watch_is_given_nothing_of_the_new_ones_from_before_it()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a/1, /a/2", queue: 1, whenSlow: SlowRule.Park);
        desk.Put("/a/3", "before");
        desk.Put("/elsewhere", "x");
        desk.Progress();
        Assert.Equal(new Revision(2), desk.Table.Retarget(watch.Id, Desk.Target("/a/1, /a/3"), 1, desk.NowMs));
        desk.Put("/a/3", "behind");
        desk.Put("/a/1", "behind");
        Assert.Equal(SubscriptionState.Parked, watch.State);
        var read = Desk.Read(watch);
        for (var i = 0; i < 3; i++)
        {
            desk.ContinueReplays();
            read.AddRange(Desk.Read(watch));
        }

        Assert.Equal(["targets 1 from @2", "put /a/3 behind @3", "put /a/1 behind @4"], read);
    }
}
