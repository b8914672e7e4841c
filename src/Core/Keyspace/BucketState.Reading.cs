namespace Watch.Core.Keyspace;

/// <content>Reads of the state and of its history.</content>
public sealed partial class BucketState
{
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
        ArgumentOutOfRangeException.ThrowIfLessThan(request.VisitsMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(request.BytesMax, 0);
        CheckReadable(request.At);

        var revision = request.At ?? Revision;
        var items = new List<KeyValue>();
        var (bytes, visits) = (0L, 0);
        Key? last = null;
        foreach (var entry in _scopes.Walk(Behind(request.After, range)))
        {
            if (visits++ == request.VisitsMax)
                return new ScanPage(items, revision, More: true, last);
            if (VersionAt(entry, request.At) is { } version)
            {
                bytes += PageBytes.Of(version.Key, request.KeysOnly ? 0 : version.Value.Length);
                if (items.Count > 0 && (items.Count == request.KeysMax || bytes > request.BytesMax))
                    return new ScanPage(items, revision, More: true, last, IsFull: true);
                items.Add(Item(version, request.KeysOnly));
            }

            last = entry.Text;
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
    /// it however large, so asking again from <see cref="HistoryPage.Reached"/> comes to an end; only one that no message should carry
    /// whole, of more than <see cref="PageBytes.PieceMax"/>, comes in pieces.
    /// </summary>
    /// <param name="scope">The scope; each commit holds those of its changes that lie in it.</param>
    /// <param name="after">The cursor: everything up to it is known to the asker.</param>
    /// <param name="upTo">The last revision wanted.</param>
    /// <param name="changesMax">At most this many changes, 1 or more.</param>
    /// <param name="bytesMax">At most this many bytes, counted as <see cref="PageBytes.Of(Change)"/> counts.</param>
    /// <param name="skip">How many changes of the first commit behind the cursor are had already: it began in the page before.</param>
    /// <exception cref="RevisionCompactedException">The cursor lies below the compaction point.</exception>
    /// <exception cref="RevisionNotReachedException">The last revision wanted has not been reached.</exception>
    public HistoryPage History(Scope scope, Revision after, Revision upTo, int changesMax, long bytesMax, int skip = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(changesMax, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(skip);
        ArgumentOutOfRangeException.ThrowIfLessThan(bytesMax, 0);
        if (upTo > Revision)
            throw new RevisionNotReachedException(upTo, Revision);
        if (after < Compacted)
            throw new RevisionCompactedException(after, Compacted.Next);

        return Find(scope) switch
        {
            KeyEntry key => HistoryPager.Cut(key, after, upTo, changesMax, bytesMax, skip),
            Segment { Parent: null } => HistoryPager.Cut(_log, after, upTo, changesMax, bytesMax, skip),
            Segment segment => HistoryPager.Cut(new SegmentChanges(segment, _log), after, upTo, changesMax, bytesMax, skip),
            _ => new HistoryPage([], Revision.Max(after, upTo)),
        };
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

    private static KeyRange Behind(Key? after, KeyRange range) =>
        after is { } last && last >= range.Start ? range with { Start = Key.Wrap([.. last.Span, 0]) } : range;
}
