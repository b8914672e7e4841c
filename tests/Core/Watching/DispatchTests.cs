using System.Text;
using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>Which change reaches whom, and in which form.</summary>
public class DispatchTests
{
    [Fact, Trait("DE", "U08"), Trait("DE", "E02"), Trait("DE", "E16")]
    public void A_put_reaches_the_watcher_of_its_key()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        var wakes = 0;
        watch.Ready = () => wakes++;
        desk.Put("/a", "1");
        Assert.Equal(1, wakes);
        Assert.Equal(["put /a 1 @1"], Desk.Read(watch));
    }

    [Fact, Trait("DE", "U09"), Trait("DE", "U13"), Trait("DE", "E18")]
    public void A_change_of_another_key_is_not_seen()
    {
        var desk = new Desk();
        var (first, second) = (desk.Watch("/key1"), desk.Watch("/key2"));
        desk.Put("/key1", "1");
        Assert.Single(Desk.Read(first));
        Assert.Empty(Desk.Read(second));
    }

    [Fact, Trait("DE", "U10"), Trait("DE", "E07")]
    public void Three_watchers_of_a_key_get_the_very_same_change()
    {
        var desk = new Desk();
        var watches = Enumerable.Range(0, 3).Select(_ => desk.Watch("/a")).ToList();
        desk.Put("/a", "1");
        var changes = watches.Select(watch => watch.TryTake(10, 10, out var items) ? items.Commits()[0].Changes[0] : null).ToList();
        Assert.NotNull(changes[0]);
        Assert.All(changes, change => Assert.Same(changes[0], change));
    }

    [Fact, Trait("DE", "U11"), Trait("DE", "U12"), Trait("DE", "E05"), Trait("DE", "E08"), Trait("DE", "E17")]
    public void Puts_and_the_delete_arrive_in_their_order_and_a_delete_has_no_value()
    {
        var desk = new Desk();
        var watch = desk.Watch("/a");
        desk.Put("/a", "v1");
        desk.Put("/a", "v2");
        desk.Delete("/a");
        Assert.Equal(["put /a v1 @1", "put /a v2 @2", "delete /a @3"], Desk.Read(watch));
    }

    [Fact, Trait("DE", "U14"), Trait("DE", "E12")]
    public void An_event_shows_the_revision_that_made_it()
    {
        var desk = new Desk();
        for (var i = 1; i < 42; i++)
            desk.Put("/other", "x");
        var watch = desk.Watch("/a");
        desk.Put("/a", "1");
        Assert.True(watch.TryTake(1, 1, out var items));
        Assert.Equal((41L, 42L, 42L), (items.Previous!.Value.Value, items.Commits()[0].Revision.Value, items.Commits()[0].Changes[0].Revision.Value));
    }

    [Theory, Trait("DE", "U25"), Trait("DE", "U26"), Trait("DE", "U27"), Trait("DE", "U28")]
    [InlineData("/config/db/host", "/", "/config/", "/config/db/")]
    [InlineData("/", "/")]
    [InlineData("/config", "/")]
    [InlineData("/config/", "/", "/config/")]
    public void A_key_has_the_prefixes_that_end_at_its_slashes(string key, params string[] prefixes)
    {
        var scopes = new List<string>();
        foreach (var scope in Scope.Of(Key.Of(key)))
            if (scope.Kind == ScopeKind.Prefix && scope != Scope.Bucket)
                scopes.Add(scope.Text.ToString());
        Assert.Equal(prefixes, scopes);
    }

    [Theory]
    [Trait("DE", "U29"), Trait("DE", "U30"), Trait("DE", "U31"), Trait("DE", "U32"), Trait("DE", "U33"), Trait("DE", "E10")]
    [InlineData("/config/", "/config/db/host", true)]
    [InlineData("/config/", "/config/", true)]
    [InlineData("/config/", "/dns/xyz", false)]
    [InlineData("/config/", "/config", false)]
    [InlineData("/config/", "/configx/a", false)]
    [InlineData("/", "/services/api", true)]
    [InlineData("/", "/", true)]
    [InlineData("/", "a/b", false)]
    public void A_prefix_watcher_sees_the_keys_below_it_and_the_key_equal_to_it(string prefix, string key, bool isSeen)
    {
        var desk = new Desk();
        var watch = desk.Watch($"prefix {prefix}");
        desk.Put(key, "1");
        Assert.Equal(isSeen ? [$"put {key} 1 @1"] : [], Desk.Read(watch));
    }

    [Fact, Trait("DE", "U34"), Trait("DE", "E09"), Trait("DE", "E11")]
    public void Watchers_of_the_key_and_of_every_prefix_above_it_each_get_a_change_once()
    {
        var desk = new Desk();
        var watches = new[] { "/a/b/c", "prefix /a/b/", "prefix /a/", "prefix /" }.Select(target => desk.Watch(target)).ToList();
        desk.Put("/a/b/c", "1");
        Assert.All(watches, watch => Assert.Equal(["put /a/b/c 1 @1"], Desk.Read(watch)));
    }

    [Fact, Trait("DE", "E06"), Trait("DE", "E13")]
    public void A_watcher_that_follows_one_that_left_sees_new_changes_only()
    {
        var desk = new Desk();
        var first = desk.Watch("prefix /a/");
        desk.Put("/a/1", "old");
        desk.Table.Unsubscribe(first.Id, EndReason.Disposed);
        var second = desk.Watch("prefix /a/");
        desk.Put("/a/2", "new");
        Assert.Equal(["put /a/2 new @2"], Desk.Read(second));
    }

    [Fact, Trait("DE", "U41"), Trait("DE", "U42"), Trait("DE", "U43")]
    public void Each_watcher_sees_previous_values_in_the_form_it_asked_for()
    {
        var desk = new Desk();
        var (with, without) = (desk.Watch("/a", previous: true), desk.Watch("/a"));
        desk.Put("/a", "");
        desk.Put("/a", "new");
        desk.Delete("/a");
        Assert.Equal(["DidNotExist ''", "Value ''", "Value 'new'"], Previous(with));
        Assert.Equal(["NotAsked ''", "NotAsked ''", "NotAsked ''"], Previous(without));

        static List<string> Previous(Subscription watch)
        {
            Assert.True(watch.TryTake(10, 1000, out var items));
            return [.. items.Commits().Select(commit => commit.Form.PreviousOf(commit.Changes[0])).Select(each => $"{each.State} '{Desk.Text(each.Value)}'")];
        }
    }

    [Fact]
    public void Keys_that_are_no_text_are_matched_byte_for_byte()
    {
        var desk = new Desk();
        var watch = desk.Table.Subscribe(new WatchSpec { Target = WatchTarget.Key(Key.Of([0xFF, 0x00])) }, 0);
        desk.Answer();
        Assert.True(desk.Ledger.Watched.IsWatched(ScopeKind.Key, [0xFF, 0x00]));
        Assert.False(desk.Ledger.Watched.IsWatched(ScopeKind.Key, [0xFF]));
        Assert.False(desk.Ledger.Watched.IsWatched(ScopeKind.Prefix, [0xFF, 0x00]));
        Assert.Equal(0, watch.QueuedEvents);
    }

    [Fact]
    public void A_transaction_arrives_whole_however_little_the_consumer_takes()
    {
        var desk = new Desk();
        var watch = desk.Watch("prefix /a/");
        desk.Commit(("/a/1", "1"), ("/b", "x"), ("/a/2", "2"));
        desk.Put("/a/3", "3");
        Assert.True(watch.TryTake(1, long.MaxValue, out var items));
        Assert.Equal(["/a/1", "/a/2"], items.Commits().Single().Changes.Select(change => change.Key.ToString()));
        Assert.True(watch.TryTake(1, long.MaxValue, out items));
        Assert.Equal((1L, 2L), (items.Previous!.Value.Value, items.Revision!.Value.Value));
        Assert.False(watch.TryTake(1, long.MaxValue, out _));
    }

    [Fact]
    public void A_deleted_bucket_ends_its_watchers_and_no_others()
    {
        var desk = new Desk();
        var (here, there) = (desk.Watch("/a"), desk.Table.Subscribe(new WatchSpec { Bucket = new BucketId(2), Target = Desk.Target("/a") }, 0));
        desk.Answer();
        desk.Put("/a", "1");
        desk.Table.BucketDeleted(desk.Bucket);
        desk.Table.BucketDeleted(desk.Bucket);
        Assert.Equal(["put /a 1 @1", "ended BucketDeleted cursor 1"], Desk.Read(here));
        Assert.Equal(SubscriptionState.Live, there.State);
        Assert.Equal([new BucketId(2)], desk.Table.Buckets);
        Assert.Empty(desk.TakeEffects());
    }
}
