using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// Snapshots of a node's groups, and what becomes of the log behind them.
///
/// Taking one: <see cref="TryTakeDue"/> names a group; the shell asks <see cref="BeginSnapshot"/> what a snapshot of its state stands for,
/// writes the state to a file piece by piece while everything else goes on, and reports <see cref="SnapshotTaken"/> when that file is
/// durable. Then <see cref="TryCollectRetirement"/> may give segments of the log up.
///
/// Sending and receiving one: <see cref="TryTakeSnapshotWork"/> says what to read and to write. A snapshot that was received and installed
/// comes out of <see cref="TryTakeCommitted"/>, in its place among the entries.
///
///   N6  A segment of the log is given up only when nothing of it is needed: each group's term and vote stand in a later one, a later one
///       says which snapshot stands for the entries that go (so that a lost snapshot is noticed), and entries behind a snapshot were
///       written again. That, and the word that the segment is retired, are one batch: all of it or nothing.
/// </summary>
public sealed partial class Node
{
    private readonly Queue<SnapshotWork> _snapshotWork = new();
    private readonly SortedSet<GroupId> _due = [];
    private LogIndex _catalogueApplied;
    private bool _isRetiring;

    /// <summary>The last entry of the system group that the catalogue has in it.</summary>
    public LogIndex CatalogueApplied => _catalogueApplied;

    /// <summary>Whether the disk has something to do for snapshots: one is due, or a transfer waits.</summary>
    public bool HasSnapshotWork => _due.Count > 0 || _snapshotWork.Count > 0;

    /// <summary>Takes the next group of which a snapshot is due. It is named again when it still is due after more entries.</summary>
    public bool TryTakeDue(out GroupId group)
    {
        group = _due.Min;
        return _due.Remove(group);
    }

    /// <summary>What a snapshot stands for that is taken of a group's state now; null where the last one stands for the same.</summary>
    /// <param name="id">The group.</param>
    /// <param name="applied">The last entry that its state has in it.</param>
    public SnapshotInfo? BeginSnapshot(GroupId id, LogIndex applied)
    {
        _due.Remove(id);
        return _groups.TryGetValue(id, out var group) && applied > group.SnapshotIndex ? group.BeginSnapshot(applied) : null;
    }

    /// <summary>A snapshot that was begun here is durable and has its name.</summary>
    public void SnapshotTaken(SnapshotInfo taken)
    {
        ArgumentNullException.ThrowIfNull(taken);
        _groups[taken.Group].SnapshotTaken(taken);
        Note(_groups[taken.Group]);
    }

    /// <summary>A snapshot that was begun here was not kept: a newer one was received meanwhile, or there was no room for it; then it is due again later.</summary>
    public void SnapshotGivenUp(SnapshotInfo begun, bool hadNoRoom)
    {
        ArgumentNullException.ThrowIfNull(begun);
        _groups[begun.Group].SnapshotGivenUp(hadNoRoom);
    }

    /// <summary>Takes the next thing that a transfer wants of the disk.</summary>
    public bool TryTakeSnapshotWork(out SnapshotWork work) => _snapshotWork.TryDequeue(out work!);

    /// <summary>A chunk was read.</summary>
    /// <param name="work">What was asked for.</param>
    /// <param name="content">Its bytes; null where that snapshot is not there any more, empty behind the last chunk.</param>
    /// <param name="isLast">Whether it is the last one.</param>
    /// <param name="now">The clocks.</param>
    public void ChunkRead(SnapshotWork.Read work, ReadOnlyMemory<byte>? content, bool isLast, in Moment now)
    {
        ArgumentNullException.ThrowIfNull(work);
        var group = _groups[work.Snapshot.Group];
        group.Leading?.ChunkRead(work, content, isLast, now);
        Note(group);
    }

    /// <summary>A chunk was written.</summary>
    /// <param name="work">What was asked for.</param>
    /// <param name="kept">With the last chunk: whether the snapshot is the group's newest now; not so where a newer one was there.</param>
    /// <param name="now">The clocks.</param>
    public void ChunkWritten(SnapshotWork.Write work, bool kept, in Moment now)
    {
        ArgumentNullException.ThrowIfNull(work);
        var group = _groups[work.Snapshot.Group];
        group.ChunkWritten(work, kept, now);
        Note(group);
    }

    /// <summary>
    /// A chunk that was received could not be read, or not written for want of room: what there was of the snapshot is gone. Its sender is told,
    /// and sends it again after a pause.
    /// </summary>
    public void ChunkRefused(SnapshotWork.Write work)
    {
        ArgumentNullException.ThrowIfNull(work);
        var group = _groups[work.Snapshot.Group];
        group.ChunkRefused(work);
        Note(group);
    }

    /// <summary>
    /// Collects what must be written again before the oldest segments of the log can go, and the word that they are retired. The batch is
    /// written, synced and reported like any other (<see cref="Persisted"/>); then the segments below <paramref name="firstKept"/> may be
    /// deleted. False where none can go: the groups that hold the log up are due for a snapshot then, if it has become long.
    /// </summary>
    /// <param name="use">What the segments hold; nothing may be at the disk.</param>
    /// <param name="batch">An empty batch.</param>
    /// <param name="bytesMax">How long the batch may become (<see cref="LogOptions.RetirementBytesMax"/>).</param>
    /// <param name="firstKept">The first segment that stays.</param>
    public bool TryCollectRetirement(LogUse use, LogBatch batch, long bytesMax, out long firstKept)
    {
        ArgumentNullException.ThrowIfNull(use);
        ArgumentNullException.ThrowIfNull(batch);
        Invariant.That(!IsPersisting && batch.IsEmpty, "N1: one batch is at the disk at a time");
        var (oldest, current) = (use.Segments.Keys.First(), use.Segments.Keys.Last());
        firstKept = oldest;
        var again = new RewriteBudget(Math.Min(bytesMax, BatchBytes), Math.Min(bytesMax, _context.Options.RewriteBytesMax));
        while (firstKept < current && MayGo(use.Segments[firstKept], again, isLong: use.Segments.Count > _context.Options.LogSegmentsMax))
            firstKept++;
        if (firstKept == oldest)
            return false;
        foreach (var group in again.Groups.Where(_ => _context.Rules.WritesAgainWhatGoes))
            WriteAgain(_groups[group], use, firstKept, batch);
        batch.AddFirst(firstKept);                                       // N6
        Invariant.That(batch.Length <= again.Bytes && again.Bytes <= bytesMax, $"N6: what is written again is bounded ({batch.Length} bytes, {again.Bytes} of {bytesMax} counted)");
        _isRetiring = true;
        return true;
    }

    private bool MayGo(LogUse.Segment segment, RewriteBudget budget, bool isLong)
    {
        var groups = segment.Groups.Where(_groups.ContainsKey).ToDictionary(id => id, id => EntryBytesAgain(_groups[id], segment, budget.GroupBytesMax));
        var holding = groups.Where(each => each.Value > budget.GroupBytesMax).Select(each => each.Key).ToList();
        if (holding.Count == 0 && budget.TryAdd(groups))
            return true;
        // Where each of them has little and all of them have too much, those with most of it.
        if (isLong)
            _due.UnionWith((holding.Count > 0 ? holding : budget.Excess(groups)).Where(id => _groups[id].EntriesBehindSnapshot > 0 && _groups[id].MayTakeSnapshot));
        return false;
    }

    /// <summary>How many bytes of a group's entries have to be written again before a segment goes, or more than a limit.</summary>
    private static long EntryBytesAgain(RaftGroup group, LogUse.Segment segment, long limit)
    {
        if (!group.IsCollectedBehindSnapshot)
            return long.MaxValue;
        var bytes = 0L;
        if (segment.Last.GetValueOrDefault(group.Id) <= group.SnapshotIndex)
            return bytes;
        foreach (var entry in group.CollectedBehindSnapshot.Span)
        {
            bytes += LogBatch.BytesOf(entry);
            if (bytes > limit)
                break;
        }
        return bytes;
    }

    /// <summary>N6.</summary>
    private static void WriteAgain(RaftGroup group, LogUse use, long firstKept, LogBatch batch)
    {
        var last = LogIndex.None;
        foreach (var (_, segment) in use.Segments.Where(each => each.Key < firstKept))
            last = LogIndex.Max(last, segment.Last.GetValueOrDefault(group.Id));
        var (baseSegment, baseIndex) = use.BaseOf(group.Id);
        if (group.Snapshot is { } snapshot && (baseSegment < firstKept || baseIndex < LogIndex.Min(last, snapshot.Index)))
            batch.Add(group.Id, new LogBase(snapshot.Index, snapshot.Term, Keeps: true));
        if (use.HardStateOf(group.Id) < firstKept)
            batch.Add(group.Id, group.CollectedState);
        if (last <= group.SnapshotIndex)
            return;
        foreach (var entry in group.CollectedBehindSnapshot.Span)
            batch.Add(group.Id, entry);
    }

    /// <summary>The catalogue as a snapshot holds it, whether it was recovered or received.</summary>
    private void LoadCatalogue(ReadOnlyMemory<byte> content, LogIndex upTo)
    {
        Catalogue = CatalogueSnapshot.Decode(content, upTo);
        _catalogueApplied = upTo;
        foreach (var born in Catalogue.AsCommands().OfType<CatalogueCommand.ClusterBorn>())
            Learn(born);
    }

    /// <summary>N3, of groups whose creation a snapshot stands for.</summary>
    private void BeginMissingGroups(in Moment now)
    {
        foreach (var bucket in Catalogue.Buckets.Values)
        {
            if (bucket.FirstVoters.Contains(Self.Id) && !_groups.ContainsKey(bucket.Group))
                Begin(bucket.Group, bucket.FirstVoters, [], now);
        }
    }

    private void NoteSnapshots(RaftGroup group)
    {
        while (group.TryTakeWork(out var work))
            _snapshotWork.Enqueue(work);
        if (group.TakeInstalled() is { } installed)
            _committed.Enqueue(new CommittedEntries(group.Id, default, installed.Info) { Content = installed.Content });
        if (group.IsDueForSnapshot)
            _due.Add(group.Id);
    }
}
