namespace Watch.Simulation.Tests.Faults;

/// <summary>What can go wrong in a run. Each is counted when it really happened, not when it was meant to.</summary>
internal enum FaultKind
{
    /// <summary>A message between two nodes, or a client and its gateway, never arrived.</summary>
    MessageLost,

    /// <summary>A message arrived twice.</summary>
    MessageDuplicated,

    /// <summary>A message took much longer than others.</summary>
    MessageDelayed,

    /// <summary>A message arrived before one that had been sent earlier on the same way.</summary>
    MessageReordered,

    /// <summary>Two parts of the cluster could not reach each other, and a message was lost for it.</summary>
    Partition,

    /// <summary>The same in one direction only.</summary>
    OneWayPartition,

    /// <summary>The leader could reach nobody, nor be reached.</summary>
    LeaderIsolated,

    /// <summary>A silo's process ended between two of its steps.</summary>
    Crash,

    /// <summary>A machine lost its power before, in the middle of, or after an operation of its disk.</summary>
    CrashAtDisk,

    /// <summary>A power failure took writes that had not been synced.</summary>
    UnsyncedWritesLost,

    /// <summary>A power failure left some sectors of one write and not others.</summary>
    TornWrite,

    /// <summary>A bit that had been durable was another one when its node came back, and the node refused to start.</summary>
    BitFlip,

    /// <summary>A disk had no room.</summary>
    DiskFull,

    /// <summary>A sync failed, and what it should have written was forgotten.</summary>
    SyncError,

    /// <summary>A disk took a long time for an operation.</summary>
    SlowDisk,

    /// <summary>A node's wall clock jumped.</summary>
    WallClockJump,

    /// <summary>A node's monotonic clock ran fast or slow.</summary>
    ClockDrift,

    /// <summary>A silo did nothing for a while, and then went on.</summary>
    Freeze,

    /// <summary>A silo that still ran, or would run again, was declared gone.</summary>
    WronglyDeclaredDead,

    /// <summary>A node came back with an empty folder.</summary>
    Wipe,

    /// <summary>A voter was removed or added while writes went on.</summary>
    MembershipChange,

    /// <summary>The leader and one follower could not reach each other, and soon after it heard nobody any more while the others still heard it.</summary>
    UnevenCut,

    /// <summary>The node that drove a change of members ended in the midst of it.</summary>
    DriverCrash,

    /// <summary>No fault, but what faults are to meet: a snapshot got its name.</summary>
    SnapshotWritten,

    /// <summary>No fault, either: a replica went on from a snapshot that it was sent.</summary>
    SnapshotInstalled,

    /// <summary>Nor this: a segment of a log was given up behind snapshots.</summary>
    SegmentRetired,

    /// <summary>A machine lost its power at an operation on a file of a snapshot.</summary>
    CrashInSnapshot,

    /// <summary>A disk refused an operation on a file of a snapshot.</summary>
    SnapshotRefused,

    /// <summary>A publishing never reached its stream.</summary>
    StreamLost,

    /// <summary>A publishing reached its stream twice.</summary>
    StreamDuplicated,

    /// <summary>A publishing reached its stream late, behind others.</summary>
    StreamReordered,

    /// <summary>A silo's hubs of streams were gone, with what they had taken and not handed on.</summary>
    HubKilled,

    /// <summary>A silo's sessions of watching clients were gone, and nobody was told.</summary>
    SessionKilled,

    /// <summary>A client's process did nothing for a while, and then went on.</summary>
    ClientFrozen,

    /// <summary>A client's process ended, and another one went on from the cursors that it had kept.</summary>
    ClientGone,

    /// <summary>No fault, but what faults are to meet: history was given up.</summary>
    HistoryGivenUp,

    /// <summary>Nor this: a watch needed what had been given up, and said so or resynchronized.</summary>
    WatchOvertaken,
}

/// <summary>How often each kind of fault really happened.</summary>
internal sealed class FaultCounts
{
    private readonly long[] _counts = new long[Enum.GetValues<FaultKind>().Length];

    public long this[FaultKind kind] => _counts[(int)kind];

    public void Add(FaultKind kind, long times = 1) => _counts[(int)kind] += times;

    public void Add(FaultCounts other)
    {
        for (var at = 0; at < _counts.Length; at++)
            _counts[at] += other._counts[at];
    }

    public override string ToString() => string.Join(", ", Enum.GetValues<FaultKind>().Where(kind => this[kind] > 0).Select(kind => $"{kind} {this[kind]}"));
}
