using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>Who is in the table, and what is refused at its door.</summary>
public class RegistrationTests
{
    [Fact, Trait("DE", "U01")]
    public void One_watcher_of_a_key_counts_one_watcher_and_one_scope()
    {
        var desk = new Desk();
        desk.Watch("/a");
        Assert.Equal(1, desk.CountOf("/a"));
        Assert.Equal((1, 1), (desk.Table.Stats.Subscriptions, desk.Table.Stats.Scopes));
    }

    [Fact, Trait("DE", "U02")]
    public void Three_watchers_of_a_key_share_one_scope()
    {
        var desk = new Desk();
        for (var i = 0; i < 3; i++)
            desk.Watch("/a");
        Assert.Equal((3, 1), (desk.Table.Stats.Subscriptions, desk.Table.Stats.Scopes));
        Assert.Equal([Ledger.Silo], desk.Ledger.Watched.Silos(Desk.ScopeOf("/a")));
    }

    [Theory, Trait("DE", "U03"), Trait("DE", "U36")]
    [InlineData("/a")]
    [InlineData("prefix /a/")]
    public void When_the_last_watcher_leaves_the_counts_are_zero_and_the_leader_is_told(string target)
    {
        var desk = new Desk();
        var watch = desk.Watch(target);
        Assert.True(desk.Table.Unsubscribe(watch.Id, EndReason.Disposed));
        Assert.False(desk.Table.Unsubscribe(watch.Id, EndReason.Disposed));
        desk.Answer();
        Assert.Equal((0, 0), (desk.Table.Stats.Subscriptions, desk.Table.Stats.Scopes));
        Assert.False(desk.Ledger.Watched.Any);
        Assert.Equal(["ended Disposed cursor 0"], Desk.Read(watch));
    }

    [Fact, Trait("DE", "U04")]
    public void When_one_of_three_leaves_two_remain_and_the_scope_stays_registered()
    {
        var desk = new Desk();
        Subscription[] watches = [desk.Watch("/a"), desk.Watch("/a"), desk.Watch("/a")];
        desk.Table.Unsubscribe(watches[0].Id, EndReason.Disposed);
        Assert.Empty(desk.TakeEffects());
        desk.Put("/a", "1");
        Assert.Equal(2, desk.CountOf("/a"));
        Assert.Equal(["put /a 1 @1"], Desk.Read(watches[2]));
    }

    [Fact, Trait("DE", "U05")]
    public void Watchers_that_come_and_go_from_many_threads_leave_nothing_behind()
    {
        var desk = new Desk();
        Parallel.For(0, 10, _ =>
        {
            for (var i = 0; i < 50; i++)
            {
                Subscription watch;
                lock (desk)
                    watch = desk.Watch("/a");
                lock (desk)
                    desk.Put("/a", "1");
                lock (desk)
                    desk.Table.Unsubscribe(watch.Id, EndReason.Disposed);
                Assert.Contains("ended Disposed", Desk.Read(watch)[^1], StringComparison.Ordinal);
            }
        });
        desk.Answer();
        Assert.Equal((0, 0), (desk.Table.Stats.Subscriptions, desk.Table.Stats.Scopes));
        Assert.False(desk.Ledger.Watched.Any);
        Assert.Null(desk.Table.NextDeadlineMs);
    }

    [Fact, Trait("DE", "U06")]
    public void A_watcher_stays_until_someone_ends_it_whether_or_not_it_reads()
    {
        var desk = new Desk();
        desk.Watch("/a").Ready = null;
        desk.Put("/b", "1");
        desk.Progress();
        desk.Answer();
        Assert.Equal(1, desk.CountOf("/a"));
    }

    [Fact, Trait("DE", "U07")]
    public void When_the_silo_stops_every_watcher_is_told_and_new_ones_are_refused()
    {
        var desk = new Desk();
        Subscription[] watches = [desk.Watch("/a"), desk.Watch("prefix /a/"), desk.Begin("/c")];
        desk.Put("/a", "1");
        desk.Table.EndAll(EndReason.ServerStopping);
        Assert.Equal(["put /a 1 @1", "ended ServerStopping cursor 1"], Desk.Read(watches[0]));
        Assert.Equal(["ended ServerStopping cursor 0"], Desk.Read(watches[1]));
        Assert.Equal(["ended ServerStopping cursor "], Desk.Read(watches[2]));
        Assert.Equal(WatchRefusal.ShuttingDown, Refusal(() => desk.Begin("/a")).Code);
        desk.Answer();
        Assert.False(desk.Ledger.Watched.Any);
    }

    [Theory, Trait("DE", "U35"), Trait("DE", "E14")]
    [InlineData("/config")]
    [InlineData("config/")]
    [InlineData("config")]
    [InlineData("")]
    public void A_prefix_without_both_slashes_is_refused_and_names_itself(string prefix)
    {
        var desk = new Desk();
        var refused = Refusal(() => desk.Begin($"prefix {prefix}"));
        Assert.Equal(WatchRefusal.MalformedPrefix, refused.Code);
        Assert.Contains($"'{prefix}'", refused.Message, StringComparison.Ordinal);
        Assert.Empty(desk.TakeEffects());
        Assert.Equal(0, desk.Table.Stats.Scopes);
        desk.Watch("prefix /config/");
        Assert.Equal(1, desk.CountOf("prefix /config/"));
    }

    [Fact]
    public void Bad_input_is_refused_with_a_code_of_its_own()
    {
        var desk = new Desk();
        Assert.Equal(WatchRefusal.EmptyKey, Refusal(() => desk.Begin("")).Code);
        Assert.Equal(WatchRefusal.KeyTooLong, Refusal(() => desk.Begin(new string('k', 4097))).Code);
        Assert.Equal(WatchRefusal.KeyTooLong, Refusal(() => desk.Begin($"prefix /{new string('k', 4095)}/")).Code);
        Assert.Equal(WatchRefusal.PrefixTooDeep, Refusal(() => desk.Begin($"prefix {new string('/', 33)}")).Code);
        Assert.Equal(WatchRefusal.QueueSizeOutOfRange, Refusal(() => desk.Begin("/a", queue: 0)).Code);
        Assert.Equal(WatchRefusal.QueueSizeOutOfRange, Refusal(() => desk.Begin("/a", queue: 1_000_001)).Code);
        Assert.Equal(WatchRefusal.QueueSizeOutOfRange, Refusal(() => desk.Begin("/a", queueBytes: 0)).Code);
        desk.Begin(new string('k', 4096));
        desk.Begin("/a", queue: 1);
        desk.Begin("/a", queue: 1_000_000);
        desk.Begin($"prefix {new string('/', 32)}");
        Assert.Equal(4, desk.Table.Stats.Subscriptions);
    }

    [Fact]
    public void Where_watching_is_disabled_the_answer_says_so()
    {
        var desk = new Desk(new WatchTableOptions { Enabled = false });
        Assert.Equal(WatchRefusal.WatchDisabled, Refusal(() => desk.Begin("/a")).Code);
        Assert.False(desk.Table.HasEffects);
    }

    [Theory, Trait("DE", "U37"), Trait("DE", "U38"), Trait("DE", "U39")]
    [InlineData("/a", "/b", "/c")]
    [InlineData("prefix /a/", "prefix /b/", "prefix /c/")]
    [InlineData("/a", "prefix /b/", "/c")]
    [InlineData("/a", "prefix /b/", "prefix /c/")]
    public void The_third_watcher_of_two_allowed_is_refused_until_one_leaves(string first, string second, string third)
    {
        var desk = new Desk(new WatchTableOptions { WatchersMax = 2 });
        var watch = desk.Watch(first);
        desk.Watch(second);
        Assert.Equal(WatchRefusal.WatcherLimitReached, Refusal(() => desk.Begin(third)).Code);
        desk.Table.Unsubscribe(watch.Id, EndReason.Disposed);
        desk.Watch(third);
    }

    [Fact, Trait("DE", "U40")]
    public void Of_twenty_that_register_at_once_exactly_the_five_allowed_succeed()
    {
        var desk = new Desk(new WatchTableOptions { WatchersMax = 5 });
        var (admitted, refused) = (0, 0);
        Parallel.For(0, 20, _ =>
        {
            try
            {
                lock (desk)
                    desk.Begin("/a");
                Interlocked.Increment(ref admitted);
            }
            catch (WatchRefusedException refusal) when (refusal.Code == WatchRefusal.WatcherLimitReached)
            {
                Interlocked.Increment(ref refused);
            }
        });
        Assert.Equal((5, 15), (admitted, refused));
    }

    [Fact, Trait("DE", "U44")]
    public void The_count_of_those_who_ask_for_previous_values_is_exact()
    {
        var desk = new Desk();
        var counts = new List<int> { Count() };
        var watches = new[] { true, false, true }.Select(previous =>
        {
            var watch = desk.Watch("/a", previous: previous);
            counts.Add(Count());
            return watch;
        }).ToList();
        desk.Table.Unsubscribe(watches[0].Id, EndReason.Disposed);
        counts.Add(Count());
        desk.Table.Unsubscribe(watches[2].Id, EndReason.Disposed);
        counts.Add(Count());
        Assert.Equal([0, 1, 1, 2, 1, 0], counts);

        int Count() => desk.Table.Stats.PreviousValueSubscriptions;
    }

    [Fact]
    public void A_bad_option_is_named_with_its_value()
    {
        var refused = Assert.Throws<ArgumentOutOfRangeException>(() => new Desk(new WatchTableOptions { WatchersMax = 0 }));
        Assert.Contains("WatchersMax is 0: at least 1", refused.Message, StringComparison.Ordinal);
    }

    private static WatchRefusedException Refusal(Action action) => Assert.Throws<WatchRefusedException>(action);
}
