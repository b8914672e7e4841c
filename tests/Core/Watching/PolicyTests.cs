using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>What each policy does with a queue that is full, held against a list that does the same plainly.</summary>
public class PolicyTests
{
    [Fact]
    public void Dropping_the_oldest_keeps_the_newest_and_says_how_many_went()
    {
        var (desk, watch) = Full(SlowRule.DropOldest);
        Assert.Equal(["lagged 3 up to @3", "put /a/1 4 @4", "put /a/1 5 @5"], Desk.Read(watch));
        Assert.Equal((SubscriptionState.Live, 3L), (watch.State, watch.Dropped));
        desk.Put("/a/1", "6");
        Assert.Equal(["put /a/1 6 @6"], Desk.Read(watch));
    }

    [Fact]
    public void Dropping_the_newest_keeps_the_oldest_and_says_how_many_went()
    {
        var (desk, watch) = Full(SlowRule.DropNewest);
        Assert.Equal(["put /a/1 1 @1", "put /a/1 2 @2", "lagged 3 up to @5"], Desk.Read(watch));
        desk.Put("/a/1", "6");
        Assert.Equal(["put /a/1 6 @6"], Desk.Read(watch));
    }

    [Fact]
    public void Latest_keeps_the_newest_of_each_key_and_counts_what_was_overtaken()
    {
        var desk = new Desk();
        var watch = desk.Watch("prefix /a/", queue: 2, whenSlow: SlowRule.Latest);
        desk.Put("/a/1", "old");
        desk.Commit(("/a/1", "x"), ("/a/2", "x"));
        desk.Put("/a/1", "new");
        Assert.Equal(["lagged 1 up to @1", "put /a/2 x @2", "lagged 1 up to @2", "put /a/1 new @3"], Desk.Read(watch));
    }

    [Fact]
    public void Latest_looks_once_at_a_large_revision_that_another_large_one_overtakes()
    {
        const int Keys = 2_000;
        var desk = new Desk();
        var watch = desk.Watch("prefix /a/", queue: Keys + 1, queueBytes: 16 << 20, whenSlow: SlowRule.Latest);
        var (older, newer) = (Large("old"), Large("new"));
        desk.Deliver(older);
        var before = GC.GetAllocatedBytesForCurrentThread();
        desk.Deliver(newer);
        // A copy of the older revision for each key of the newer one would take 16 MB.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, 2 << 20);
        Assert.Equal((Keys, (long)Keys), (watch.QueuedEvents, watch.Dropped));
        Assert.Equal($"lagged {Keys} up to @1", Desk.Read(watch)[0]);

        ScopeMessage Large(string value) => desk.Ledger.Commit([.. Enumerable.Range(0, Keys).Select(key => ($"/a/{key}", (string?)value))])
            .Single(message => message.Scope == new Scope(ScopeKind.Prefix, Key.Of("/a/")));
    }

    [Fact]
    public void Latest_allocates_little_where_a_revision_of_one_change_overtakes_another_one()
    {
        const int Revisions = 10_000;
        var queue = new SubscriptionQueue(eventsMax: 4, bytesMax: 1 << 20, WatchRules.Kept);
        var form = new WatchForm(TargetFilter.Of(Desk.Target("prefix /a/")), EventFilter.None, PreviousValues: false);
        var commits = Enumerable.Range(1, Revisions).Select(at => new SharedCommit(new Revision(at), [Put($"/a/{at % 4}", at)], form)).ToList();
        foreach (var commit in commits.Take(100))
            Assert.True(queue.TryAdd(commit) || queue.TryCoalesce(commit));

        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var commit in commits.Skip(100))
            Assert.True(queue.TryCoalesce(commit));
        var each = (GC.GetAllocatedBytesForCurrentThread() - before) / (Revisions - 100);

        Assert.Equal((4, Revisions - 4), (queue.Events, queue.Dropped));
        // What counts the one that was overtaken, and now and then a ring without those.
        Assert.InRange(each, 1, 200);
    }

    private static Change Put(string key, long at) =>
        new() { Key = Key.Of(key), Kind = ChangeKind.Put, Revision = new Revision(at), CreateRevision = new Revision(at), Version = 1, Value = default, PreviousValue = null, CommitTimeMs = 0 };

    [Fact]
    public void Latest_parks_where_the_newest_of_each_key_do_not_fit_and_loses_none()
    {
        var desk = new Desk();
        var watch = desk.Watch("prefix /a/", queue: 2, whenSlow: SlowRule.Latest);
        for (var i = 1; i <= 6; i++)
            desk.Put($"/a/{i % 3}", $"{i}");
        Assert.Equal((SubscriptionState.Parked, 0), (watch.State, watch.QueuedEvents));
        var read = new List<string>();
        for (var i = 0; i < 10; i++)
        {
            read.AddRange(Desk.Read(watch));
            desk.ContinueReplays();
        }

        Assert.Equal(["put /a/1 4 @4", "put /a/2 5 @5", "put /a/0 6 @6"], read.Where(word => word.EndsWith("@4", StringComparison.Ordinal) || word.EndsWith("@5", StringComparison.Ordinal) || word.EndsWith("@6", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_parked_watch_holds_nothing_and_has_everything_once_its_consumer_goes_on()
    {
        var (desk, watch) = Full(SlowRule.Park);
        Assert.Equal((SubscriptionState.Parked, 0, 0L), (watch.State, watch.QueuedEvents, watch.QueuedBytes));
        Assert.False(desk.Table.HasEffects);
        var read = new List<string>();
        for (var i = 0; i < 10; i++)
        {
            read.AddRange(Desk.Read(watch));
            desk.ContinueReplays();
        }

        Assert.Equal(Enumerable.Range(1, 5).Select(i => $"put /a/1 {i} @{i}"), read);
        Assert.Equal(SubscriptionState.Live, watch.State);
    }

    [Fact]
    public void Smaller_bounds_put_what_waits_to_the_new_policy_at_once()
    {
        Assert.Equal(["lagged 2 up to @2", "put /a/1 3 @3"], Shrunk(SlowRule.DropOldest));
        Assert.Equal(["put /a/1 1 @1", "lagged 2 up to @3"], Shrunk(SlowRule.DropNewest));
        Assert.Equal(["lagged 2 up to @2", "put /a/1 3 @3"], Shrunk(SlowRule.Latest));
        Assert.Equal(["put /a/1 1 @1", "put /a/1 2 @2", "put /a/1 3 @3", "canceled  cursor 3"], Shrunk(SlowRule.Cancel));
        Assert.Empty(Shrunk(SlowRule.Park));

        static List<string> Shrunk(SlowRule rule)
        {
            var desk = new Desk();
            var watch = desk.Watch("prefix /a/", queue: 10);
            for (var i = 1; i <= 3; i++)
                desk.Put("/a/1", $"{i}");
            Assert.True(desk.Table.SetPolicy(watch.Id, rule, 1, null, desk.NowMs));
            return Desk.Read(watch);
        }
    }

    [Fact]
    public void Bounds_out_of_range_are_refused_and_change_nothing()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a", queue: 7);
        Assert.Throws<WatchRefusedException>(() => desk.Table.SetPolicy(watch.Id, SlowRule.Park, 0, null, 0));
        Assert.Throws<WatchRefusedException>(() => desk.Table.SetPolicy(watch.Id, SlowRule.Park, 1_000_001, null, 0));
        Assert.Throws<WatchRefusedException>(() => desk.Table.SetPolicy(watch.Id, SlowRule.Park, null, 0, 0));
        Assert.Equal((7, "cancel"), (watch.QueueEventsMax, watch.WhenSlow.ToString()));
        Assert.False(desk.Table.SetPolicy(new SubscriptionId(99), SlowRule.Park, 1, null, 0));
    }

    [Fact]
    public void A_revision_larger_than_a_take_comes_in_fragments_and_moves_the_cursor_with_the_last()
    {
        var desk = new Desk();
        var watch = desk.Watch("prefix /a/");
        desk.Put("/a/0", "x");
        desk.Commit(("/a/1", "x"), ("/a/2", "x"), ("/a/3", "x"));
        var cursors = new List<long>();
        var parts = new List<WatchPart>();
        while (watch.TryTake(10, 110, out var items))
        {
            cursors.Add(items.Revision!.Value.Value);
            parts.AddRange(items.Parts);
        }

        Assert.Equal([1L, 1L, 2L], cursors);
        Assert.Equal([(0, 2, false), (2, 1, true)], parts.OfType<WatchPart.Fragment>().Select(part => (part.First, part.Count, part.IsLast)));
    }

    [Fact]
    public void Parking_between_fragments_gives_up_what_follows_and_not_the_revision_that_is_being_taken()
    {
        var desk = new Desk();
        var watch = desk.Watch("prefix /a/", queue: 4, whenSlow: SlowRule.Park);
        desk.Commit(("/a/1", "x"), ("/a/2", "x"), ("/a/3", "x"));
        Assert.True(watch.TryTake(10, 60, out _));
        desk.Put("/a/4", "x");
        desk.Put("/a/5", "x");
        Assert.Equal((SubscriptionState.Parked, 3), (watch.State, watch.QueuedEvents));
        Assert.Equal(["changes 1 to 2 of @1, the last"], Desk.Read(watch));
        desk.ContinueReplays();
        Assert.Equal(["put /a/4 x @2", "put /a/5 x @3"], Desk.Read(watch));
    }

    [Fact]
    public void Dropping_is_as_a_plain_list_does_it()
    {
        for (var seed = 0; seed < 3_000; seed++)
        {
            var random = new Random(seed);
            var (dropsOldest, bound) = (random.Next(2) == 0, random.Next(1, 6));
            var desk = new Desk();
            var watch = desk.Watch("prefix /a/", queue: bound, whenSlow: dropsOldest ? SlowRule.DropOldest : SlowRule.DropNewest);
            var model = new List<(long Revision, int Events, long Lagged)>();
            for (var step = 0; step < 30; step++)
                if (random.Next(4) == 0)
                {
                    Assert.Equal(Merged(model), Desk.Read(watch).Select(word => word.StartsWith("lagged", StringComparison.Ordinal) ? word : word[word.IndexOf('@', StringComparison.Ordinal)..]));
                    model.Clear();
                }
                else
                {
                    var count = random.Next(1, 4);
                    desk.Commit([.. Enumerable.Range(0, count).Select(i => ($"/a/{i}", (string?)"x"))]);
                    Add(model, (desk.Ledger.Now.Value, count, 0), bound, dropsOldest);
                }
        }
    }

    private static void Add(List<(long Revision, int Events, long Lagged)> model, (long Revision, int Events, long Lagged) commit, int bound, bool dropsOldest)
    {
        bool Fits() => model.Sum(each => each.Events) is var waiting && (waiting == 0 || waiting + commit.Events <= bound);
        for (var i = 0; dropsOldest && !Fits(); i++)
            model[i] = (model[i].Revision, 0, model[i].Lagged + model[i].Events);
        model.Add(Fits() ? commit : (commit.Revision, 0, commit.Events));
    }

    private static List<string> Merged(List<(long Revision, int Events, long Lagged)> model)
    {
        var words = new List<string>();
        var lagged = 0L;
        for (var i = 0; i < model.Count; i++)
        {
            lagged += model[i].Lagged;
            words.AddRange(Enumerable.Repeat($"@{model[i].Revision}", model[i].Events));
            if (lagged == 0 || (i + 1 < model.Count && model[i + 1].Lagged > 0))
                continue;
            words.Add($"lagged {lagged} up to @{model[i].Revision}");
            lagged = 0;
        }

        return words;
    }

    private static (Desk Desk, Subscription Watch) Full(SlowRule rule)
    {
        var desk = new Desk();
        var watch = desk.Watch("prefix /a/", queue: 2, whenSlow: rule);
        for (var i = 1; i <= 5; i++)
            desk.Put("/a/1", $"{i}");
        return (desk, watch);
    }
}
