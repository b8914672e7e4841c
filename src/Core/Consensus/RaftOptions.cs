namespace Watch.Core.Consensus;

/// <summary>Times and limits of consensus. Lease and margin are fixed in the catalogue and equal on all nodes.</summary>
public sealed record RaftOptions
{
    /// <summary>How long a leader may answer reads alone after a majority has confirmed it, counted from when it asked. Default 1500 ms.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromMilliseconds(1500);

    /// <summary>
    /// By how much longer a replica stands by a leader than the lease lasts. The clocks of two nodes must not drift apart by more than this during
    /// one lease. Default 150 ms.
    /// </summary>
    public TimeSpan Margin { get; init; } = TimeSpan.FromMilliseconds(150);

    /// <summary>How often a node that leads something tells each other node so, and how long it waits before it sends again what was not answered. Default 300 ms.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>A follower waits up to this much longer, at random, before it stands for election. Default 600 ms.</summary>
    public TimeSpan ElectionJitter { get; init; } = TimeSpan.FromMilliseconds(600);

    /// <summary>Entries in one message, at most.</summary>
    public int AppendEntriesMax { get; init; } = 4096;

    /// <summary>Payload bytes in one message, at most; one entry may go beyond it.</summary>
    public int AppendBytesMax { get; init; } = 1 << 20;

    /// <summary>Entries on their way to one follower of one group, at most.</summary>
    public int InFlightEntriesMax { get; init; } = 16 << 10;

    /// <summary>Payload bytes on their way to one follower of one group, at most; one entry may go beyond it.</summary>
    public int InFlightBytesMax { get; init; } = 16 << 20;

    /// <summary>Entries that a leader takes without having them committed, at most: beyond that it is busy.</summary>
    public int UncommittedEntriesMax { get; init; } = 64 << 10;

    /// <summary>Payload bytes of proposals that a leader takes without having them committed, at most; one batch may go beyond it. Default 256 MiB.</summary>
    public long UncommittedBytesMax { get; init; } = 256L << 20;

    /// <summary>How many entries a learner may lack when it is made a voter.</summary>
    public int PromotionLagEntriesMax { get; init; } = 1000;

    /// <summary>Bytes in one parcel to another node, about: one message may go beyond it.</summary>
    public int ParcelBytesMax { get; init; } = 4 << 20;

    /// <summary>A snapshot of a group is due when so many entries were applied since the last. Default 200,000.</summary>
    public int SnapshotEntries { get; init; } = 200_000;

    /// <summary>A snapshot of a group is due when its entries since the last take so many bytes of the log. Default 64 MiB.</summary>
    public long SnapshotBytes { get; init; } = 64 << 20;

    /// <summary>
    /// While a group's snapshot is sent to a follower, and what was written meanwhile, the next one is due so many times later: it would begin the
    /// transfer anew. Default 4.
    /// </summary>
    public int SnapshotPatience { get; init; } = 4;

    /// <summary>
    /// Each time a transfer had to begin anew with a newer snapshot, <see cref="SnapshotPatience"/> doubles for it, up to this. As much of the
    /// log is in memory then: of the bytes by which a snapshot is due, so many times. Default 16.
    /// </summary>
    public int SnapshotPatienceMax { get; init; } = 16;

    /// <summary>Entries that stay in memory though a snapshot stands for them, at most: a follower that lacks no more needs no snapshot. Default 10,000.</summary>
    public int SnapshotTailEntries { get; init; } = 10_000;

    /// <summary>Bytes of entries that stay in memory though a snapshot stands for them, at most. Default 8 MiB.</summary>
    public long SnapshotTailBytes { get; init; } = 8 << 20;

    /// <summary>
    /// Bytes of further entries that stay in a leader's memory though a snapshot stands for them, at most, for followers who listen and have not
    /// got them yet; one that lags by more is sent the snapshot. Default 64 MiB.
    /// </summary>
    public long FollowerTailBytes { get; init; } = 64 << 20;

    /// <summary>Snapshots that a node sends at a time, at most; each takes a chunk of memory. Default 4.</summary>
    public int SnapshotTransfersMax { get; init; } = 4;

    /// <summary>How long a leader waits before it sends a chunk again that was not answered, in heartbeat intervals. Default 3.</summary>
    public int ChunkRetryHeartbeats { get; init; } = 3;

    /// <summary>A chunk is sent so often to a follower that listens and says nothing of it; then its place is given to others. Default 10.</summary>
    public int ChunkSendsMax { get; init; } = 10;

    /// <summary>A follower that did not take what it was sent of a snapshot is sent it again after so long, and each further time after twice as long. Default 2 s.</summary>
    public TimeSpan TransferPause { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary><see cref="TransferPause"/> doubles up to this. Default one minute.</summary>
    public TimeSpan TransferPauseMax { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>What one group has in old segments of the log is written again, so that they can go, up to so many bytes; more waits for its snapshot. At most <see cref="Storage.LogOptions.RetirementBytesMax"/>. Default 1 MiB.</summary>
    public int RewriteBytesMax { get; init; } = 1 << 20;

    /// <summary>When the log has more segments, snapshots are taken of groups that hold the oldest one. Default 8.</summary>
    public int LogSegmentsMax { get; init; } = 8;

    /// <summary>How long a replica that acknowledged a leader supports nobody else.</summary>
    public TimeSpan Promise => Lease + Margin;

    /// <summary>Throws where a value makes no sense.</summary>
    public void Validate()
    {
        Require(Lease > TimeSpan.Zero, nameof(Lease), Lease, "more than zero");
        Require(Margin > TimeSpan.Zero, nameof(Margin), Margin, "more than zero");
        Require(HeartbeatInterval > TimeSpan.Zero && HeartbeatInterval * 2 <= Lease, nameof(HeartbeatInterval), HeartbeatInterval, "more than zero and at most half the lease");
        Require(ElectionJitter > TimeSpan.Zero, nameof(ElectionJitter), ElectionJitter, "more than zero");
        Require(AppendEntriesMax > 0, nameof(AppendEntriesMax), AppendEntriesMax, "more than zero");
        Require(AppendBytesMax > 0, nameof(AppendBytesMax), AppendBytesMax, "more than zero");
        Require(InFlightEntriesMax >= AppendEntriesMax, nameof(InFlightEntriesMax), InFlightEntriesMax, $"at least {nameof(AppendEntriesMax)}");
        Require(InFlightBytesMax >= AppendBytesMax, nameof(InFlightBytesMax), InFlightBytesMax, $"at least {nameof(AppendBytesMax)}");
        Require(UncommittedEntriesMax > 0, nameof(UncommittedEntriesMax), UncommittedEntriesMax, "more than zero");
        Require(UncommittedBytesMax > 0, nameof(UncommittedBytesMax), UncommittedBytesMax, "more than zero");
        Require(PromotionLagEntriesMax >= 0, nameof(PromotionLagEntriesMax), PromotionLagEntriesMax, "zero or more");
        Require(ParcelBytesMax > 0, nameof(ParcelBytesMax), ParcelBytesMax, "more than zero");
        Require(SnapshotEntries > 0, nameof(SnapshotEntries), SnapshotEntries, "more than zero");
        Require(SnapshotBytes > 0, nameof(SnapshotBytes), SnapshotBytes, "more than zero");
        Require(SnapshotPatience > 0, nameof(SnapshotPatience), SnapshotPatience, "more than zero");
        Require(SnapshotPatienceMax >= SnapshotPatience, nameof(SnapshotPatienceMax), SnapshotPatienceMax, $"at least {nameof(SnapshotPatience)}");
        Require(SnapshotTailEntries >= 0, nameof(SnapshotTailEntries), SnapshotTailEntries, "zero or more");
        Require(SnapshotTailBytes >= 0, nameof(SnapshotTailBytes), SnapshotTailBytes, "zero or more");
        Require(FollowerTailBytes >= 0, nameof(FollowerTailBytes), FollowerTailBytes, "zero or more");
        Require(SnapshotTransfersMax > 0, nameof(SnapshotTransfersMax), SnapshotTransfersMax, "more than zero");
        Require(ChunkRetryHeartbeats > 0, nameof(ChunkRetryHeartbeats), ChunkRetryHeartbeats, "more than zero");
        Require(ChunkSendsMax > 0, nameof(ChunkSendsMax), ChunkSendsMax, "more than zero");
        Require(TransferPause > TimeSpan.Zero, nameof(TransferPause), TransferPause, "more than zero");
        Require(TransferPauseMax >= TransferPause, nameof(TransferPauseMax), TransferPauseMax, $"at least {nameof(TransferPause)}");
        Require(RewriteBytesMax >= 0, nameof(RewriteBytesMax), RewriteBytesMax, "zero or more");
        Require(LogSegmentsMax > 1, nameof(LogSegmentsMax), LogSegmentsMax, "more than one");
    }

    /// <summary>Throws where a value makes no sense, or none with a log of these limits.</summary>
    public void Validate(Storage.LogOptions log)
    {
        ArgumentNullException.ThrowIfNull(log);
        Validate();
        Require(RewriteBytesMax <= log.RetirementBytesMax, nameof(RewriteBytesMax), RewriteBytesMax, $"at most {log.RetirementBytesMax}, what a batch may take that retires segments of {log.SegmentBytesMax} bytes");
    }

    private static void Require(bool holds, string name, object value, string allowed)
    {
        if (!holds)
            throw new ArgumentException($"{name} is {value}; it must be {allowed}.", name);
    }
}
