namespace Watch.Core.Keyspace;

/// <summary>
/// The replicated state of one bucket: its keys with their versions, its history, and the chain of every scope. A replica feeds it the
/// committed entries of the bucket's log, one after the other, from one thread; reads come from that thread too, between entries.
/// It knows no clock, no random number and no order of hashes, so replicas that were fed the same entries are equal
/// (<see cref="Digest"/>) and give equal answers.
/// </summary>
/// <remarks>
/// <para>
/// One change is one <see cref="Change"/> object, made when its entry is applied and shared by all who mention it: the bucket's
/// history (<see cref="ChangeLog"/>, in order), its key's versions (<see cref="KeyEntry"/>), and, as a four-byte ordinal into
/// the history, each segment around the key (<see cref="Segment"/>). So the history of a scope is found at a cost that depends on that
/// scope alone, and a change costs a few bytes per segment. A change holds the value before it, which makes the previous
/// value of every change in history independent of what compaction removes.
/// </para>
/// <para>Rules, which the tests check against a model that keeps everything:</para>
/// <list type="bullet">
/// <item>K1: the revision grows by one with a commit, and with nothing else. A refused condition, a delete of a missing key and a
/// compaction consume none. A put of the value that is there is a change.</item>
/// <item>K2: every scope's changes form a chain: a commit's link names the revision of the scope's change before it.</item>
/// <item>K3: what can be read at a revision from the compaction point on is what was there right after that revision's commit.</item>
/// <item>K4: history above the compaction point is complete, and a commit in it is whole.</item>
/// <item>K5: a compaction at C drops the changes at and below C, but for each key keeps the newest version at or below C unless it
/// is a delete: that is what a read at C and later still needs.</item>
/// <item>K6: a scope with a key or with a change above C is never forgotten. An unknown scope's last change counts as the revision
/// through which scopes were forgotten. That is no earlier than its true one, so a receiver whose cursor is older fetches
/// (and learns <see cref="RevisionCompactedException"/>) and can't miss a change silently.</item>
/// </list>
/// <para>
/// After a crash the state is rebuilt by feeding the log again; nothing here is durable by itself. Compaction takes time in
/// proportion to what it drops; a leader that compacts often compacts briefly.
/// </para>
/// </remarks>
public sealed class BucketState
{
    private readonly ScopeTable _scopes = new();
    private readonly ChangeLog _log = new();

    // Scopes of which a compaction left only the head, by the revision of that head.
    private readonly Queue<(ScopeEntry Scope, Revision Head)> _forgettable = new();

    /// <summary>The revision of the last commit.</summary>
    public Revision Revision { get; private set; }

    /// <summary>The compaction point: reads are answered from it on, history behind it.</summary>
    public Revision Compacted { get; private set; }

    /// <summary>What an unknown scope's last change counts as; never behind <see cref="Compacted"/>.</summary>
    public Revision ForgottenThrough { get; private set; }

    /// <summary>How many keys exist now.</summary>
    public long LiveKeys => _scopes.Bucket.LiveKeys;

    /// <summary>How many changes history holds.</summary>
    public int HistoryChanges => _log.Count;

    /// <summary>What history counts as in bytes, by <see cref="PageBytes.Kept"/>.</summary>
    public long HistoryBytes => _log.Bytes;

    /// <summary>How many segments are remembered beside the whole bucket.</summary>
    public int SegmentCount => _scopes.SegmentCount;

    /// <summary>Applies the next committed command of the bucket's log.</summary>
    /// <param name="command">The command.</param>
    /// <param name="commitTimeMs">The leader's wall clock in the entry, in milliseconds since 1970-01-01 UTC: for information only.</param>
    /// <param name="watched">Which scopes want links.</param>
    public Outcome Apply(Command command, long commitTimeMs, IWatchedScopes watched)
    {
        ArgumentNullException.ThrowIfNull(command);
        ArgumentNullException.ThrowIfNull(watched);
        return command switch
        {
            WriteCommand write => Write(write, commitTimeMs, watched),
            CompactCommand compact => Compact(compact),
            _ => throw new ArgumentException($"The state does not know how to apply a {command.GetType().Name}.", nameof(command)),
        };
    }

    /// <summary>A key as it is, or as it was; null where it does not or did not exist.</summary>
    /// <param name="key">The key.</param>
    /// <param name="at">The revision to read at; null for the present.</param>
    /// <exception cref="RevisionCompactedException">The revision lies below the compaction point.</exception>
    /// <exception cref="RevisionNotReachedException">The revision has not been reached.</exception>
    public KeyValue? Get(Key key, Revision? at = null)
    {
        CheckReadable(at);
        return VersionAt(_scopes.FindKey(key), at) is { } version ? Item(version, keysOnly: false) : null;
    }

    /// <summary>A page of the keys of a range, in byte order.</summary>
    /// <param name="range">The range.</param>
    /// <param name="request">How much, from where, as of when.</param>
    /// <exception cref="RevisionCompactedException">The revision lies below the compaction point.</exception>
    /// <exception cref="RevisionNotReachedException">The revision has not been reached.</exception>
    public ScanPage Scan(KeyRange range, ScanRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentOutOfRangeException.ThrowIfLessThan(request.KeysMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(request.BytesMax, 0);
        CheckReadable(request.At);

        var revision = request.At ?? Revision;
        var items = new List<KeyValue>();
        long bytes = 0;
        foreach (var entry in _scopes.Walk(Behind(request.After, range)))
        {
            if (VersionAt(entry, request.At) is not { } version)
                continue;
            bytes += PageBytes.Of(version.Key, request.KeysOnly ? 0 : version.Value.Length);
            if (items.Count > 0 && (items.Count == request.KeysMax || bytes > request.BytesMax))
                return new ScanPage(items, revision, More: true);
            items.Add(Item(version, request.KeysOnly));
        }

        return new ScanPage(items, revision, More: false);
    }

    /// <summary>How many keys of a range exist, or existed. Costs a walk over the range.</summary>
    /// <param name="range">The range.</param>
    /// <param name="at">The revision to read at; null for the present.</param>
    /// <exception cref="RevisionCompactedException">The revision lies below the compaction point.</exception>
    /// <exception cref="RevisionNotReachedException">The revision has not been reached.</exception>
    public long Count(KeyRange range, Revision? at = null)
    {
        CheckReadable(at);
        return _scopes.Walk(range).LongCount(entry => VersionAt(entry, at) is not null);
    }

    /// <summary>
    /// The revision of a scope's last change; of a scope without any that is remembered, <see cref="ForgottenThrough"/>.
    /// </summary>
    public Revision HeadOf(Scope scope) => Find(scope)?.Head ?? ForgottenThrough;

    /// <summary>
    /// A page of a scope's commits in (after, upTo], at a cost that depends on the scope's own changes. The first commit is in
    /// it however large, so asking again from <see cref="HistoryPage.Reached"/> comes to an end.
    /// </summary>
    /// <param name="scope">The scope; each commit holds those of its changes that lie in it.</param>
    /// <param name="after">The cursor: everything up to it is known to the asker.</param>
    /// <param name="upTo">The last revision wanted.</param>
    /// <param name="changesMax">At most this many changes, 1 or more.</param>
    /// <param name="bytesMax">At most this many bytes, counted as <see cref="PageBytes.Of(Change)"/> counts.</param>
    /// <exception cref="RevisionCompactedException">The cursor lies below the compaction point.</exception>
    /// <exception cref="RevisionNotReachedException">The last revision wanted has not been reached.</exception>
    public HistoryPage History(Scope scope, Revision after, Revision upTo, int changesMax, long bytesMax)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(changesMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(bytesMax, 0);
        if (upTo > Revision)
            throw new RevisionNotReachedException(upTo, Revision);
        if (after < Compacted)
            throw new RevisionCompactedException(after, Compacted.Next);

        return Find(scope) switch
        {
            KeyEntry key => HistoryPager.Cut(key, after, upTo, changesMax, bytesMax),
            Segment { Parent: null } => HistoryPager.Cut(_log, after, upTo, changesMax, bytesMax),
            Segment segment => HistoryPager.Cut(new SegmentChanges(segment, _log), after, upTo, changesMax, bytesMax),
            _ => new HistoryPage([], Revision.Max(after, upTo)),
        };
    }

    /// <summary>
    /// The compaction that these limits ask for now, for the leader to propose; null where history is within them. It leaves
    /// seven eighths of a limit, so that not every further commit asks for another.
    /// </summary>
    public Revision? DueCompaction(HistoryLimits limits)
    {
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentOutOfRangeException.ThrowIfLessThan(limits.RevisionsMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(limits.BytesMax, 0);

        var revisions = Revision.Value - Compacted.Value;
        if (revisions <= limits.RevisionsMax && _log.Bytes <= limits.BytesMax)
            return null;

        var through = Compacted;
        if (revisions > limits.RevisionsMax)
            through = new Revision(Revision.Value - SevenEighths(limits.RevisionsMax));
        if (_log.Bytes > limits.BytesMax)
            through = Revision.Max(through, RevisionThatFrees(_log.Bytes - SevenEighths(limits.BytesMax)));
        return through;
    }

    /// <summary>
    /// A checksum over everything that replicas must agree on, in canonical order: revision, compaction, keys with their
    /// versions, heads of scopes, history. Takes time in proportion to the whole state.
    /// </summary>
    public ulong Digest()
    {
        var digest = new StateDigest();
        digest.Add(Revision.Value);
        digest.Add(Compacted.Value);
        digest.Add(ForgottenThrough.Value);
        digest.Add(LiveKeys);
        foreach (var entry in _scopes.Walk(KeyRange.All))
        {
            digest.Add(entry.Text.Span);
            digest.Add(entry.Head.Value);
            digest.Add(entry.Count);
            for (var each = 0; each < entry.Count; each++)
                digest.Add(entry[each]);
        }

        foreach (var segment in _scopes.SegmentsInOrder())
        {
            digest.Add(segment.Text.Span);
            digest.Add(segment.Head.Value);
            digest.Add(segment.LiveKeys);
            digest.Add(segment.ChangeCount);
        }

        for (var each = 0; each < _log.Count; each++)
        {
            digest.Add(_log[each].Revision.Value);
            digest.Add(_log[each].Key.Span);
        }

        return digest.Value;
    }

    private Outcome Write(WriteCommand write, long commitTimeMs, IWatchedScopes watched)
    {
        var entry = _scopes.FindKey(write.Key);
        var current = entry?.Current;
        var previous = current is null ? null : Item(current, keysOnly: false);
        if (write.Condition is { } condition && !condition.Holds(current))
            return new Outcome(ApplyStatus.ConditionFailed, Revision, previous, null, []);
        if (write.Kind == ChangeKind.Delete && current is null)
            return new Outcome(ApplyStatus.Unchanged, Revision, null, null, []);

        entry ??= _scopes.AddKey(write.Key, ForgottenThrough);
        var change = ChangeOf(write, entry.Text, current, commitTimeMs);
        var links = watched.Any ? LinksOf(entry, watched) : [];       // before the heads move (K2)
        Record(entry, change, liveKeys: (write.Kind == ChangeKind.Put ? 1 : 0) - (current is null ? 0 : 1));
        return new Outcome(ApplyStatus.Applied, Revision, previous, new Commit(Revision, [change]), links);
    }

    // The key is the one that the state already has, so that the command's own bytes can go.
    private Change ChangeOf(WriteCommand write, Key key, Change? current, long commitTimeMs) => new()
    {
        Key = key,
        Kind = write.Kind,
        Value = write.Value,
        PreviousValue = current?.Value,
        Revision = Revision.Next,
        CreateRevision = current?.CreateRevision ?? Revision.Next,
        Version = write.Kind == ChangeKind.Put ? (current?.Version ?? 0) + 1 : 0,
        CommitTimeMs = commitTimeMs,
    };

    private IReadOnlyList<ChainLink> LinksOf(KeyEntry entry, IWatchedScopes watched)
    {
        List<ChainLink>? links = null;
        AddIfWatched(new Scope(ScopeKind.Key, entry.Text), entry.Head);
        for (var segment = entry.Parent; segment is not null; segment = segment.Parent)
            AddIfWatched(new Scope(ScopeKind.Prefix, segment.Text), segment.Head);
        return links is null ? [] : links;

        void AddIfWatched(Scope scope, Revision previous)
        {
            if (watched.IsWatched(scope))
                (links ??= []).Add(new ChainLink(scope, previous));
        }
    }

    private void Record(KeyEntry entry, Change change, int liveKeys)
    {
        Revision = change.Revision;
        entry.Append(change);
        entry.Head = change.Revision;
        var ordinal = _log.Append(change);
        for (var segment = entry.Parent; segment is not null; segment = segment.Parent)
        {
            segment.LiveKeys += liveKeys;
            segment.Head = change.Revision;
            if (segment.Parent is not null)                          // the bucket's own list is the log
                segment.Append(ordinal);
        }
    }

    private Outcome Compact(CompactCommand compact)
    {
        if (compact.Through <= Compacted || compact.Through > Revision)
            return new Outcome(ApplyStatus.Unchanged, Revision, null, null, []);

        Compacted = compact.Through;
        while (_log.Count > 0 && _log[0].Revision <= Compacted)
            Drop(_log.DropOldest());
        Forget(Revision.Min(Compacted, compact.ForgetThrough ?? Compacted));
        return new Outcome(ApplyStatus.Applied, Revision, null, null, []);
    }

    private void Drop(Change change)
    {
        var entry = _scopes.FindKey(change.Key);
        Invariant.That(entry is not null, "K6: the key of a change in history is remembered");
        entry.Compact(Compacted);
        NoteIfEmpty(entry, change);
        for (var segment = entry.Parent; segment!.Parent is not null; segment = segment.Parent)
        {
            segment.DropOldest();
            NoteIfEmpty(segment, change);
        }
    }

    // A scope becomes empty with the drop of its last change; noting it only then keeps the queue in the order of heads.
    private void NoteIfEmpty(ScopeEntry scope, Change dropped)
    {
        if (scope.IsEmpty && scope.Head == dropped.Revision)
            _forgettable.Enqueue((scope, scope.Head));
    }

    private void Forget(Revision through)
    {
        ForgottenThrough = Revision.Max(ForgottenThrough, through);
        while (_forgettable.TryPeek(out var oldest) && oldest.Head <= ForgottenThrough)
        {
            _forgettable.Dequeue();
            if (oldest.Scope.IsEmpty && oldest.Scope.Head == oldest.Head)        // else it has changed since, and lives
                _scopes.Forget(oldest.Scope);
        }
    }

    private Revision RevisionThatFrees(long bytes)
    {
        var last = Compacted;
        for (var each = 0; each < _log.Count && bytes > 0; each++)
        {
            last = _log[each].Revision;
            bytes -= PageBytes.Kept(_log[each]);
        }

        return last;
    }

    private ScopeEntry? Find(Scope scope)
    {
        // A deeper segment has no chain of its own: to call it unchanged would be a lie.
        if (scope.Kind == ScopeKind.Prefix && Scope.DeepestSegment(scope.Text.Span) != scope.Text.Length)
            throw new ArgumentException($"'{scope.Text}' is no segment: empty, or ending in '/' and at most {Scope.DepthMax} deep.", nameof(scope));
        return _scopes.Find(scope);
    }

    private void CheckReadable(Revision? at)
    {
        if (at > Revision)
            throw new RevisionNotReachedException(at.Value, Revision);
        if (at < Compacted)
            throw new RevisionCompactedException(at.Value, Compacted);
    }

    private static Change? VersionAt(KeyEntry? entry, Revision? at) => at is { } revision ? entry?.At(revision) : entry?.Current;

    private static KeyValue Item(Change version, bool keysOnly) =>
        new(version.Key, keysOnly ? default : version.Value, version.CreateRevision, version.Revision, version.Version);

    private static KeyRange Behind(Key? after, KeyRange range) =>
        after is { } last && last >= range.Start ? range with { Start = Key.Wrap([.. last.Span, 0]) } : range;

    private static long SevenEighths(long limit) => limit - limit / 8;
}
