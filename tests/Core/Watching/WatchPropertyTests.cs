using Watch.Core;
using Watch.Core.Watching;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Watching;

/// <summary>What a watch promises holds under every seed, and the judge who says so notices when it does not.</summary>
public class WatchPropertyTests(ITestOutputHelper output)
{
    // More of them for a long run: WATCH_SEEDS=20000.
    private static readonly int Seeds = int.TryParse(Environment.GetEnvironmentVariable("WATCH_SEEDS"), out var seeds) ? seeds : 300;
    private const int Steps = 400;

    [Fact]
    public void Under_every_seed_each_watch_sees_the_committed_changes_of_its_target_in_order_once_or_an_exact_end()
    {
        var (seen, repaired, duplicates) = (0L, 0L, 0L);
        var (lagged, fragments, parked, stale, retargeted) = (0L, 0L, 0L, 0L, 0L);
        var ended = new SortedDictionary<EndReason, long>();
        for (var seed = 0; seed < Seeds; seed++)
        {
            var simulation = Judge(seed, new Wire());
            var stats = simulation.Stats;
            (seen, repaired, duplicates) = (seen + simulation.ChangesSeen, repaired + stats.GapsRepaired, duplicates + stats.DuplicatesDropped);
            (lagged, fragments, parked, stale, retargeted) = (lagged + simulation.Lagged, fragments + simulation.Fragments, parked + stats.Parked, stale + simulation.StaleTold, retargeted + simulation.TargetsTold);
            foreach (var (reason, count) in stats.Ended)
                ended[reason] = ended.GetValueOrDefault(reason) + count;
        }

        output.WriteLine($"{Seeds} seeds: {seen} changes seen, {repaired} gaps repaired, {duplicates} duplicates dropped, {lagged} events counted as lagged, {fragments} fragments, {parked} parked, {stale} times stale, {retargeted} times of other targets; ended: {string.Join(", ", ended)}");
        Assert.True(seen > Seeds * 10 && repaired > Seeds && duplicates > Seeds, "the simulation hardly did anything");
        Assert.True(lagged > Seeds && fragments > Seeds / 4 && parked > Seeds && stale > Seeds && retargeted > Seeds / 2, "the policies hardly did anything");
        Assert.All([EndReason.Slow, EndReason.Compacted, EndReason.Disposed], reason => Assert.True(ended[reason] > Seeds / 10, $"{reason} hardly ever happened"));
    }

    [Fact]
    public void The_same_seed_gives_the_same_run()
    {
        for (var seed = 0; seed < 20; seed++)
            Assert.Equal(Judge(seed, new Wire()).Stats with { Ended = NoEnds }, Judge(seed, new Wire()).Stats with { Ended = NoEnds });
    }

    private static readonly Dictionary<EndReason, long> NoEnds = [];

    [Theory]
    [InlineData(typeof(IgnoresPrevious))]
    [InlineData(typeof(AcceptsAgain))]
    [InlineData(typeof(ForgetsReservedSlot))]
    [InlineData(typeof(StartsTooLate))]
    [InlineData(typeof(StartsTooEarly))]
    [InlineData(typeof(TakesPartForWhole))]
    [InlineData(typeof(HidesCompaction))]
    [InlineData(typeof(SplitsRevisions))]
    [InlineData(typeof(CursorTooFar))]
    [InlineData(typeof(CursorTooShort))]
    public void A_broken_variant_is_caught(Type variant)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            try
            {
                new Simulation(seed, (Wire)Activator.CreateInstance(variant)!).Run(Steps);
            }
            catch (BrokenPromiseException caught)
            {
                output.WriteLine($"{variant.Name} is caught by seed {seed}: {caught.Message}");
                return;
            }
        }

        Assert.Fail($"{variant.Name} passed {Seeds} seeds");
    }

    [Theory]
    [InlineData(typeof(NothingIsLate), 0)]
    [InlineData(typeof(NothingIsEarly), 0)]
    [InlineData(typeof(GoesLiveEarly), 0)]
    [InlineData(typeof(MovesWithEveryFragment), 0)]
    [InlineData(typeof(CountsNothing), 0)]
    [InlineData(typeof(ParksAtTheEnd), 0)]
    [InlineData(typeof(RetargetsLater), 0)]
    [InlineData(typeof(CoversEverything), 600)]
    [InlineData(typeof(ForgetsUnstarted), 1353)]
    public void A_broken_rule_is_caught(Type rules, int from)
    {
        for (var seed = from; seed < from + Seeds; seed++)
        {
            try
            {
                new Simulation(seed, new Wire(), (WatchRules)Activator.CreateInstance(rules)!).Run(Steps);
            }
            catch (Exception caught) when (caught is BrokenPromiseException or InvariantViolationException)
            {
                output.WriteLine($"{rules.Name} is caught by seed {seed}: {caught.Message}");
                return;
            }
        }

        Assert.Fail($"{rules.Name} passed {Seeds} seeds");
    }

    private sealed class NothingIsLate : WatchRules
    {
        public override bool IsLate(Revision revision, Revision cursor) => false;
    }

    private sealed class NothingIsEarly : WatchRules
    {
        public override bool IsEarly(Revision previous, Revision cursor) => false;
    }

    private sealed class GoesLiveEarly : WatchRules
    {
        public override bool MayGoLive(Revision cursor, Revision lastChange) => cursor.Next >= lastChange;
    }

    private sealed class MovesWithEveryFragment : WatchRules
    {
        public override bool LastFragmentMoves => false;
    }

    private sealed class CountsNothing : WatchRules
    {
        public override bool CountsDropped => false;
    }

    private sealed class RetargetsLater : WatchRules
    {
        public override bool RetargetsAtCursor => false;
    }

    private sealed class CoversEverything : WatchRules
    {
        public override bool Covers(long startedBefore, long question) => true;
    }

    private sealed class ForgetsUnstarted : WatchRules
    {
        public override bool WantsBeforeStart => false;
    }

    private sealed class ParksAtTheEnd : WatchRules
    {
        public override bool ParksAtTaken => false;
    }

    private static Simulation Judge(int seed, Wire wire)
    {
        var simulation = new Simulation(seed, wire);
        try
        {
            simulation.Run(Steps);
        }
        catch (Exception broken)
        {
            throw new BrokenPromiseException($"seed {seed}: {broken}");
        }

        return simulation;
    }

    /// <summary>Takes every message as if nothing could be missing before it.</summary>
    private sealed class IgnoresPrevious : Wire
    {
        public override void Deliver(WatchTable table, ScopeMessage message, long nowMs) => base.Deliver(table, message with { Previous = Revision.None }, nowMs);
    }

    /// <summary>Gives a revision once more when its message comes once more.</summary>
    private sealed class AcceptsAgain : Wire
    {
        private readonly HashSet<(Scope, Revision)> _delivered = [];
        private readonly HashSet<(Scope, Revision)> _again = [];

        public override void Deliver(WatchTable table, ScopeMessage message, long nowMs)
        {
            if (!_delivered.Add((message.Scope, message.Revision)))
                _again.Add((message.Scope, message.Revision));
            base.Deliver(table, message, nowMs);
        }

        public override IEnumerable<WatchItems> Taken(Subscription subscription, WatchItems items)
        {
            var scope = TargetFilter.Of(subscription.Spec.Target).Scope;
            return [items with { Parts = [.. items.Parts.SelectMany(part => part is WatchPart.Events { Commit: var commit } && _again.Contains((scope, commit.Revision)) ? [part, part] : new[] { part })] }];
        }
    }

    /// <summary>Has no room for the notice when the queue is full.</summary>
    private sealed class ForgetsReservedSlot : Wire
    {
        public override IEnumerable<WatchItems> Taken(Subscription subscription, WatchItems items) => items.End?.Reason == EndReason.Slow ? [] : [items];
    }

    /// <summary>Starts where the bucket stands when the answer arrives, not when the leader gave it.</summary>
    private sealed class StartsTooLate : Wire
    {
        public override void Registered(WatchTable table, SubscriptionId id, Revision now, Revision compacted, Revision head, Revision newest, long nowMs) =>
            base.Registered(table, id, newest, compacted, head, newest, nowMs);
    }

    /// <summary>Starts one revision before the registration.</summary>
    private sealed class StartsTooEarly : Wire
    {
        public override void Registered(WatchTable table, SubscriptionId id, Revision now, Revision compacted, Revision head, Revision newest, long nowMs) =>
            base.Registered(table, id, now.Previous, Revision.Min(compacted, now.Previous), Revision.Min(head, now.Previous), newest, nowMs);
    }

    /// <summary>Believes that every answer of history is complete.</summary>
    private sealed class TakesPartForWhole : Wire
    {
        public override void Fetched(WatchTable table, WatchEffect.Fetch fetch, IReadOnlyList<Commit> commits, Revision reached, long nowMs) =>
            base.Fetched(table, fetch, commits, fetch.UpTo, nowMs);
    }

    /// <summary>Goes on past a compaction as if nothing had been there.</summary>
    private sealed class HidesCompaction : Wire
    {
        public override void Compacted(WatchTable table, WatchEffect.Fetch fetch, Revision firstAvailable, long nowMs) => Fetched(table, fetch, [], fetch.UpTo, nowMs);
    }

    /// <summary>Gives the first change of a transaction only.</summary>
    private sealed class SplitsRevisions : Wire
    {
        public override IEnumerable<WatchItems> Taken(Subscription subscription, WatchItems items) =>
            [items with { Parts = [.. items.Parts.Select(part => part is WatchPart.Events { Commit: var commit } ? new WatchPart.Events(new SharedCommit(commit.Revision, [commit.Changes[0]], commit.Form)) : part)] }];
    }

    /// <summary>Names the revision that did not fit as delivered.</summary>
    private sealed class CursorTooFar : Wire
    {
        public override IEnumerable<WatchItems> Taken(Subscription subscription, WatchItems items) =>
            [items.End is { Cursor: { } cursor } end ? items with { End = end with { Cursor = cursor.Next } } : items];
    }

    /// <summary>Names a cursor from which the last revision would come again.</summary>
    private sealed class CursorTooShort : Wire
    {
        public override IEnumerable<WatchItems> Taken(Subscription subscription, WatchItems items) =>
            [items.End is { Cursor: { } cursor } end ? items with { End = end with { Cursor = cursor.Previous } } : items];
    }
}
