namespace Watch.Core.Watching;

// What policies do to a queue that is full: drop, or let newer changes overtake older ones of their keys. Whatever goes is counted
// in a part that stands where it stood (I-S6): the cursor at every part means the same as if nothing had gone.
internal sealed partial class SubscriptionQueue
{
    // Where the newest change of each key waits, by its place in the ring; from the time when changes overtake each other until the queue is empty.
    private Dictionary<Key, long>? _latest;
    private int _laggedParts;

    /// <summary>How many events were dropped or overtaken so far.</summary>
    public long Dropped { get; private set; }

    /// <summary>Whether more waits than the bounds allow, and more than the one revision that always may.</summary>
    public bool IsTooFull => (Events > EventsMax || Bytes > BytesMax) && _parts!.Count > 1;

    /// <summary>Changes the bounds. What waits already may be more.</summary>
    public void SetBounds(int eventsMax, long bytesMax)
    {
        (EventsMax, BytesMax) = (eventsMax, bytesMax);
        _latest = null;
    }

    /// <summary>Counts a revision as dropped, behind all that waits.</summary>
    public void Drop(SharedCommit commit) => AddLagged(commit.Events, commit.Revision);

    /// <summary>Drops the oldest revision that can be dropped. Returns whether there was one.</summary>
    public bool TryDropOldest()
    {
        for (var i = _fragmentsTaken > 0 ? 1 : 0; i < (_parts?.Count ?? 0); i++)
        {
            if (CommitOf(_parts![i]) is not { } commit)
                continue;
            var overtaken = _parts[i] is WatchPart.Thinned thinned ? thinned.Overtaken : 0;
            var lagged = new WatchPart.Lagged(overtaken + Counted(commit.Events), commit.Revision);
            if (i > 0 && _parts[i - 1] is WatchPart.Lagged before)
            {
                Count(_parts[i], -1);
                _parts[i - 1] = lagged with { Count = lagged.Count + before.Count };
                _parts.RemoveNearHead(i);
            }
            else
                Replace(i, lagged);
            return true;
        }

        return false;
    }

    /// <summary>Drops the newest revisions until what is left is within the bounds.</summary>
    public void DropNewest()
    {
        var (count, upTo) = (0L, default(Revision));
        while (IsTooFull && CanGoBackOver(_parts![_parts.Count - 1], isFirst: false))
        {
            var part = _parts.RemoveLast();
            Count(part, -1);
            upTo = Revision.Max(upTo, CursorAfter(part, null)!.Value);
            count += part switch
            {
                WatchPart.Lagged lagged => lagged.Count,
                WatchPart.Thinned thinned => thinned.Overtaken + Counted(thinned.Commit.Events),
                _ => Counted(CommitOf(part)!.Events),
            };
        }

        if (upTo > default(Revision))
            Merge(count, upTo);
    }

    /// <summary>Adds a revision after its changes have overtaken older ones of their keys, if it fits then.</summary>
    public bool TryCoalesce(SharedCommit commit)
    {
        if (IsEnded)
            return false;
        Coalesce();
        // Only what is added overtakes: else what it overtook would be gone, and it would not be there, should the watch end now.
        var (events, bytes) = Overtaken(commit);
        if (events < Events && !Fits(commit.Events - events, commit.Bytes - bytes))
            return false;
        Overtake(commit);
        Add(commit.Parts[0]);
        return true;
    }

    /// <summary>Lets the newest change of each key overtake the older ones that wait.</summary>
    public void Coalesce()
    {
        if (_latest is not null || _parts is null)
            return;
        (_latest, _laggedParts) = ([], 0);
        for (var i = _fragmentsTaken > 0 ? 1 : 0; i < _parts.Count; i++)
            if (CommitOf(_parts[i]) is { } commit)
                Overtake(commit, i);
            else if (IsBarrier(_parts[i]))
                _latest.Clear();
    }

    // What stands behind a change of targets, or behind a snapshot, may be given up and read again without what stands before it.
    private static bool IsBarrier(WatchPart part) => CommitOf(part) is null && part is not WatchPart.Lagged;

    /// <summary>What of the queue this revision would overtake.</summary>
    private (int Events, long Bytes) Overtaken(SharedCommit commit)
    {
        var (events, bytes) = (0, 0L);
        var next = (_parts?.TakenCount ?? 0) + (_parts?.Count ?? 0);
        if (commit.Events == 1)
        {
            var key = commit.Changes[0].Key;
            if (OlderOf(key, next) is { Events: var count } one)
                for (var i = 0; i < count; i++)
                    if (one.Changes[i].Key == key)
                        (events, bytes) = (events + 1, bytes + one.Form.BytesOf(one.Changes[i]));
            return (events, bytes);
        }

        foreach (var (place, keys) in OlderOf(commit, next))
            if (WaitingAt((int)(place - _parts!.TakenCount)) is { } older)
                foreach (var change in older.Changes)
                    if (keys.Contains(change.Key))
                        (events, bytes) = (events + 1, bytes + older.Form.BytesOf(change));
        return (events, bytes);
    }

    // Most revisions have one change: for each of those one look-up, and nothing is allocated.
    private SharedCommit? OlderOf(Key key, long place) =>
        _latest!.TryGetValue(key, out var older) && older != place ? WaitingAt((int)(older - _parts!.TakenCount)) : null;

    /// <summary>Where older changes of this revision's keys are, and of which keys: each place is looked at once, however many keys it has.</summary>
    private Dictionary<long, HashSet<Key>> OlderOf(SharedCommit commit, long place)
    {
        var places = new Dictionary<long, HashSet<Key>>();
        foreach (var change in commit.Changes)
        {
            if (!_latest!.TryGetValue(change.Key, out var older) || older == place)
                continue;
            if (!places.TryGetValue(older, out var keys))
                places.Add(older, keys = []);
            keys.Add(change.Key);
        }

        return places;
    }

    /// <summary>The revision that waits there, of which nothing was taken yet.</summary>
    private SharedCommit? WaitingAt(int index) => index < 0 || (index == 0 && _fragmentsTaken > 0) ? null : CommitOf(_parts![index]);

    private void Overtake(SharedCommit commit)
    {
        Compact();
        Overtake(commit, _parts?.Count ?? 0);
    }

    private void Overtake(SharedCommit commit, int index)
    {
        var place = (_parts?.TakenCount ?? 0) + index;
        if (commit.Events == 1)
            Thin(commit.Changes[0].Key, place);
        else
            foreach (var (older, keys) in OlderOf(commit, place))
                Thin((int)(older - _parts!.TakenCount), keys);
        for (var i = 0; i < commit.Events; i++)
            _latest![commit.Changes[i].Key] = place;
    }

    /// <summary>Takes the changes of some keys out of the revision that waits there, which may have been taken meanwhile.</summary>
    private void Thin(int index, HashSet<Key> keys)
    {
        if (WaitingAt(index) is { } commit)
            Keep(index, commit, [.. commit.Changes.Where(change => !keys.Contains(change.Key))]);
    }

    private void Thin(Key key, long place)
    {
        if (OlderOf(key, place) is { } commit)
            Keep((int)(_latest![key] - _parts!.TakenCount), commit, commit.Events == 1 ? [] : Without(key, commit));
    }

    private static List<Change> Without(Key key, SharedCommit commit) => [.. commit.Changes.Where(change => change.Key != key)];

    /// <summary>These changes of the revision that waits there stay; the others are counted.</summary>
    private void Keep(int index, SharedCommit commit, IReadOnlyList<Change> kept)
    {
        var overtaken = Counted(commit.Events - kept.Count) + (_parts![index] is WatchPart.Thinned thinned ? thinned.Overtaken : 0);
        if (kept.Count == 0)
            _laggedParts++;
        Replace(index, kept.Count == 0
            ? new WatchPart.Lagged(overtaken, commit.Revision)
            : new WatchPart.Thinned(new SharedCommit(commit.Revision, kept, commit.Form), overtaken));
    }

    /// <summary>Makes one of counts that follow each other, once they are more than what they stand between.</summary>
    private void Compact()
    {
        if (_laggedParts < 64 || _laggedParts < _parts!.Count / 2)
            return;
        var parts = new List<WatchPart>();
        for (var i = 0; i < _parts.Count; i++)
            Append(_parts[i], parts);
        while (_parts.Count > 0)
            _parts.RemoveLast();
        (_latest, _laggedParts) = ([], 0);
        foreach (var part in parts)
        {
            if (CommitOf(part) is { } commit && !(_parts.Count == 0 && _fragmentsTaken > 0))
                for (var i = 0; i < commit.Events; i++)
                    _latest[commit.Changes[i].Key] = _parts.TakenCount + _parts.Count;
            else if (IsBarrier(part))
                _latest.Clear();
            _parts.Add(part);
        }
    }

    private void AddLagged(int events, Revision upTo) => Merge(Counted(events), upTo);

    private void Merge(long count, Revision upTo)
    {
        if (_parts is { Count: > 0 } && _parts[_parts.Count - 1] is WatchPart.Lagged before)
            _parts[_parts.Count - 1] = new WatchPart.Lagged(before.Count + count, upTo);
        else
            Add(new WatchPart.Lagged(count, upTo));
    }

    private long Counted(int events)
    {
        Dropped += events;
        return rules.CountsDropped ? events : 0;
    }

    /// <summary>A part as a consumer sees it.</summary>
    private static void Show(WatchPart part, List<WatchPart> taken)
    {
        if (part is not WatchPart.Thinned thinned)
        {
            Append(part, taken);
            return;
        }

        taken.Add(thinned.Commit.Parts[0]);
        taken.Add(new WatchPart.Lagged(thinned.Overtaken, thinned.Commit.Revision));
    }

    private static void Append(WatchPart part, List<WatchPart> parts)
    {
        if (part is WatchPart.Lagged lagged && parts.Count > 0 && parts[^1] is WatchPart.Lagged before)
            parts[^1] = lagged with { Count = lagged.Count + before.Count };
        else
            parts.Add(part);
    }
}
