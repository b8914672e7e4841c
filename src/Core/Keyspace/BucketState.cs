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
/// <item>K7: entries are applied in the order of the log, each once. A write with an id takes effect in one of its entries at most
/// (<see cref="ResultTable"/>).</item>
/// </list>
/// <para>
/// After a crash the state is rebuilt by feeding the log again, from the beginning or behind a snapshot (<see cref="BucketSnapshot"/>);
/// nothing here is durable by itself. Compaction takes time in
/// proportion to what it drops, so a leader proposes it in steps (<see cref="CompactionStep"/>).
/// </para>
/// </remarks>
public sealed partial class BucketState
{
    private readonly ScopeTable _scopes = new();
    private readonly ChangeLog _log = new();
    private readonly ResultTable _results;
    private readonly KeyspaceRules _rules;
    private readonly WriterNames _writers = new();

    /// <summary>The state of a bucket in which nothing was ever written.</summary>
    public BucketState()
        : this(ResultLimits.Standard, KeyspaceRules.Standard)
    {
    }

    internal BucketState(ResultLimits limits, KeyspaceRules rules)
    {
        _rules = rules;
        _results = new ResultTable(limits, rules);
    }

    /// <summary>The index of the last entry that was applied.</summary>
    public LogIndex Applied { get; private set; }

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

    /// <summary>How many answers to numbered writes are remembered.</summary>
    public int ResultCount => _results.Count;

    /// <summary>Applies the next committed command of the bucket's log.</summary>
    /// <param name="command">The command.</param>
    /// <param name="at">The place of its entry; its index is higher than that of any applied before.</param>
    /// <param name="watched">Which scopes want links.</param>
    public Outcome Apply(Command command, AppliedAt at, IWatchedScopes watched)
    {
        ArgumentNullException.ThrowIfNull(command);
        ArgumentNullException.ThrowIfNull(watched);
        Invariant.That(at.Index > Applied, "K7: entries are applied in the order of the log, each once");
        Applied = at.Index;
        var outcome = command switch
        {
            WriteCommand { Id: { } id } write => WriteOnce(write, id, at, watched),
            WriteCommand write => Write(write, at, watched),
            CompactCommand compact => Compact(compact, at),
            _ => throw new ArgumentException($"The state does not know how to apply a {command.GetType().Name}.", nameof(command)),
        };
        _results.Evict(at.Stamp);
        return outcome;
    }

    /// <summary>
    /// A checksum over everything that replicas must agree on, in canonical order: revision, compaction, keys with their
    /// versions, heads of scopes, history, results of numbered writes. Takes time in proportion to the whole state.
    /// </summary>
    public ulong Digest()
    {
        var digest = new StateDigest();
        digest.Add(Applied.Value);
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

        _results.AddTo(ref digest);
        return digest.Value;
    }

    private Outcome WriteOnce(WriteCommand write, in WriteId id, AppliedAt at, IWatchedScopes watched)
    {
        var isKnown = _results.TryFind(id, out var known);
        if (!isKnown && _results.MayBeForgotten(id, at.Index))
            return new Outcome(ApplyStatus.Unknown, Revision, null, null, []) { Index = at.Index };

        var fingerprint = WriteFingerprint.Of(write);
        if (isKnown)
            return _rules.IsSameWrite(fingerprint, known!.Fingerprint)
                ? Again(write, known)
                : new Outcome(ApplyStatus.IdTaken, Revision, null, null, []) { Index = at.Index };

        var outcome = Write(write, at, watched);
        _results.Add(id, at, outcome.Status, outcome.Revision, fingerprint);
        return outcome;
    }

    // What the first copy changed was published then, or is repaired from history: a repeated answer carries no changes.
    private Outcome Again(WriteCommand write, ResultRecord known)
    {
        // The key before the write: by K3 and K5, of a version that is still there it is the right one, and that none is there says
        // something from the compaction point on.
        var before = known.Status == ApplyStatus.Applied ? known.Revision.Previous : known.Revision;
        var version = known.Status == ApplyStatus.Unchanged ? null : _scopes.FindKey(write.Key)?.At(before);
        var isKnown = known.Status == ApplyStatus.Unchanged || version is not null || _rules.TellsAbsence(before, Compacted);
        return new Outcome(known.Status, known.Revision, version is null ? null : Item(version, keysOnly: false), null, [])
        {
            Index = known.Index,
            PreviousCompacted = !isKnown,
        };
    }

    private Outcome Write(WriteCommand write, AppliedAt at, IWatchedScopes watched)
    {
        var entry = _scopes.FindKey(write.Key);
        var current = entry?.Current;
        var previous = current is null ? null : Item(current, keysOnly: false);
        if (write.Condition is { } condition && !condition.Holds(current))
            return new Outcome(ApplyStatus.ConditionFailed, Revision, previous, null, []) { Index = at.Index };
        if (write.Kind == ChangeKind.Delete && current is null)
            return new Outcome(ApplyStatus.Unchanged, Revision, null, null, []) { Index = at.Index };

        entry ??= AddKey(write.Key);
        var change = ChangeOf(write, entry.Text, current, at.WallTimeMs);
        var links = watched.Any ? LinksOf(entry, watched) : [];       // before the heads move (K2)
        Record(entry, change, liveKeys: (write.Kind == ChangeKind.Put ? 1 : 0) - (current is null ? 0 : 1));
        return new Outcome(ApplyStatus.Applied, Revision, previous, new Commit(Revision, [change]), links) { Index = at.Index };
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
        Cause = Change.CauseOf(write.Kind),
        Writer = _writers.Shared(write.Writer),
    };

    private IReadOnlyList<ChainLink> LinksOf(KeyEntry entry, IWatchedScopes watched)
    {
        List<ChainLink>? links = null;
        AddIfWatched(new Scope(ScopeKind.Key, entry.Text), entry.Head);
        for (var segment = entry.Parent; segment is not null; segment = segment.Parent)
            AddIfWatched(new Scope(ScopeKind.Prefix, segment.Text), segment.Head);
        return links ?? (IReadOnlyList<ChainLink>)[];

        void AddIfWatched(Scope scope, Revision previous)
        {
            if (watched.IsWatched(scope))
                (links ??= []).Add(new ChainLink(scope, previous));
        }
    }

    private void Record(KeyEntry entry, Change change, int liveKeys)
    {
        _saving?.BeforeChange(entry);
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

    private KeyEntry AddKey(Key key)
    {
        var entry = _scopes.AddKey(key, ForgottenThrough);
        _saving?.LeaveOut(entry);
        return entry;
    }

    private static KeyValue Item(Change version, bool keysOnly) =>
        new(version.Key, keysOnly ? default : version.Value, version.CreateRevision, version.Revision, version.Version);
}
