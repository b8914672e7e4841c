namespace Watch.Core.Keyspace;

/// <content>What history is given up, and how much of it at a time.</content>
public sealed partial class BucketState
{
    /// <summary>
    /// What is dropped by one entry stands in so many places, or little more: a change in the history of its key, of the bucket, and of
    /// each segment between them. It is some milliseconds' work.
    /// </summary>
    public const int CompactionPlacesMax = 16_384;

    // Scopes of which a compaction left only the head, by the revision of that head.
    private readonly Queue<(ScopeEntry Scope, Revision Head)> _forgettable = new();

    /// <summary>
    /// The compaction that these limits ask for now, for the leader to propose; null where history is within them. It aims at
    /// seven eighths of a limit; where it is done in steps, the first one that gets below the limit is the last, so what is left may be any
    /// part between. Each step drops thousands of changes, so not every further commit asks for another.
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
    /// As much of a compaction as one entry should do, for the leader to propose: all replicas apply it in one go, and meanwhile none of
    /// them answers anybody. It ends with the revision whose changes fill <see cref="CompactionPlacesMax"/> places, and forgets at most twice
    /// as many scopes beside those that it empties itself: more than a step can empty, so none stay behind for ever.
    /// </summary>
    /// <param name="through">What is to be compacted; what is behind the result is for the next steps. Not behind <see cref="Revision"/>.</param>
    /// <param name="forgetThrough">Through which revision scopes may be forgotten.</param>
    public CompactCommand CompactionStep(Revision through, Revision forgetThrough)
    {
        if (through > Revision)
            throw new RevisionNotReachedException(through, Revision);
        var places = 0;
        for (var each = 0; each < _log.Count && _log[each].Revision <= through; each++)
        {
            var isNew = each > 0 && _log[each].Revision != _log[each - 1].Revision;
            if (isNew && places >= CompactionPlacesMax)
            {
                through = _log[each - 1].Revision;
                break;
            }

            places += PlacesOf(_log[each]);
        }

        var scopes = 0;
        foreach (var (_, head) in _forgettable)
            if (++scopes == 2 * CompactionPlacesMax)
            {
                // Heads ascend: what waits behind this one, which may be millions, is for later steps.
                forgetThrough = Revision.Min(forgetThrough, head);
                break;
            }

        // What was proposed before need not have been applied, so more may be free to forget than this step goes through; no entry says so.
        return new CompactCommand(through, Revision.Min(forgetThrough, through));
    }

    private Outcome Compact(CompactCommand compact, AppliedAt at)
    {
        if (compact.Through <= Compacted || compact.Through > Revision)
            return new Outcome(ApplyStatus.Unchanged, Revision, null, null, []) { Index = at.Index };

        Compacted = compact.Through;
        while (_log.Count > 0 && _log[0].Revision <= Compacted)
            Drop(_log.DropOldest());
        Forget(Revision.Min(Compacted, compact.ForgetThrough ?? Compacted));
        return new Outcome(ApplyStatus.Applied, Revision, null, null, []) { Index = at.Index };
    }

    private void Drop(Change change)
    {
        var entry = _scopes.FindKey(change.Key);
        Invariant.That(entry is not null, "K6: the key of a change in history is remembered");
        _saving?.BeforeCompaction(entry);
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
                ForgetScope(oldest.Scope);
        }
    }

    // A change stands in the history of its key, of the bucket, and of each segment between them.
    private int PlacesOf(Change change)
    {
        var places = 1;
        for (var scope = _scopes.FindKey(change.Key)?.Parent; scope is not null; scope = scope.Parent)
            places++;
        return places;
    }

    private void ForgetScope(ScopeEntry scope)
    {
        if (scope is KeyEntry key)
            _saving?.BeforeCompaction(key);
        _scopes.Forget(scope);
    }

    private Revision RevisionThatFrees(long bytes)
    {
        var last = Compacted;
        // A step of compaction goes no further anyway.
        for (var each = 0; each < Math.Min(_log.Count, CompactionPlacesMax) && bytes > 0; each++)
        {
            last = _log[each].Revision;
            bytes -= PageBytes.Kept(_log[each]);
        }

        return last;
    }

    private static long SevenEighths(long limit) => limit - limit / 8;
}
