using System.Buffers;

namespace Watch.Core.Keyspace;

/// <summary>
/// A bucket's state as it was at one moment, handed out piece by piece while the state goes on. <see cref="BucketState.BeginSnapshot()"/>
/// makes it; <see cref="BucketSnapshotReader"/> makes a state of its pieces. Used by the state's own thread, between applies.
/// </summary>
/// <remarks>
/// <para>
/// Most of a state never changes: changes are immutable, and history only grows at one end and shrinks at the other. So beginning
/// copies little: history's list of chunks. What does change is, of a scope, its head, and of a key, the version that
/// compaction left. Of these the old value is saved by whoever is about to change it for the first time, until the snapshot
/// has come by; a scope knows by <see cref="ScopeEntry.DoneForSnapshot"/> whether that is still to come. The results are copied in steps
/// (<see cref="Prepare()"/>), by the same idea.
/// </para>
/// <list type="bullet">
/// <item>S1: the pieces tell the state at the moment of the beginning, whatever is applied meanwhile.</item>
/// <item>S2: equal states have equal pieces: keys stand in byte order, changes and results in the order of the log, and a
/// piece ends with the first item that takes it to <see cref="PieceBytes"/>.</item>
/// <item>S3: what can be derived is not told. A change has no previous value, version or create revision: the reader finds them
/// as the state had found them. A segment is told of with its first key; every remembered segment has a remembered key, since the
/// last key to change in it is forgotten no earlier than the segment.</item>
/// <item>S4: a piece costs what its bytes cost, whatever changed since the beginning; the longest one is <see cref="PieceBytes"/> and one
/// item. Only keys that are new since then are passed without being told of, each of them once.</item>
/// </list>
/// <para>
/// While it is open, what compaction drops stays in memory, and each scope that changes for the first time is saved: so it should be
/// read to its end soon, or disposed of. A crash loses it; the next one begins anew.
/// </para>
/// </remarks>
public sealed class BucketSnapshot : IDisposable
{
    /// <summary>So many results are copied in one step: about a millisecond.</summary>
    public const int ResultsPerStep = 8192;

    /// <summary>A piece ends with the first item that takes it to this many bytes.</summary>
    public const int PieceBytes = 256 * 1024;

    private readonly int _number;
    private readonly int _pieceBytes;
    private readonly SnapshotHead _head;
    private readonly ScopeTable _scopes;
    private readonly SharedChanges _changes;
    private readonly SharedResults _results;
    private readonly Action _ended;

    // Saved before they changed: keys that the walk has not reached, by key, and heads of segments.
    private readonly PriorityQueue<SavedKey, Key> _savedKeys = new();
    private readonly Dictionary<Segment, Revision> _savedHeads = [];

    // The segments of the last key that was told of, from the shallowest to the deepest.
    private readonly List<Segment> _told = [];
    private readonly List<Segment> _chain = [];
    private SnapshotSection? _section = SnapshotSection.Head;
    private Key _lastKey;
    private Key _walked;
    private int _keys;
    private int _clients;
    private int _records;
    private int _pieces;
    private bool _disposed;

    internal BucketSnapshot(int number, int pieceBytes, SnapshotHead head, ScopeTable scopes, SharedChanges changes, SharedResults results, Action ended)
    {
        _number = number;
        _pieceBytes = Math.Max(pieceBytes, SnapshotFormat.PieceHeaderBytes + 1);        // so that each piece goes on
        _scopes = scopes;
        _changes = changes;
        _results = results;
        _ended = ended;
        _head = head with { ResultHorizon = results.Horizon, Clients = results.ClientCount, Results = results.Count };
    }

    /// <summary>The revision of the state that it tells.</summary>
    public Revision Revision => _head.Revision;

    /// <summary>The index of the last entry in it: the log goes on behind this one.</summary>
    public LogIndex Applied => _head.Applied;

    /// <summary>Whether every piece has been handed out.</summary>
    public bool IsComplete => _section is null;

    /// <summary>Whether <see cref="Prepare()"/> has nothing left to do.</summary>
    public bool IsPrepared => _results.IsCopied;

    /// <summary>
    /// Does a part of what comes before the pieces: copies <see cref="ResultsPerStep"/> of the results. Whether that was all. Call it until
    /// then, with other work in between; a piece that needs what is not there yet does all of the rest.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The snapshot was disposed of.</exception>
    public bool Prepare() => Prepare(ResultsPerStep);

    internal bool Prepare(int results)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _results.Copy(results);
        return IsPrepared;
    }

    /// <summary>Writes the next piece; false, with nothing written, when there is none.</summary>
    /// <param name="target">Where to.</param>
    /// <exception cref="ObjectDisposedException">The snapshot was disposed of.</exception>
    public bool TryWritePiece(IBufferWriter<byte> target)
    {
        ArgumentNullException.ThrowIfNull(target);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_section is not { } section)
            return false;

        var piece = new SnapshotPieceWriter(target);
        piece.Begin(_pieces++, section);
        switch (section)
        {
            case SnapshotSection.Head:
                piece.Head(_head);
                break;
            case SnapshotSection.Keys:
                WriteKeys(ref piece);
                break;
            case SnapshotSection.Changes:
                while (!_changes.IsAtEnd && piece.Length < _pieceBytes)
                    piece.Change(_changes.Take());
                break;
            case SnapshotSection.Clients:
                _results.Copy(int.MaxValue);
                while (_clients < _results.ClientCount && piece.Length < _pieceBytes)
                    piece.Client(_results.Clients[_clients++]);
                break;
            case SnapshotSection.Results:
                while (_records < _results.Count && piece.Length < _pieceBytes)
                    WriteResult(ref piece, _results.Records[_records++]);
                break;
        }

        _section = NextSection(section);
        return true;
    }

    /// <summary>How many keys the last piece of keys looked at: those that it tells of, one more, and new ones, each of them once (S4).</summary>
    internal int Passed { get; private set; }

    /// <summary>Ends it, complete or not.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _ended();
    }

    /// <summary>A write is about to change the key and all segments around it.</summary>
    internal void BeforeChange(KeyEntry key)
    {
        if (IsComplete)
            return;
        Save(key);
        for (var segment = key.Parent; segment is not null && segment.DoneForSnapshot != _number; segment = segment.Parent)
        {
            _savedHeads.Add(segment, segment.Head);
            segment.DoneForSnapshot = _number;
        }
    }

    /// <summary>A compaction is about to drop versions of the key, or the key itself.</summary>
    internal void BeforeCompaction(KeyEntry key)
    {
        if (!IsComplete)
            Save(key);
    }

    /// <summary>The key is new, and so are segments around it that only new keys have.</summary>
    internal void LeaveOut(KeyEntry key) => key.DoneForSnapshot = _number;

    private void Save(KeyEntry key)
    {
        if (key.DoneForSnapshot == _number)
            return;
        _savedKeys.Enqueue(SavedOf(key), key.Text);
        key.DoneForSnapshot = _number;
    }

    // Changes after the beginning are appended behind the oldest version, so while nothing was compacted it stands at the front.
    private SavedKey SavedOf(KeyEntry key) =>
        new(key, key.Count > 0 && key[0].Revision <= _head.Compacted ? key[0] : null, key.Head);

    private void WriteKeys(ref SnapshotPieceWriter piece)
    {
        Passed = 0;
        var behind = _walked.IsEmpty ? KeyRange.All : KeyRange.All with { Start = Key.Wrap([.. _walked.Span, 0]) };
        foreach (var key in _scopes.Walk(behind))
        {
            Passed++;
            while (_savedKeys.TryPeek(out var saved, out var text) && text <= key.Text && piece.Length < _pieceBytes)
                Write(ref piece, _savedKeys.Dequeue());
            if (piece.Length >= _pieceBytes)
                return;
            _walked = key.Text;
            // Told of just now, or new.
            if (key.DoneForSnapshot == _number)
                continue;
            Write(ref piece, SavedOf(key));
            key.DoneForSnapshot = _number;
        }

        while (_savedKeys.Count > 0 && piece.Length < _pieceBytes)
            Write(ref piece, _savedKeys.Dequeue());
        Invariant.That(piece.Length >= _pieceBytes || _keys == _head.Keys, "S1: every key that there was is told of");
    }

    private void WriteResult(ref SnapshotPieceWriter piece, ResultRecord record) => piece.Result(record, _results.PlaceOf(record));

    private void Write(ref SnapshotPieceWriter piece, SavedKey key)
    {
        Invariant.That(_keys == 0 || key.Entry.Text > _lastKey, "S2: keys stand in byte order");
        piece.Key(key, NewSegmentsOf(key.Entry), HeadOf);
        _lastKey = key.Entry.Text;
        _keys++;
    }

    // Keys of one segment are neighbours in byte order, so a segment that the key before does not share was not told of.
    private ReadOnlySpan<Segment> NewSegmentsOf(KeyEntry key)
    {
        _chain.Clear();
        for (var segment = key.Parent; segment!.Parent is not null; segment = segment.Parent)
            _chain.Add(segment);
        _chain.Reverse();
        var shared = 0;
        while (shared < _chain.Count && shared < _told.Count && ReferenceEquals(_chain[shared], _told[shared]))
            shared++;
        _told.Clear();
        _told.AddRange(_chain);
        return System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_told)[shared..];
    }

    private Revision HeadOf(Segment segment)
    {
        if (_savedHeads.TryGetValue(segment, out var saved))
            return saved;
        segment.DoneForSnapshot = _number;
        return segment.Head;
    }

    private SnapshotSection? NextSection(SnapshotSection section)
    {
        var isDone = section switch
        {
            SnapshotSection.Keys => _keys == _head.Keys,
            SnapshotSection.Changes => _changes.IsAtEnd,
            SnapshotSection.Clients => _clients == _results.ClientCount,
            SnapshotSection.Results => _records == _results.Count,
            _ => true,
        };
        if (!isDone)
            return section;
        for (var next = section + 1; next <= SnapshotSection.Results; next++)
            if (CountOf(next) > 0)
                return next;
        return null;
    }

    private int CountOf(SnapshotSection section) => section switch
    {
        SnapshotSection.Keys => _head.Keys,
        SnapshotSection.Changes => _head.Changes,
        SnapshotSection.Clients => _head.Clients,
        _ => _head.Results,
    };
}

/// <summary>What a snapshot tells of a key.</summary>
/// <param name="Entry">The key.</param>
/// <param name="Version">Its version at or below the compaction point, if it has one.</param>
/// <param name="Head">The revision of its last change.</param>
internal readonly record struct SavedKey(KeyEntry Entry, Change? Version, Revision Head);
