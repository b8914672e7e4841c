using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>Other targets for a watch that runs.</summary>
public class RetargetTests
{
    [Fact]
    public void Within_its_scope_a_watch_changes_at_its_cursor_and_asks_nobody()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a/1, /a/2");
        desk.Put("/a/1", "x");
        Assert.Equal(new Revision(1), desk.Table.Retarget(watch.Id, Desk.Target("/a/2, /a/3"), 1, desk.NowMs));
        Assert.False(desk.Table.HasEffects);
        desk.Put("/a/1", "y");
        desk.Put("/a/3", "y");
        Assert.Equal(["put /a/1 x @1", "targets 1 from @1", "put /a/3 y @3"], Desk.Read(watch));
        Assert.Equal("key '/a/2' and key '/a/3'", watch.Target.ToString());
    }

    [Fact]
    public void A_wider_target_is_registered_and_replayed_from_the_cursor_on()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a/1");
        desk.Put("/a/1", "1");
        desk.Put("/b", "before the cursor of a quiet scope is known");
        Assert.Equal(new Revision(1), desk.Table.Retarget(watch.Id, Desk.Target("/a/1, /b"), 5, desk.NowMs));
        desk.Put("/b", "3");
        desk.Answer();
        desk.Put("/a/1", "4");
        Assert.Equal(["put /a/1 1 @1", "targets 5 from @1", "put /b before the cursor of a quiet scope is known @2", "put /b 3 @3", "put /a/1 4 @4"], Desk.Read(watch));
        Assert.Equal((0, 1), (desk.CountOf("/a/1"), desk.CountOf("all") + desk.CountOf("prefix /")));
        Assert.Equal(1, desk.Table.Stats.Scopes);
    }

    [Fact]
    public void A_version_that_is_not_newer_changes_nothing_and_is_answered_the_same()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a/1, /a/2");
        Assert.Equal(new Revision(0), desk.Table.Retarget(watch.Id, Desk.Target("/a/2"), 0, desk.NowMs));
        desk.Put("/a/1", "x");
        Assert.Equal(new Revision(1), desk.Table.Retarget(watch.Id, Desk.Target("/a/2"), 3, desk.NowMs));
        desk.Put("/a/2", "x");
        Assert.Equal(new Revision(1), desk.Table.Retarget(watch.Id, Desk.Target("/a/1"), 3, desk.NowMs));
        Assert.Equal(new Revision(1), desk.Table.Retarget(watch.Id, Desk.Target("/a/1"), 2, desk.NowMs));
        Assert.Equal(["put /a/1 x @1", "targets 3 from @1", "put /a/2 x @2"], Desk.Read(watch));
    }

    [Fact]
    public void A_bad_target_is_refused_and_the_watch_goes_on_as_it_was()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        var refused = Assert.Throws<WatchRefusedException>(() => desk.Table.Retarget(watch.Id, Desk.Target("prefix a"), 1, desk.NowMs));
        Assert.Equal(WatchRefusal.MalformedPrefix, refused.Code);
        desk.Put("/a", "x");
        Assert.Equal(["put /a x @1"], Desk.Read(watch));
    }

    [Fact]
    public void Before_the_start_is_known_the_new_targets_hold_from_the_start_on()
    {
        var desk = new Desk();
        var watch = desk.Begin("/a");
        Assert.Null(desk.Table.Retarget(watch.Id, Desk.Target("/b"), 1, desk.NowMs));
        desk.Put("/b", "before");
        desk.Answer();
        desk.Put("/a", "x");
        desk.Put("/b", "x");
        Assert.Equal(["targets 1 from @1", "put /b x @3"], Desk.Read(watch));
        Assert.Null(desk.Table.Retarget(new SubscriptionId(99), Desk.Target("/b"), 1, desk.NowMs));
    }

    [Fact]
    public void The_answer_about_a_scope_that_was_left_starts_nothing()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        desk.Table.Retarget(watch.Id, Desk.Target("/b"), 1, desk.NowMs);
        var first = desk.TakeEffects();
        desk.Table.Retarget(watch.Id, Desk.Target("/c"), 2, desk.NowMs);
        var second = desk.TakeEffects();
        desk.Put("/c", "1");
        foreach (var effect in first)
            desk.Answer(effect);
        Assert.Equal(SubscriptionState.Registering, watch.State);
        foreach (var effect in second)
            desk.Answer(effect);
        desk.Answer();
        Assert.Equal(["targets 2 from @0", "put /c 1 @1"], Desk.Read(watch));
        Assert.Equal(1, desk.Table.Stats.Scopes);
    }

    [Fact]
    public void A_watch_that_is_parked_changes_its_targets_and_catches_up_through_the_new_ones()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a/1, /a/2", queue: 1, whenSlow: SlowRule.Park);
        for (var i = 1; i <= 3; i++)
            desk.Put("/a/1", $"{i}");
        Assert.Equal(SubscriptionState.Parked, watch.State);
        Assert.Equal(new Revision(0), desk.Table.Retarget(watch.Id, Desk.Target("/a/2"), 1, desk.NowMs));
        desk.Put("/a/2", "x");
        Assert.Equal(["targets 1 from @0"], Desk.Read(watch));
        desk.ContinueReplays();
        Assert.Equal(["put /a/2 x @4"], Desk.Read(watch));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_watch_that_parks_behind_a_change_of_its_targets_reads_nothing_from_before_it_through_the_new_ones(bool markerIsTaken)
    {
        var desk = new Desk();
        var watch = desk.Watch("/a/1, /a/2", queue: 1, whenSlow: SlowRule.Park);
        desk.Put("/a/3", "not for the old targets");
        Assert.Equal(new Revision(1), desk.Table.Retarget(watch.Id, Desk.Target("/a/2, /a/3"), 1, desk.NowMs));
        if (markerIsTaken)
            Assert.Equal(["targets 1 from @1"], Desk.Read(watch));
        desk.Put("/a/2", "2");
        desk.Put("/a/3", "3");
        Assert.Equal(SubscriptionState.Parked, watch.State);
        Assert.Equal(markerIsTaken ? [] : ["targets 1 from @1"], Desk.Read(watch));
        desk.ContinueReplays();
        Assert.Equal(["put /a/2 2 @2"], Desk.Read(watch));
        desk.ContinueReplays();
        Assert.Equal(["put /a/3 3 @3"], Desk.Read(watch));
    }

    [Fact]
    public void A_watch_that_began_with_a_snapshot_is_given_what_the_new_targets_have_now()
    {
        var desk = new Desk();
        var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("/a/1, /a/2"), Snapshot = true }, desk.NowMs);
        Page(desk, "/a/1");
        Page(desk);
        Assert.Equal(["snapshot @0", "has /a/1", "synced @0"], Desk.Read(watch));
        desk.Table.Retarget(watch.Id, Desk.Target("/a/3"), 1, desk.NowMs);
        Page(desk, "/a/3");
        Assert.Equal(["targets 1 from @0", "resync @0", "has /a/3", "synced @0"], Desk.Read(watch));
    }

    [Fact]
    public void Amid_a_snapshot_nothing_is_said_of_how_far_the_watch_is_but_at_its_end()
    {
        var desk = new Desk();
        var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("/a/1, /a/2"), Snapshot = true }, desk.NowMs);
        Page(desk);
        Assert.Equal(["snapshot @0", "synced @0"], Desk.Read(watch));
        desk.Table.AskProgress(watch.Id, desk.NowMs);
        Page(desk);
        desk.Progress();
        desk.Table.Retarget(watch.Id, Desk.Target("/a/3"), 1, desk.NowMs);
        Page(desk, hasMore: true, "/a/3");
        Assert.Equal(["targets 1 from @0", "resync @0", "has /a/3"], Desk.Read(watch));
        desk.ContinueReplays(answers: false);
        Page(desk);
        Assert.Equal(["synced @0", "progress @0 as of 1"], Desk.Read(watch));
    }

    [Fact]
    public void A_snapshot_watch_that_goes_on_from_a_revision_reads_keys_only_where_history_lacks_it()
    {
        var desk = new Desk();
        for (var i = 1; i <= 5; i++)
            desk.Put("/a/1", $"{i}");
        desk.Ledger.Compact(new Revision(3));
        var goesOn = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("/a/1"), Snapshot = true, StartAt = new Revision(5) }, desk.NowMs);
        desk.Answer();
        Assert.Equal(["put /a/1 5 @5"], Desk.Read(goesOn));
        var resyncs = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("/a/1"), Snapshot = true, StartAt = new Revision(2) }, desk.NowMs);
        Page(desk, "/a/1");
        Assert.Equal(["resync @5", "has /a/1", "synced @5"], Desk.Read(resyncs));
    }

    [Theory]
    [InlineData("/a/1, /a/2", "/a/2")]
    [InlineData("/a/1", "/b")]
    public void A_snapshot_watch_from_a_revision_to_come_never_goes_back_behind_it(string before, string after)
    {
        var desk = new Desk();
        desk.Put("/a/1", "1");
        var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target(before), Snapshot = true, StartAt = new Revision(11) }, desk.NowMs);
        desk.Answer();
        desk.Table.Retarget(watch.Id, Desk.Target(after), 1, desk.NowMs);
        WatchEffect.ReadSnapshot? read = null;
        for (var effects = desk.TakeEffects(); effects.Count > 0; effects = desk.TakeEffects())
            foreach (var effect in effects)
                if (effect is WatchEffect.ReadSnapshot asked)
                    read = asked;
                else
                    desk.Answer(effect);
        Assert.Equal(new Revision(10), read!.AtLeast);
    }

    /// <summary>Answers what is asked, and a read of a snapshot with these keys.</summary>
    private static void Page(Desk desk, params string[] keys) => Page(desk, false, keys);

    private static void Page(Desk desk, bool hasMore, params string[] keys)
    {
        for (var effects = desk.TakeEffects(); effects.Count > 0; effects = desk.TakeEffects())
            foreach (var effect in effects)
                if (effect is WatchEffect.ReadSnapshot read)
                {
                    var items = keys.Select(key => new KeyValue(Key.Of(key), default, new Revision(1), new Revision(1), 1)).Where(item => read.Range.Contains(item.Key));
                    desk.Table.Snapshotted(read.Id, new SnapshotPiece(desk.Ledger.Now, [.. items], hasMore), desk.NowMs);
                    if (hasMore)
                        return;
                }
                else
                    desk.Answer(effect);
    }
}
