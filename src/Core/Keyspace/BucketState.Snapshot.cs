namespace Watch.Core.Keyspace;

/// <content>Taking a snapshot, and coming from one.</content>
public sealed partial class BucketState
{
    private BucketSnapshot? _snapshot;

    // What is told before a scope changes: the open snapshot.
    private BucketSnapshot? _saving;
    private int _snapshots;

    /// <summary>
    /// Begins a snapshot of the state as it is now; its pieces are then read one by one, between applies, which go on meanwhile. It
    /// takes well under a millisecond. One at a time: dispose of it before the next begins.
    /// </summary>
    /// <exception cref="InvalidOperationException">A snapshot is open.</exception>
    public BucketSnapshot BeginSnapshot() => BeginSnapshot(BucketSnapshot.PieceBytes);

    internal BucketSnapshot BeginSnapshot(int pieceBytes)
    {
        if (_snapshot is not null)
            throw new InvalidOperationException("A snapshot of this bucket is open.");
        var head = new SnapshotHead
        {
            Applied = Applied,
            Revision = Revision,
            Compacted = Compacted,
            ForgottenThrough = ForgottenThrough,
            Keys = _scopes.KeyCount,
            Segments = _scopes.SegmentCount,
            Changes = _log.Count,
        };
        var results = _rules.KeepsResultsInSnapshots ? _results.Share() : SharedResults.None;
        var snapshot = new BucketSnapshot(++_snapshots, pieceBytes, head, _scopes, _log.Share(), results, EndSnapshot);
        _snapshot = snapshot;
        _saving = _rules.SavesForSnapshots ? snapshot : null;
        return snapshot;
    }

    /// <summary>The state that a snapshot's pieces hold.</summary>
    /// <param name="pieces">All of them, in order.</param>
    /// <exception cref="MalformedSnapshotException">The pieces break the format, or are not all there, or not of one state.</exception>
    public static BucketState Load(IEnumerable<ReadOnlyMemory<byte>> pieces) => Load(pieces, KeyspaceRules.Standard);

    internal static BucketState Load(IEnumerable<ReadOnlyMemory<byte>> pieces, KeyspaceRules rules)
    {
        ArgumentNullException.ThrowIfNull(pieces);
        var reader = new BucketSnapshotReader(ResultLimits.Standard, rules);
        foreach (var piece in pieces)
            reader.Add(piece.Span);
        return reader.Complete();
    }

    private void EndSnapshot()
    {
        (_snapshot, _saving) = (null, null);
        _log.Unshare();
        _results.Unshare();
    }

    /// <summary>Takes over what stands at a snapshot's head.</summary>
    internal void Restore(SnapshotHead head)
    {
        (Applied, Revision, Compacted, ForgottenThrough) = (head.Applied, head.Revision, head.Compacted, head.ForgottenThrough);
        _scopes.Bucket.Head = head.Revision;
        _results.Restore(head.ResultHorizon);
    }

    /// <summary>Adds a key of a snapshot with its version at or below the compaction point, and those of its segments that are new.</summary>
    internal KeyEntry RestoreKey(Key key, Revision head, Change? version)
    {
        var entry = _scopes.AddKey(key, ForgottenThrough);
        entry.Head = head;
        if (version is null)
            return entry;
        entry.Append(version);
        for (var segment = entry.Parent; segment is not null; segment = segment.Parent)
            segment.LiveKeys++;
        return entry;
    }

    internal KeyEntry? FindKey(ReadOnlySpan<byte> key) => _scopes.FindKey(key);

    /// <summary>Adds a change of a snapshot: what the entry that made it had added, but for the heads, which are there.</summary>
    internal void RestoreChange(KeyEntry entry, Change change, bool existed)
    {
        entry.Append(change);
        var ordinal = _log.Append(change);
        var liveKeys = (change.Kind == ChangeKind.Put ? 1 : 0) - (existed ? 1 : 0);
        for (var segment = entry.Parent; segment is not null; segment = segment.Parent)
        {
            segment.LiveKeys += liveKeys;
            if (segment.Parent is not null)
                segment.Append(ordinal);
        }
    }

    internal WriterNames Writers => _writers;

    internal ResultTable Results => _results;

    /// <summary>
    /// Checks the heads against what is there, and lists the scopes of which only the head is left, oldest first, as the compactions
    /// that emptied them had: one scope at a time, so that whoever calls may do other work in between. False where a head can't be; then
    /// that was all.
    /// </summary>
    internal IEnumerable<bool> CompleteRestore()
    {
        var empty = new PriorityQueue<ScopeEntry, (Revision, int)>();
        foreach (var key in _scopes.Walk(KeyRange.All))
        {
            var isRight = key.Newest is null ? key.Head <= Compacted : key.Head == key.Newest.Revision;
            if (isRight && key.IsEmpty)
                empty.Enqueue(key, (key.Head, empty.Count));
            yield return isRight;
        }

        foreach (var segment in _scopes.Segments)
        {
            var last = segment.ChangeCount == 0 ? default(Revision?) : _log.ByOrdinal(segment.Ordinal(segment.ChangeCount - 1)).Revision;
            var isRight = last is { } revision ? segment.Head == revision : segment.Head <= Compacted;
            if (isRight && segment.IsEmpty)
                empty.Enqueue(segment, (segment.Head, empty.Count));
            yield return isRight;
        }

        while (empty.TryDequeue(out var scope, out _))
        {
            _forgettable.Enqueue((scope, scope.Head));
            yield return true;
        }
    }
}
