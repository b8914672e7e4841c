namespace Watch.Simulation.Tests.Faults;

/// <summary>
/// What a run is to be: how many nodes and clients, for how long, and which faults it names. Drawn from the seed alone, so that it is
/// known before the run begins. A run has few kinds of faults rather than all: some defects show only where nothing else disturbs.
/// </summary>
internal sealed record FaultPlan
{
    private static readonly FaultKind[] s_everywhere =
    [
        FaultKind.MessageLost, FaultKind.MessageDelayed, FaultKind.Crash, FaultKind.CrashAtDisk,
        FaultKind.DiskFull, FaultKind.SyncError, FaultKind.SlowDisk, FaultKind.WallClockJump, FaultKind.ClockDrift, FaultKind.Freeze,
        FaultKind.WronglyDeclaredDead, FaultKind.StreamLost, FaultKind.StreamDuplicated, FaultKind.StreamReordered, FaultKind.HubKilled, FaultKind.SessionKilled,
        FaultKind.ClientFrozen, FaultKind.ClientGone,
    ];

    private static readonly FaultKind[] s_amongSeveral =
    [
        FaultKind.MessageDuplicated, FaultKind.Partition, FaultKind.OneWayPartition, FaultKind.LeaderIsolated, FaultKind.BitFlip, FaultKind.Wipe, FaultKind.MembershipChange,
        FaultKind.UnevenCut,
    ];

    /// <summary>The seed that it was drawn from, and from which everything else of the run is drawn.</summary>
    public required int Seed { get; init; }

    /// <summary>How many silos there are, each a voter: 1, 3 or 5.</summary>
    public int Nodes { get; init; } = 3;

    /// <summary>The kinds of faults that the run names: each must really happen, or the run proves nothing.</summary>
    public required IReadOnlySet<FaultKind> Named { get; init; }

    /// <summary>For how long faults happen, in virtual time.</summary>
    public TimeSpan Storm { get; init; } = TimeSpan.FromSeconds(12);

    /// <summary>The share of messages that are lost, doubled and delayed, where the plan names that.</summary>
    public double MessageFaults { get; init; } = 0.03;

    /// <summary>The share of publishings that are lost, doubled or late, where the plan names that.</summary>
    public double StreamFaults { get; init; } = 0.1;

    /// <summary>How many times longer than usual everybody who writes pauses: in a quiet group a follower that hears nothing lacks nothing, either.</summary>
    public int Leisure { get; init; } = 1;

    /// <summary>Whether clients ask for lease reads, too.</summary>
    public bool LeaseReads { get; init; } = true;

    /// <summary>After how many entries a snapshot is taken; 0 for never in a run. Then the log has small segments, too.</summary>
    public int SnapshotEntries { get; init; }

    /// <summary>Whether history is given up now and then.</summary>
    public bool Compacts { get; init; }

    /// <summary>Whether history and snapshots are read for watches in pages that have room for a key or two, so that much happens between them.</summary>
    public bool SmallPages { get; init; }

    /// <summary>Whether nodes with a new folder ask to be added by themselves, rather than an operator for them.</summary>
    public bool Joins { get; init; }

    /// <summary>Which deliberate defect the product has; null for none.</summary>
    public string? Variant { get; init; }

    /// <summary>The plan of a seed.</summary>
    public static FaultPlan Draw(int seed)
    {
        var random = new Random(unchecked((seed * 7919) + 17));
        var nodes = random.Next(10) switch { 0 => 1, < 8 => 3, _ => 5 };
        var kinds = nodes == 1 ? s_everywhere : [.. s_everywhere, .. s_amongSeveral];
        random.Shuffle(kinds = [.. kinds]);
        return new FaultPlan
        {
            Seed = seed,
            Nodes = nodes,
            Named = Fitting(kinds.Take(1 + random.Next(5))),
            MessageFaults = 0.005 + (random.NextDouble() * 0.06),
            StreamFaults = 0.02 + (random.NextDouble() * 0.5),
            Storm = TimeSpan.FromSeconds(4 + random.Next(16)),
            SnapshotEntries = random.Next(5) < 3 ? 100 + (random.Next(4) * random.Next(60)) : 0,
            Joins = random.Next(4) == 0,
            Compacts = random.Next(3) == 0,
            Leisure = random.Next(6) == 0 ? 15 : 1,
            SmallPages = random.Next(3) == 0,
        };
    }

    /// <summary>Without what cannot go together in three nodes: two ways to lose one.</summary>
    private static HashSet<FaultKind> Fitting(IEnumerable<FaultKind> kinds)
    {
        var set = kinds.ToHashSet();
        if (set.Contains(FaultKind.BitFlip))
            set.Remove(FaultKind.Wipe);
        return set;
    }

    /// <summary>Whether the run names a kind of fault.</summary>
    public bool Has(FaultKind kind) => Named.Contains(kind);

    public override string ToString() => $"seed {Seed}: {Nodes} nodes, {Storm.TotalSeconds:F0} s of {(Named.Count == 0 ? "peace" : string.Join(", ", Named.Order()))}{(SnapshotEntries == 0 ? "" : $", a snapshot every {SnapshotEntries} entries")}{(Joins ? ", nodes join by themselves" : "")}{(Compacts ? ", history is given up" : "")}{(SmallPages ? ", small pages" : "")}";
}
