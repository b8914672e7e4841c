using Watch.Core;
using Watch.Core.Watching;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Watching;

/// <summary>A watch that begins with the keys as they are: nothing is missing between them and what follows, and past a compaction it begins so again.</summary>
public class SnapshotTests(ITestOutputHelper output)
{
    private const int Seeds = 400;

    [Fact]
    public void Under_every_seed_a_snapshot_and_what_follows_are_the_store_at_every_revision()
    {
        var (synced, resynced, restarted) = (0, 0, 0);
        for (var seed = 0; seed < Seeds; seed++)
        {
            var run = new SnapshotRun(seed, WatchRules.Kept);
            run.Play();
            (synced, resynced, restarted) = (synced + run.Synced, resynced + run.Resynced, restarted + run.Restarted);
        }

        output.WriteLine($"{synced} snapshots, {resynced} of them in place of history, {restarted} begun anew");
        Assert.True(synced > Seeds && resynced > Seeds / 10 && restarted > Seeds / 10, $"the runs hardly did anything: {synced}, {resynced}, {restarted}");
    }

    [Theory]
    [InlineData(typeof(UnpinnedPages))]
    [InlineData(typeof(SyncedTooEarly))]
    [InlineData(typeof(LiveTooEarly))]
    public void A_broken_rule_is_noticed(Type rule)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            try
            {
                new SnapshotRun(seed, (WatchRules)Activator.CreateInstance(rule)!).Play();
            }
            catch (BrokenPromiseException caught)
            {
                output.WriteLine($"{rule.Name} is caught by seed {seed}: {caught.Message}");
                return;
            }
        }

        Assert.Fail($"{rule.Name} passed {Seeds} seeds");
    }

    [Fact]
    public void The_first_page_is_asked_for_when_the_registration_is_answered_and_names_its_revision()
    {
        var desk = new Desk();
        desk.Put("/a/1", "x");
        var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("prefix /a/"), Snapshot = true }, desk.NowMs);
        var register = Assert.IsType<WatchEffect.RegisterScope>(Assert.Single(desk.TakeEffects()));
        desk.Answer(register);
        var read = Assert.IsType<WatchEffect.ReadSnapshot>(Assert.Single(desk.TakeEffects()));
        Assert.Equal((new Revision(1), null, null), (read.AtLeast, read.Pinned, read.After));

        // A replica that is behind is not what was asked for.
        desk.Table.Snapshotted(read.Id, new SnapshotPiece(Revision.None, [], false), desk.NowMs);
        Assert.Equal(0, watch.QueuedEvents);
        desk.TickDue();
        var again = Assert.IsType<WatchEffect.ReadSnapshot>(Assert.Single(desk.TakeEffects()));
        Assert.Equal((new Revision(1), 1), (again.AtLeast, again.Attempt));
    }

    [Fact]
    public void A_page_that_says_there_is_more_and_brings_none_of_it_is_asked_for_again_and_ends_no_range()
    {
        var desk = new Desk();
        desk.Put("/a/1", "x");
        var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("prefix /a/"), Snapshot = true }, desk.NowMs);
        desk.Answer(Assert.Single(desk.TakeEffects()));
        var read = Assert.IsType<WatchEffect.ReadSnapshot>(Assert.Single(desk.TakeEffects()));
        desk.Table.Snapshotted(read.Id, new SnapshotPiece(new Revision(1), [], true), desk.NowMs);
        desk.TickDue();
        var again = Assert.IsType<WatchEffect.ReadSnapshot>(Assert.Single(desk.TakeEffects()));
        Assert.Equal((read.Range, read.After, 1), (again.Range, again.After, again.Attempt));
        desk.Table.Snapshotted(again.Id, SnapshotRun.Page(desk.Ledger, again, 10), desk.NowMs);
        Assert.True(watch.TryTake(100, long.MaxValue, out var items));
        Assert.Equal(["/a/1"], items.Parts.OfType<WatchPart.SnapshotItems>().SelectMany(part => part.Page.Items).Select(item => item.Key.ToString()));
    }

    [Fact]
    public void A_snapshot_that_is_compacted_again_and_again_ends_the_watch_and_says_so()
    {
        var desk = new Desk(new WatchTableOptions { FetchEventsMax = 1 });
        desk.Commit(("/a/1", "x"), ("/a/2", "y"));
        var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("prefix /a/"), Snapshot = true }, desk.NowMs);
        desk.Answer(Assert.Single(desk.TakeEffects()));
        for (var round = 0; round <= WatchTable.SnapshotRestartsMax; round++)
        {
            var first = Assert.IsType<WatchEffect.ReadSnapshot>(Assert.Single(desk.TakeEffects()));
            Assert.Null(first.Pinned);
            desk.Table.Snapshotted(first.Id, SnapshotRun.Page(desk.Ledger, first, 1), desk.NowMs);
            var second = Assert.IsType<WatchEffect.ReadSnapshot>(Assert.Single(desk.TakeEffects()));
            Assert.Equal(desk.Ledger.Now, second.Pinned);
            desk.Put("/b", "z");
            desk.Table.SnapshotCompacted(second.Id, desk.Ledger.Now, desk.NowMs);
        }

        var parts = new List<WatchPart>();
        EndNotice? end = null;
        while (watch.TryTake(100, long.MaxValue, out var items))
        {
            parts.AddRange(items.Parts);
            end = items.End;
        }

        Assert.Equal(4, parts.OfType<WatchPart.SnapshotBegins>().Count());
        Assert.Empty(parts.OfType<WatchPart.Synced>());
        Assert.Equal((EndReason.Compacted, desk.Ledger.Now.Next), (end!.Reason, end.FirstAvailable));
        Assert.Contains("began its snapshot 4 times", end.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_leaves_during_its_snapshot_leaves_nothing_behind()
    {
        var desk = new Desk();
        var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("prefix /a/"), Snapshot = true }, desk.NowMs);
        desk.Answer(Assert.Single(desk.TakeEffects()));
        var read = Assert.IsType<WatchEffect.ReadSnapshot>(Assert.Single(desk.TakeEffects()));
        desk.Table.Unsubscribe(watch.Id, EndReason.Disposed);
        desk.Table.Snapshotted(read.Id, new SnapshotPiece(Revision.None, [], false), desk.NowMs);
        Assert.Null(desk.Table.NextDeadlineMs);
        Assert.Equal((0, 0), (desk.Table.Stats.Subscriptions, desk.Table.Stats.Scopes));
    }

    private sealed class UnpinnedPages : WatchRules
    {
        public override bool PinsSnapshots => false;
    }

    private sealed class SyncedTooEarly : WatchRules
    {
        public override bool SyncsAfterLastPage => false;
    }

    private sealed class LiveTooEarly : WatchRules
    {
        public override bool MayGoLive(Revision cursor, Revision lastChange) => true;
    }
}
