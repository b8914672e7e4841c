using System.Runtime.InteropServices;
using Watch.Core.Keyspace;
using Watch.Core.Tests.Keyspace;
using Watch.Core.Tests.Watching;
using Watch.Core.Watching;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Costs;

/// <summary>
/// What watchers cost writers, counted instead of timed: look-ups and bytes are the same on every machine. d-engine gates times of whole
/// puts (10 % at 100 watchers, 15 % at 1,000) on keys that nobody watches; here the work itself must not grow at all. Times are
/// measured by <c>bench/Watch.Bench</c>, <c>watch writes</c> and <c>watch latency</c>.
/// </summary>
public sealed class WriteCostTests(ITestOutputHelper output)
{
    private const string Silo = "silo-1";
    private static readonly Key s_key = Key.Of("/some/other/key");

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(1_000)]
    [InlineData(100_000)]
    [Trait("DE", "P01"), Trait("DE", "P02"), Trait("DE", "P03"), Trait("DE", "P05")]
    public void A_put_that_nobody_watches_looks_up_its_own_scopes_and_allocates_the_same_however_many_watch_elsewhere(int watchers)
    {
        var scopes = new Counting();
        for (var at = 0; at < watchers; at++)
            scopes.Add(Scope.OfKey(Key.Of($"/watched/{at}")));
        var (lookups, bytes) = PerPut(scopes);
        var (_, alone) = PerPut(new Counting());
        output.WriteLine($"{watchers} watchers elsewhere: {lookups} look-ups and {bytes} bytes per put; {alone} bytes without any");
        // Where only keys are watched nobody asks about segments.
        Assert.Equal(watchers == 0 ? 0 : 1, lookups);
        scopes.Add(Scope.OfPrefix(Key.Of("/watched/")));
        // The key, its two segments, the root and the whole bucket: the key's depth, whoever watches what.
        Assert.InRange(PerPut(scopes).Lookups, 1, 5);
        // Where anybody watches anything, the list of what is watched of the key is made: 32 bytes, once.
        Assert.InRange(bytes, alone, alone + 32);
    }

    [Fact]
    [Trait("DE", "P04")]
    public void A_put_costs_the_leader_the_same_with_one_watcher_of_its_key_and_with_a_hundred()
    {
        // The leader knows silos, not watchers: a second watcher of a silo is none of its business.
        var desk = new Desk();
        var (first, _) = (desk.Watch("/k"), desk.Ledger.Watched.Silos(Scope.OfKey(Key.Of("/k"))));
        for (var at = 1; at < 100; at++)
            desk.Watch("/k");
        Assert.Equal([Ledger.Silo], desk.Ledger.Watched.Silos(Scope.OfKey(Key.Of("/k"))));
        Assert.Equal(1, desk.Ledger.Watched.Count);
        Assert.Equal(100, desk.CountOf("/k"));
        Assert.NotNull(first);
    }

    [Fact]
    [Trait("DE", "P04")]
    public void A_thousand_watchers_of_a_key_that_leave_cost_the_leader_one_word()
    {
        var desk = new Desk();
        var all = Enumerable.Range(0, 1_000).Select(_ => desk.Watch("/k")).ToList();
        foreach (var each in all)
            desk.Table.Unsubscribe(each.Id, EndReason.Disposed);
        Assert.IsType<WatchEffect.UnregisterScope>(Assert.Single(desk.TakeEffects()));
        Assert.Equal(0, desk.CountOf("/k"));
    }

    [Fact]
    [Trait("DE", "P04"), Trait("DE", "P06")]
    public void Delivering_to_one_watcher_more_allocates_little_and_copies_no_value()
    {
        var (ten, hundred) = (PerEvent(10), PerEvent(100));
        var perWatcher = (hundred - ten) / 90.0;
        output.WriteLine($"{ten} bytes per event for 10 watchers, {hundred} for 100: {perWatcher:F0} for each watcher more");
        // Its batch and what lists it; the value has 100,000 bytes and is shared.
        Assert.InRange(perWatcher, 0, 400);
    }

    [Fact]
    [Trait("DE", "A09"), Trait("DE", "A10"), Trait("DE", "A11")]
    public void The_value_before_is_the_very_bytes_of_the_change_that_wrote_it_so_nobody_who_asks_for_it_costs_a_read()
    {
        // Better: there the store is read once per overwrite as soon as anybody asks for previous values, and never else. Here a change
        // refers to the one before, in the very same memory, whoever asks: nothing is read and nothing copied.
        var state = new BucketState();
        var first = Put(state, "1").Commit!.Changes.Single();
        var second = Put(state, "2").Commit!.Changes.Single();
        var third = Put(state, "3").Commit!.Changes.Single();
        Assert.Null(first.PreviousValue);
        Assert.True(IsSame(first.Value, second.PreviousValue!.Value), "the second change has a copy of the first one's value");
        Assert.True(IsSame(second.Value, third.PreviousValue!.Value), "the third change has a copy of the second one's value");
    }

    private static Outcome Put(BucketState state, string value) =>
        state.Apply(WriteCommand.Put(Key.Of("/k"), System.Text.Encoding.UTF8.GetBytes(value)), 0, NothingWatched.Instance);

    private static bool IsSame(ReadOnlyMemory<byte> one, ReadOnlyMemory<byte> other) =>
        MemoryMarshal.TryGetArray(one, out var first) && MemoryMarshal.TryGetArray(other, out var second) && ReferenceEquals(first.Array, second.Array) && first == second;

    private static (double Lookups, long Bytes) PerPut(Counting scopes)
    {
        const int Puts = 1_024;
        var state = new BucketState();
        var commands = Enumerable.Range(0, Puts).Select(_ => WriteCommand.Put(s_key, new byte[16])).ToArray();
        foreach (var command in commands)
            state.Apply(command, 0, scopes);
        scopes.Lookups = 0;
        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var command in commands)
            state.Apply(command, 0, scopes);
        return ((double)scopes.Lookups / Puts, (GC.GetAllocatedBytesForCurrentThread() - before) / Puts);
    }

    /// <summary>Bytes that one event allocates in the table and in the takes of all its watchers.</summary>
    private static long PerEvent(int watchers)
    {
        const int Events = 64;
        var desk = new Desk();
        var all = Enumerable.Range(0, watchers).Select(_ => desk.Watch("/k")).ToList();
        var value = new string('v', 100_000);
        var messages = Enumerable.Range(0, 2 * Events).Select(_ => desk.Ledger.Commit(("/k", value)).Single()).ToList();
        foreach (var message in messages.Take(Events))
            Deliver(message);
        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var message in messages.Skip(Events))
            Deliver(message);
        return (GC.GetAllocatedBytesForCurrentThread() - before) / Events;

        void Deliver(ScopeMessage message)
        {
            desk.Deliver(message);
            foreach (var watch in all)
                Assert.True(watch.TryTake(1, long.MaxValue, out _));
        }
    }

    /// <summary>The leader's own scopes, and how often they are asked.</summary>
    private sealed class Counting : IWatchedScopes
    {
        private readonly WatchedScopes _scopes = new();

        public long Lookups { get; set; }

        public bool Any => _scopes.Any;

        public bool AnyPrefix => _scopes.AnyPrefix;

        public void Add(Scope scope) => _scopes.Register(scope, Silo, Revision.None);

        public bool IsWatched(Scope scope)
        {
            Lookups++;
            return _scopes.IsWatched(scope);
        }
    }
}
