using Watch.Core;
using Watch.Core.Watching;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Watching;

/// <summary>What watchers cost that have nothing to do, and that dispatcher and consumers meet on different threads.</summary>
public class CostTests(ITestOutputHelper output)
{
    private const int IdleWatchers = 100_000;

    [Fact]
    public void An_idle_prefix_watcher_takes_at_most_one_kibibyte_and_an_event_elsewhere_allocates_the_same_with_and_without_them()
    {
        var desk = new Desk();
        desk.Watch("prefix /busy/", queue: 1_000_000);
        var alone = PerEvent(desk);
        var targets = Enumerable.Range(0, IdleWatchers).Select(i => WatchTarget.Prefix(Key.Of($"/idle/{i:D6}/"))).ToList();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        foreach (var target in targets)
        {
            var id = desk.Table.Subscribe(new WatchSpec { Target = target }, 0).Id;
            desk.Table.TakeEffects();
            desk.Table.Registered(id, desk.Ledger.Now, default, default, 0);
        }

        var perWatcher = (GC.GetTotalMemory(forceFullCollection: true) - before) / IdleWatchers;
        var among = PerEvent(desk);
        output.WriteLine($"{perWatcher} bytes per idle watcher; {alone} bytes allocated per event alone, {among} among {IdleWatchers} idle watchers");
        Assert.Equal(IdleWatchers + 1, desk.Table.Stats.Scopes);
        Assert.InRange(perWatcher, 1, 1024);
        Assert.Equal(alone, among);
        GC.KeepAlive(targets);
    }

    [Fact]
    public void A_revision_for_ten_thousand_watchers_is_made_once_and_each_delivery_allocates_its_take_only()
    {
        const int Watchers = 10_000, Revisions = 20;
        var desk = new Desk();
        var watches = Enumerable.Range(0, Watchers).Select(_ => desk.Watch("prefix /a/")).ToArray();
        var messages = Enumerable.Range(0, 2 * Revisions).Select(_ => Assert.Single(desk.Ledger.Commit(("/a/key", "x")))).ToList();
        Deliver(messages.Take(Revisions));
        var before = GC.GetAllocatedBytesForCurrentThread();
        var watch = System.Diagnostics.Stopwatch.StartNew();
        Deliver(messages.Skip(Revisions));
        var perDelivery = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)(Watchers * Revisions);
        output.WriteLine($"{perDelivery:F1} bytes and {watch.Elapsed.TotalNanoseconds / (Watchers * Revisions):F0} ns per delivery, queue and take");
        Assert.InRange(perDelivery, 0, 80);

        void Deliver(IEnumerable<ScopeMessage> some)
        {
            foreach (var message in some)
            {
                desk.Deliver(message);
                SharedCommit? shared = null;
                foreach (var each in watches)
                {
                    Assert.True(each.TryTake(16, 1 << 20, out var items));
                    var commit = ((WatchPart.Events)items.Parts[0]).Commit;
                    Assert.Same(shared ??= commit, commit);
                }
            }
        }
    }

    /// <summary>Bytes that delivering one event allocates, its message aside.</summary>
    private static long PerEvent(Desk desk)
    {
        const int Events = 100;
        var watch = desk.Table.Subscriptions.First();
        var messages = new List<ScopeMessage>();
        for (var i = 0; i < 2 * Events; i++)
            messages.Add(desk.Ledger.Commit(("/busy/key", "x")).Single());
        foreach (var message in messages.Take(Events))
            desk.Deliver(message);
        Assert.True(watch.TryTake(Events - 1, long.MaxValue, out _));
        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var message in messages.Skip(Events))
        {
            desk.Deliver(message);
            watch.TryTake(1, 1, out _);
        }

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        watch.TryTake(int.MaxValue, long.MaxValue, out _);
        return allocated / Events;
    }

    [Fact]
    public async Task Consumers_on_threads_of_their_own_miss_nothing_while_history_is_replayed_and_the_dispatcher_goes_on()
    {
        const int Before = 500, After = 500, Consumers = 4;
        var turn = new Lock();
        var room = new Queue<SubscriptionId>();
        var ledger = new Ledger();
        var table = new WatchTable(new WatchTableOptions { FetchEventsMax = 50 }, new Random(1), id =>
        {
            lock (room)
                room.Enqueue(id);
        });
        for (var i = 0; i < Before; i++)
            ledger.Commit(("/a", $"{i}"));

        var consumers = new List<Task<(long Count, EndNotice End)>>();
        for (var i = 0; i < Consumers; i++)
            consumers.Add(Consume(table.Subscribe(new WatchSpec { Target = Desk.Target("/a"), StartAt = new Revision(1), QueueEventsMax = 8 << i, WhenSlow = SlowRule.Cancel }, 0)));
        var isDone = false;
        var dispatcher = Task.Run(() =>
        {
            for (var i = 0; !Volatile.Read(ref isDone); i++)
                lock (turn)
                {
                    Answer(table, ledger);
                    lock (room)
                        while (room.TryDequeue(out var id))
                            table.Continue(id, 0);
                    if (i < After)
                        foreach (var message in ledger.Commit(("/a", $"{i}")))
                            table.Deliver(BucketId.Default, message, 0);
                    else if (table.Subscriptions.All(each => each.State == SubscriptionState.Live))
                        table.EndAll(EndReason.ServerStopping);
                }
        });

        foreach (var (count, end) in await Task.WhenAll(consumers))
        {
            Assert.True(end.Reason is EndReason.ServerStopping or EndReason.Slow, end.Message);
            Assert.Equal(end.Cursor!.Value.Value, count);
            Assert.True(count >= Before);
        }

        Volatile.Write(ref isDone, true);
        await dispatcher;
    }

    private static void Answer(WatchTable table, Ledger ledger)
    {
        foreach (var effect in table.TakeEffects())
            switch (effect)
            {
                case WatchEffect.RegisterScope register:
                    ledger.Register(register.Scope);
                    table.Registered(register.Subscription, ledger.Now, default, ledger.Head(register.Scope), 0);
                    break;
                case WatchEffect.Fetch fetch:
                    var upTo = Revision.Min(fetch.UpTo, new Revision(fetch.After.Value + fetch.EventsMax));
                    table.Fetched(fetch.Id, new HistoryPiece(ledger.Truth(fetch.Scope, fetch.After, upTo), upTo, 0), 0);
                    break;
            }
    }

    /// <summary>Reads until the end, on its own thread, woken by Ready; every revision has to be the next one.</summary>
    private static Task<(long Count, EndNotice End)> Consume(Subscription subscription)
    {
        var wake = new SemaphoreSlim(0);
        subscription.Ready = () => wake.Release();
        return Task.Run(async () =>
        {
            for (long count = 0; ;)
            {
                await wake.WaitAsync();
                while (subscription.TryTake(5, long.MaxValue, out var items))
                {
                    Assert.Equal(count, items.Previous!.Value.Value);
                    foreach (var commit in items.Commits())
                        Assert.Equal(++count, commit.Revision.Value);
                    if (items.End is { } end)
                        return (count, end);
                }
            }
        });
    }
}
