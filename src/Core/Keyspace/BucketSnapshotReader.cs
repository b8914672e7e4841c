namespace Watch.Core.Keyspace;

/// <summary>
/// Makes a state of a snapshot's pieces. It keeps none of their bytes, so they may be reused; it checks that they are all there, in
/// order, and such as a state can be, but not that nobody changed a bit in them: whoever stores or sends them does.
/// </summary>
public sealed class BucketSnapshotReader
{
    private readonly BucketState _state;
    private readonly List<ResultClient> _clients = [];
    private SnapshotHead? _head;
    private SnapshotSection _section;
    private byte _version;
    private int _pieces;
    private int _keys;
    private int _changes;
    private int _results;
    private Key _lastKey;
    private Revision _lastRevision;
    private int _lastPosition;
    private LogIndex _lastResult;
    private IEnumerator<bool>? _check;
    private bool _completed;

    /// <summary>Begins with no piece.</summary>
    public BucketSnapshotReader()
        : this(ResultLimits.Standard, KeyspaceRules.Standard)
    {
    }

    internal BucketSnapshotReader(ResultLimits limits, KeyspaceRules rules) => _state = new BucketState(limits, rules);

    /// <summary>Takes the next piece.</summary>
    /// <param name="piece">A whole piece, as it was written.</param>
    /// <exception cref="MalformedSnapshotException">It breaks the format; the reader is of no more use.</exception>
    public void Add(ReadOnlySpan<byte> piece)
    {
        var reader = new SnapshotPieceReader(piece, _pieces);
        var version = reader.Byte();
        if (version is < SnapshotFormat.OldestVersion or > SnapshotFormat.Version)
            throw reader.Malformed($"version {version} is not known; this program reads versions {SnapshotFormat.OldestVersion} to {SnapshotFormat.Version}");
        if (_pieces > 0 && version != _version)
            throw reader.Malformed($"version {version} comes behind version {_version}");
        _version = version;
        var section = (SnapshotSection)reader.Byte();
        if (reader.Byte() != 0 || reader.Byte() != 0 || reader.Int() != _pieces)
            throw reader.Malformed("its header is of another one");
        var isFirst = section == SnapshotSection.Head;
        if (section is 0 or > SnapshotSection.Results || section < _section || isFirst != _head is null || _check is not null)
            throw reader.Malformed($"section {(int)section} does not come here");

        (_section, _pieces) = (section, _pieces + 1);
        while (!reader.IsAtEnd)
            ReadItem(ref reader, section);
    }

    /// <summary>The state, when all pieces were taken.</summary>
    /// <exception cref="MalformedSnapshotException">Pieces are missing, or are not of one state.</exception>
    public BucketState Complete()
    {
        while (true)
        {
            if (TryComplete(int.MaxValue) is { } state)
                return state;
        }
    }

    /// <summary>
    /// Does a part of what is left when all pieces were taken, and returns the state when that was all; null before. So a state with many
    /// keys is completed with other work in between.
    /// </summary>
    /// <param name="scopesMax">How many keys and segments are looked at now, at most.</param>
    /// <exception cref="MalformedSnapshotException">Pieces are missing, or are not of one state.</exception>
    public BucketState? TryComplete(int scopesMax)
    {
        if (_completed)
            throw new InvalidOperationException("The snapshot was completed.");
        _check ??= BeginToComplete();
        for (var each = 0; each < scopesMax; each++)
        {
            if (!_check.MoveNext())
            {
                _completed = true;
                return _state;
            }
            if (!_check.Current)
                throw new MalformedSnapshotException("The heads of scopes do not match what they contain.");
        }
        return null;
    }

    private IEnumerator<bool> BeginToComplete()
    {
        if (_head is null || (_keys, _changes, _clients.Count, _results) != (_head.Keys, _head.Changes, _head.Clients, _head.Results) || _state.SegmentCount != _head.Segments)
            throw new MalformedSnapshotException($"The snapshot is not whole: of {_head}, {_pieces} pieces brought {_keys} keys, {_state.SegmentCount} segments, {_changes} changes, {_clients.Count} clients and {_results} results.");
        if (_lastRevision < _head.Revision && _head.Revision > _head.Compacted)
            throw new MalformedSnapshotException($"The history ends at revision {_lastRevision}, the state is of {_head.Revision}.");
        if (_clients.Exists(client => client.Count == 0))
            throw new MalformedSnapshotException("A client without a result is told of.");
        return _state.CompleteRestore().GetEnumerator();
    }

    private void ReadItem(ref SnapshotPieceReader reader, SnapshotSection section)
    {
        switch (section)
        {
            case SnapshotSection.Head when _head is null:
                ReadHead(ref reader);
                break;
            case SnapshotSection.Keys when _keys < _head!.Keys:
                ReadKey(ref reader);
                break;
            case SnapshotSection.Changes when _changes < _head!.Changes:
                ReadChange(ref reader);
                break;
            case SnapshotSection.Clients when _clients.Count < _head!.Clients:
                ReadClient(ref reader);
                break;
            case SnapshotSection.Results when _results < _head!.Results:
                ReadResult(ref reader);
                break;
            default:
                throw reader.Malformed($"section {(int)section} is longer than its head says");
        }
    }

    private void ReadHead(ref SnapshotPieceReader reader)
    {
        _head = new SnapshotHead
        {
            Applied = reader.Index(),
            Revision = reader.Revision(),
            Compacted = reader.Revision(),
            ForgottenThrough = reader.Revision(),
            ResultHorizon = reader.Index(),
            Keys = reader.Count(),
            Segments = reader.Count(),
            Changes = reader.Count(),
            Clients = reader.Count(),
            Results = reader.Count(),
        };
        if (_head.Compacted > _head.Revision || _head.ForgottenThrough > _head.Compacted || _head.ResultHorizon > _head.Applied)
            throw reader.Malformed($"a state can't be {_head}");
        _lastRevision = _head.Compacted;
        _state.Restore(_head);
    }

    private void ReadKey(ref SnapshotPieceReader reader)
    {
        var key = Key.Of(reader.Bytes());
        if (key.IsEmpty || (_keys > 0 && key <= _lastKey))
            throw reader.Malformed($"key {key} comes behind {_lastKey}");
        var head = HeadRevision(ref reader);
        Span<long> segmentHeads = stackalloc long[Scope.DepthMax];
        var newSegments = reader.Byte();
        if (newSegments > Scope.DepthMax)
            throw reader.Malformed($"key {key} has {newSegments} new segments");
        for (var each = 0; each < newSegments; each++)
            segmentHeads[each] = HeadRevision(ref reader).Value;

        var before = _state.SegmentCount;
        var entry = _state.RestoreKey(key, head, reader.Flag() ? ReadVersion(ref reader, key) : null);
        if (_state.SegmentCount - before != newSegments)
            throw reader.Malformed($"key {key} has {_state.SegmentCount - before} new segments, not {newSegments}");
        var segment = entry.Parent!;
        for (var each = newSegments - 1; each >= 0; each--, segment = segment.Parent!)
            segment.Head = new Revision(segmentHeads[each]);
        (_lastKey, _keys) = (key, _keys + 1);
    }

    private Change ReadVersion(ref SnapshotPieceReader reader, Key key)
    {
        var (revision, created, number, commitTimeMs) = (reader.Revision(), reader.Revision(), reader.Natural(), reader.Long());
        var (cause, position, writer) = OriginOf(ref reader, ChangeKind.Put);
        var version = new Change
        {
            Key = key,
            Kind = ChangeKind.Put,
            Revision = revision,
            CreateRevision = created,
            Version = number,
            CommitTimeMs = commitTimeMs,
            Value = reader.Bytes().ToArray(),
            PreviousValue = null,
            Cause = cause,
            Position = position,
            Writer = writer,
        };
        return version.Revision <= _head!.Compacted && version.CreateRevision <= version.Revision && version.CreateRevision > Revision.None && version.Version > 0
            ? version
            : throw reader.Malformed($"key {key} can't have been put last at {version.Revision}, created at {version.CreateRevision}, as version {version.Version}");
    }

    // A change is what its command would make of the key as it stands: see BucketState.ChangeOf.
    private void ReadChange(ref SnapshotPieceReader reader)
    {
        var kind = (ChangeKind)reader.Byte();
        var revision = reader.Revision();
        var commitTimeMs = reader.Long();
        var (cause, position, writer) = OriginOf(ref reader, kind);
        var key = reader.Bytes();
        var value = reader.Bytes();
        if (_state.FindKey(key) is not { } entry)
            throw reader.Malformed($"revision {revision} changes a key that is not told of");
        var goesOn = revision == _lastRevision && _changes > 0;
        if (_version < SnapshotFormat.WritersVersion)
            position = goesOn ? _lastPosition + 1 : 0;
        var isNext = goesOn ? position == _lastPosition + 1 : revision == _lastRevision.Next && position == 0;
        if (!isNext || revision > _head!.Revision)
            throw reader.Malformed($"revision {revision} comes behind {_lastRevision}");
        if (kind > ChangeKind.Delete || (kind == ChangeKind.Delete && (entry.Current is null || !value.IsEmpty)))
            throw reader.Malformed($"revision {revision} can't be a change of kind {(int)kind}");

        var current = entry.Current;
        var change = new Change
        {
            Key = entry.Text,
            Kind = kind,
            Value = value.ToArray(),
            PreviousValue = current?.Value,
            Revision = revision,
            CreateRevision = current?.CreateRevision ?? revision,
            Version = kind == ChangeKind.Put ? (current?.Version ?? 0) + 1 : 0,
            CommitTimeMs = commitTimeMs,
            Cause = cause,
            Position = position,
            Writer = writer,
        };
        _state.RestoreChange(entry, change, existed: current is not null);
        (_lastRevision, _lastPosition, _changes) = (revision, position, _changes + 1);
    }

    private (ChangeCause Cause, int Position, string? Writer) OriginOf(ref SnapshotPieceReader reader, ChangeKind kind)
    {
        if (_version < SnapshotFormat.WritersVersion)
            return (Change.CauseOf(kind), 0, null);
        var (cause, position, writer) = reader.Origin(kind);
        return (cause, position, _state.Writers.Shared(writer));
    }

    private void ReadClient(ref SnapshotPieceReader reader)
    {
        var client = new ResultClient(reader.Client()) { AnsweredBelow = reader.Natural(), Horizon = reader.Index() };
        if (!_state.Results.TryRestore(client))
            throw reader.Malformed($"client {client.Id} comes twice");
        _clients.Add(client);
    }

    private void ReadResult(ref SnapshotPieceReader reader)
    {
        var place = reader.Count();
        var client = place < _clients.Count ? _clients[place] : throw reader.Malformed($"a result is of client {place}");
        var (number, index, stamp) = (reader.Natural(), reader.Index(), new LogTime(reader.Natural()));
        var status = (ApplyStatus)reader.Byte();
        var revision = reader.Revision();
        var record = new ResultRecord(client, number, index, stamp, status, revision, (ulong)reader.Long());
        if (status > ApplyStatus.ConditionFailed || revision > _head!.Revision || (status == ApplyStatus.Applied && revision == Revision.None) || number < client.AnsweredBelow || index <= _lastResult || index > _head.Applied || !_state.Results.TryRestore(record))
            throw reader.Malformed($"the result of write {client.Id}/{number} at index {index} can't be");
        (_lastResult, _results) = (index, _results + 1);
    }

    private Revision HeadRevision(ref SnapshotPieceReader reader)
    {
        var head = reader.Revision();
        return head <= _head!.Revision ? head : throw reader.Malformed($"head {head} lies behind revision {_head.Revision}");
    }
}
