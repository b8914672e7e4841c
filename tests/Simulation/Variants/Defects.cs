using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Keyspace;
using Watch.Core.Tests.Consensus;
using Watch.Simulation.Tests.Checkers;
using Watch.Simulation.Tests.Faults;
using Watch.Simulation.Tests.Running;

namespace Watch.Simulation.Tests.Variants;

/// <summary>A deliberate defect, and the runs in which it should show.</summary>
/// <param name="Name">What it does.</param>
/// <param name="Seams">The product's seams with it.</param>
/// <param name="Nodes">How many nodes its runs have.</param>
/// <param name="Faults">The faults that its runs name.</param>
/// <param name="SeedsMax">Within so many seeds it has to be found.</param>
internal sealed record Variant(string Name, Func<Recorder> Seams, int Nodes, FaultKind[] Faults, int SeedsMax)
{
    /// <summary>The share of messages that are delayed.</summary>
    public double MessageFaults { get; init; } = 0.04;

    /// <summary>Whether a node whose folder was emptied goes on as the node that it was.</summary>
    public bool WipedNodeKeepsItsNumber { get; init; }

    /// <summary>A sync of files whose paths contain this writes nothing; null for all being well.</summary>
    public string? Unsynced { get; init; }

    /// <summary>Whether clients ask for lease reads.</summary>
    public bool LeaseReads { get; init; } = true;

    /// <summary>After how many entries a snapshot is taken; 0 for never.</summary>
    public int SnapshotEntries { get; init; }

    /// <summary>How many times longer than usual writers pause.</summary>
    public int Leisure { get; init; } = 1;

    /// <summary>For how long faults happen.</summary>
    public int StormSeconds { get; init; } = 15;

    /// <summary>Whether it shows in a node that cannot go on, rather than in something wrong that somebody saw.</summary>
    public bool ShowsInStandstill { get; init; }

    /// <summary>Whether a violation is what this defect does, and not merely a run that did not come to an end.</summary>
    public bool Shows(RunResult result) => result.Violation is not null && (result.Kind == ViolationKind.Wrong || (result.Kind == ViolationKind.Standstill && ShowsInStandstill));

    /// <summary>The plan of one of its seeds.</summary>
    public FaultPlan Plan(int seed) => FaultPlan.Draw(seed) with { Nodes = Nodes, Named = Faults.ToHashSet(), Variant = Name, MessageFaults = MessageFaults, Storm = TimeSpan.FromSeconds(StormSeconds), LeaseReads = LeaseReads, SnapshotEntries = SnapshotEntries, Joins = false, Leisure = Leisure };
}

/// <summary>The deliberate defects.</summary>
internal static class Defects
{
    private static readonly FaultKind[] s_lostMachines = [FaultKind.CrashAtDisk, FaultKind.Crash, FaultKind.LeaderIsolated];
    private static readonly FaultKind[] s_splits = [FaultKind.LeaderIsolated, FaultKind.Partition, FaultKind.Freeze];
    private static readonly FaultKind[] s_elections = [FaultKind.LeaderIsolated, FaultKind.Partition, FaultKind.Crash, FaultKind.MessageDelayed];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Variant> All { get; } =
    [
        Rule("acknowledge before fsync", 1, [FaultKind.CrashAtDisk, FaultKind.SlowDisk], 100),
        Rule("skip the term check", 5, s_elections, 800) with { MessageFaults = 0.2 },
        Rule("wrong quorum", 3, s_splits, 100),
        Rule("vote without comparing logs", 3, s_splits, 200),
        Rule("vote twice in a term", 5, [FaultKind.LeaderIsolated, FaultKind.MessageDelayed], 600) with { MessageFaults = 0.5, StormSeconds = 40 },
        Rule("lease counted from the answer", 3, [FaultKind.LeaderIsolated, FaultKind.MessageDelayed], 800) with { MessageFaults = 0.2 },
        new("apply what the leader has not committed", () => new Broken(new AppliesTooMuch()), 5, s_splits, 200),
        new("forget acknowledged entries on restart", () => new Forgetful(), 3, [FaultKind.Crash, FaultKind.LeaderIsolated], 300),
        new("treat a wiped node as the old one", () => new Recorder(), 3, [FaultKind.Wipe, FaultKind.LeaderIsolated, FaultKind.Partition], 300) { WipedNodeKeepsItsNumber = true, ShowsInStandstill = true },
        new("a sync that writes nothing", () => new Recorder(), 3, s_lostMachines, 200) { Unsynced = "", ShowsInStandstill = true },
        new("rename a snapshot before it is durable", () => new Recorder(), 1, [FaultKind.CrashAtDisk], 100) { Unsynced = FaultyDisk.Snapshots, SnapshotEntries = 100, ShowsInStandstill = true },
        Rule("no lease protection in votes", 3, [FaultKind.UnevenCut], 200) with { Leisure = 15, StormSeconds = 40 },
        Rule("confirm a read without asking", 3, [FaultKind.UnevenCut], 200) with { LeaseReads = false, Leisure = 15, StormSeconds = 40 },
        Rule("retire a segment without writing again what is needed of it", 1, [FaultKind.CrashAtDisk], 200) with { SnapshotEntries = 100, ShowsInStandstill = true },
        new("a snapshot without the results of writes", () => new Other(new DropsResults()), 3, [FaultKind.Wipe, FaultKind.Crash], 100) { SnapshotEntries = 100 },
        new("a snapshot that does not keep what changes while it is written", () => new Other(new SavesNothing()), 3, [FaultKind.Crash, FaultKind.SlowDisk], 200) { SnapshotEntries = 100, ShowsInStandstill = true },
        .. WatchDefects.All,
    ];

    /// <summary>The defect of that name.</summary>
    public static Variant Of(string name) => All.FirstOrDefault(each => each.Name == name)
        ?? throw new ArgumentException($"There is no variant '{name}'; there are: {string.Join("; ", All.Select(each => each.Name))}.", nameof(name));

    private static Variant Rule(string name, int nodes, FaultKind[] faults, int seedsMax) =>
        new(name, () => new Broken(RuleOf(name)), nodes, faults, seedsMax);

    private static BrokenRules RuleOf(string name) => BrokenRules.All.Single(each => each.Name == name);

    /// <summary>A replica with one of Raft's rules broken.</summary>
    private sealed class Broken(SafetyRules rules) : Recorder
    {
        internal override SafetyRules Rules => rules;
    }

    /// <summary>A replica with one rule of its state broken.</summary>
    private sealed class Other(KeyspaceRules rules) : Recorder
    {
        internal override KeyspaceRules Keyspace => rules;
    }

    private sealed class DropsResults : KeyspaceRules
    {
        internal override bool KeepsResultsInSnapshots => false;
    }

    private sealed class SavesNothing : KeyspaceRules
    {
        internal override bool SavesForSnapshots => false;
    }

    /// <summary>A follower takes everything that its leader has sent it for committed.</summary>
    private sealed class AppliesTooMuch : SafetyRules
    {
        internal override LogIndex Commit(LogIndex leaders, LogIndex verified) => verified;
    }

    /// <summary>The last entries of a log are thought to be none of one's business after a restart.</summary>
    private sealed class Forgetful : Recorder
    {
        private const int Forgotten = 3;

        internal override RecoveredLog Recovered(RecoveredLog found)
        {
            var kept = new RecoveredLog();
            foreach (var (id, group) in found.Groups)
            {
                kept.OnHardState(id, group.State);
                // What every group begins with is not worth forgetting: it would be noticed at once.
                for (var at = 0; at < (group.Log.Last.Value <= 10 ? group.Log.Last.Value : group.Log.Last.Value - Forgotten); at++)
                    kept.OnEntry(id, group.Log[group.Log.First + at]);
            }

            return kept;
        }
    }
}
