using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>The bounded queue, its reserved slot, and the policy Cancel.</summary>
public class SlowTests
{
    [Fact, Trait("DE", "U15"), Trait("DE", "U18")]
    public void An_unread_queue_of_two_ends_with_two_puts_and_the_notice()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a", queue: 2);
        for (var i = 1; i <= 4; i++)
            desk.Put("/a", $"v{i}");
        Assert.Equal(["put /a v1 @1", "put /a v2 @2", "canceled /a cursor 2"], Desk.Read(watch));
        Assert.Empty(Desk.Read(watch));
    }

    [Fact, Trait("DE", "U16"), Trait("DE", "U17"), Trait("DE", "U19")]
    public void The_notice_takes_the_reserved_slot_and_the_watcher_leaves_at_once()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a", queue: 1);
        desk.Put("/a", "v1");
        desk.Put("/a", "v2");
        Assert.Equal(0, desk.CountOf("/a"));
        Assert.Equal(SubscriptionState.Ended, watch.State);
        Assert.True(watch.TryTake(1, 1, out var first));
        Assert.Null(first.End);
        Assert.True(watch.TryTake(1, 1, out var last));
        Assert.Empty(last.Parts);
        Assert.Equal((EndReason.Slow, "/a", 1L), (last.End!.Reason, last.End.Key.ToString(), last.End.Cursor!.Value.Value));
        Assert.Contains("did not fit into its queue of 1 events", last.End.Message, StringComparison.Ordinal);
        Assert.False(watch.TryTake(1, 1, out _));
        Assert.Equal(1, desk.Table.Stats.Ended[EndReason.Slow]);
    }

    [Fact, Trait("DE", "U20")]
    public void Events_after_the_end_reach_nobody_and_break_nothing()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a", queue: 1);
        for (var i = 0; i < 7; i++)
            desk.Put("/a", "x");
        Assert.Equal(2, Desk.Read(watch).Count);
        Assert.Equal((0, 0), (desk.Table.Stats.Subscriptions, desk.Table.Stats.Scopes));
        Assert.Equal(5, desk.Table.Stats.UnwatchedDropped);
    }

    [Fact, Trait("DE", "U21")]
    public void One_whose_client_is_lost_is_removed_without_a_cancel()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a", queue: 1);
        desk.Table.Unsubscribe(watch.Id, EndReason.ClientLost);
        desk.Put("/a", "1");
        desk.Put("/a", "2");
        Assert.Equal(["ended ClientLost cursor 0"], Desk.Read(watch));
    }

    [Fact, Trait("DE", "U22")]
    public void A_slow_watcher_ends_alone()
    {
        var desk = new Desk();
        var (slow, fast) = (desk.Watch("/a", queue: 2), desk.Watch("/a", queue: 2));
        var read = new List<string>();
        for (var i = 1; i <= 4; i++)
        {
            desk.Put("/a", $"v{i}");
            read.AddRange(Desk.Read(fast));
        }

        Assert.Equal("canceled /a cursor 2", Desk.Read(slow)[^1]);
        Assert.Equal(["put /a v1 @1", "put /a v2 @2", "put /a v3 @3", "put /a v4 @4"], read);
        Assert.Equal(1, desk.CountOf("/a"));
    }

    [Fact, Trait("DE", "U23")]
    public void One_that_always_drains_is_never_canceled()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a", queue: 2);
        for (var i = 1; i <= 20; i++)
        {
            desk.Put("/a", "x");
            Assert.Equal([$"put /a x @{i}"], Desk.Read(watch));
        }

        Assert.Equal(1, desk.CountOf("/a"));
    }

    [Fact, Trait("DE", "U24"), Trait("DE", "U16")]
    public void A_slow_prefix_watcher_is_told_the_child_that_did_not_fit()
    {
        var desk = new Desk();
        var watch = desk.Watch("prefix /a/", queue: 1);
        desk.Put("/a/1", "x");
        desk.Put("/b", "moves the revision only");
        desk.Put("/a/2", "x");
        Assert.Equal(["put /a/1 x @1", "canceled /a/2 cursor 1"], Desk.Read(watch));
    }

    [Fact]
    public void A_revision_larger_than_the_queue_is_admitted_when_the_queue_is_empty_and_never_split()
    {
        var desk = new Desk();
        var (byEvents, byBytes) = (desk.Watch("prefix /a/", queue: 2), desk.Watch("prefix /a/", queueBytes: 3));
        desk.Commit(("/a/1", "x"), ("/a/2", "x"), ("/a/3", "x"));
        Assert.Equal(3, Desk.Read(byEvents).Count);
        Assert.Equal(3, Desk.Read(byBytes).Count);
        desk.Put("/a/1", "y");
        desk.Commit(("/a/1", "x"), ("/a/2", "x"));
        Assert.Equal(["put /a/1 y @2", "canceled /a/1 cursor 2"], Desk.Read(byEvents));
        Assert.Equal(["put /a/1 y @2", "canceled /a/1 cursor 2"], Desk.Read(byBytes));
    }

    [Fact]
    public void Previous_values_count_only_for_those_who_asked()
    {
        var desk = new Desk();
        desk.Put("/a", new string('x', 100));
        var (with, without) = (desk.Watch("/a", previous: true), desk.Watch("/a"));
        desk.Put("/a", "1");
        Assert.Equal((151L, 51L), (with.QueuedBytes, without.QueuedBytes));
    }

    [Fact]
    public void A_queue_holds_no_value_that_it_does_not_count()
    {
        var desk = new Desk();
        desk.Put("/a", new string('x', 100));
        var keys = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("/a"), Filter = EventFilter.KeysOnly }, desk.NowMs);
        var changed = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("/a"), Filter = EventFilter.OnlyChangedValue }, desk.NowMs);
        var both = desk.Watch("/a", previous: true);
        desk.Put("/a", "new");
        desk.Put("/a", "new");
        Assert.Equal([(0, null), (0, null)], Held(keys));
        Assert.Equal([(3, null)], Held(changed));
        Assert.Equal([(3, 100), (3, 3)], Held(both));

        static List<(int, int?)> Held(Subscription watch)
        {
            var held = new List<(int, int?)>();
            while (watch.TryTake(1, long.MaxValue, out var items))
                held.AddRange(items.Parts.OfType<WatchPart.Events>().SelectMany(part => part.Commit.Changes).Select(change => (change.Value.Length, change.PreviousValue?.Length)));
            return held;
        }
    }

    [Fact]
    public void The_cursor_of_an_end_resumes_without_a_gap_or_a_repetition()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a", queue: 2);
        for (var i = 1; i <= 5; i++)
            desk.Put("/a", $"v{i}");
        Assert.Equal("canceled /a cursor 2", Desk.Read(watch)[^1]);
        Assert.Equal(["put /a v3 @3", "put /a v4 @4", "put /a v5 @5"], Desk.Read(desk.Watch("/a", startAt: 3)));
    }

    [Fact]
    public void Ready_is_called_at_once_when_there_is_something_already()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        desk.Put("/a", "1");
        var wakes = 0;
        watch.Ready = () => wakes++;
        desk.Put("/a", "2");
        Assert.Equal(1, wakes);
        Desk.Read(watch);
        desk.Table.Unsubscribe(watch.Id, EndReason.Disposed);
        Assert.Equal(2, wakes);
    }
}
