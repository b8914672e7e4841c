using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>What people are told about watches.</summary>
public class DescribeTests
{
    [Fact]
    public void A_watch_is_described_as_it_stands()
    {
        var desk = new Desk();
        var watch = desk.Table.Subscribe(new WatchSpec { Target = Desk.Target("prefix /a/"), Client = "me", Session = "s1", Filter = EventFilter.KeysOnly, QueueEventsMax = 2 }, 0);
        Assert.Equal((SubscriptionState.Registering, null), (One().State, One().Taken));
        desk.Answer();
        desk.Put("/a/1", "x");
        desk.Put("/a/2", "x");
        var one = One();
        Assert.Equal((watch.Id, "me", "s1", "prefix '/a/'", EventFilter.KeysOnly), (one.Id, one.Client, one.Session, one.Target.ToString(), one.Filter));
        Assert.Equal((SubscriptionState.Live, new Revision(0), new Revision(2), new Revision(2), 2, 104L, 2), (one.State, one.Taken, one.Cursor, one.Head, one.QueuedEvents, one.QueuedBytes, one.QueueEventsMax));
        desk.Put("/a/3", "x");
        desk.Progress();
        one = One();
        Assert.Equal((SubscriptionState.Parked, 3L, 0, "park"), (one.State, one.LagRevisions, one.QueuedEvents, one.WhenSlow.ToString()));
        Assert.Contains("reads history behind 0", one.Why, StringComparison.Ordinal);

        WatchDescription One() => Assert.Single(WatchTable.Describe([.. desk.Table.Subscriptions], new WatchQuestion()));
    }

    [Fact]
    public void A_question_names_the_watches_that_it_is_about_and_those_that_ended_since_are_left_out()
    {
        var desk = new Desk();
        Subscription[] watches = [desk.Watch("/a"), desk.Watch("prefix /a/"), desk.Watch("glob /a*"), desk.Watch("/b")];
        Assert.Equal([1L, 3L], Ids(new WatchQuestion { Key = Key.Of("/a") }));
        Assert.Empty(Ids(new WatchQuestion { Client = "nobody" }));
        Assert.Empty(Ids(new WatchQuestion { Bucket = new BucketId(7) }));
        desk.Put("/b", "x");
        desk.Progress();
        Assert.Equal([4L], Ids(new WatchQuestion { OnlyLagging = true }));
        desk.Table.Unsubscribe(watches[0].Id, EndReason.Disposed);
        Assert.Equal([2L, 3L, 4L], Ids(new WatchQuestion()));

        List<long> Ids(WatchQuestion question) => [.. WatchTable.Describe(watches, question).Select(each => each.Id.Value)];
    }
}
