namespace Watch.Core.Watching;

/// <summary>
/// What waits for a consumer: parts in order, of which those with events are bounded in events and in bytes, and beside them a
/// slot that only the final notice can take.
/// </summary>
/// <remarks>
/// <list type="bullet">
/// <item>I-S3: the final notice is taken last, and once.</item>
/// <item>I-S4: parts without events count nothing and put nobody to a policy.</item>
/// <item>I-S6: events that were dropped or overtaken are counted in a part that stands where they stood.</item>
/// <item>I-S5: a revision or page larger than the whole queue is admitted when no events wait: it could never be delivered otherwise.
/// One that is larger than a take is taken in fragments, in order, with nothing between them, and moves the cursor with the last.</item>
/// <item>I-S7: a parked queue holds no commit but one of which a fragment was taken, and those before a change of targets: what follows
/// them is read again, through the filter that holds there.</item>
/// </list>
/// <para>Nothing is allocated until the first part comes. Not thread-safe.</para>
/// </remarks>
internal sealed partial class SubscriptionQueue(int eventsMax, long bytesMax, WatchRules rules)
{
    // A queue that has been drained keeps a small buffer for the next change and gives a large one back.
    private const int CapacityKept = 64;

    private PartRing? _parts;
    private EndNotice? _end;
    private int _fragmentsTaken;
    private Revision _completeTo;

    public int EventsMax { get; private set; } = eventsMax;

    public long BytesMax { get; private set; } = bytesMax;

    public int Events { get; private set; }

    public long Bytes { get; private set; }

    /// <summary>How often something was taken.</summary>
    public long Takes { get; set; }

    /// <summary>When something was taken last, as far as the consumer said so; null where nothing was.</summary>
    public long? TakenMs { get; set; }

    /// <summary>The revision up to which the consumer has taken everything; null before the start is known.</summary>
    public Revision? Taken { get; set; }

    public bool IsEnded { get; private set; }

    /// <summary>Whether no part waits.</summary>
    public bool IsEmpty => _parts is not { Count: > 0 };

    /// <summary>Whether a consumer would find anything.</summary>
    public bool IsReady => !IsEmpty || _end is not null;

    /// <summary>When the oldest revision that waits was committed, by the leader's wall clock.</summary>
    public long? OldestWallMs
    {
        get
        {
            for (var i = 0; i < (_parts?.Count ?? 0); i++)
                if (CommitOf(_parts![i]) is { } commit)
                    return commit.Changes[0].CommitTimeMs;
            return null;
        }
    }

    public bool Fits(int events, long bytes) => Events == 0 || (Events + events <= EventsMax && Bytes + bytes <= BytesMax);

    /// <summary>Whether this fits and enough has been drained for another page of replay to be worth a question to history.</summary>
    public bool HasRoomToReplay(int events, long bytes) => Events == 0 || (Events <= EventsMax / 2 && Bytes <= BytesMax / 2 && Fits(events, bytes));

    public bool TryAdd(SharedCommit commit)
    {
        if (IsEnded || !Fits(commit.Events, commit.Bytes))
            return false;
        if (_latest is not null)
            Overtake(commit);
        Add(commit.Parts[0]);
        return true;
    }

    public bool TryAdd(SharedPage page)
    {
        if (IsEnded || !Fits(page.Items.Count, page.Bytes))
            return false;
        Add(new WatchPart.SnapshotItems(page));
        return true;
    }

    /// <summary>Adds a part that has no events, or one that is known to fit.</summary>
    public void Add(WatchPart part)
    {
        var parts = _parts ??= new PartRing();
        // Of two changes of targets at one revision the second one counts.
        if (part is WatchPart.TargetsChanged { From: var from } && parts.Count > 0 && parts[parts.Count - 1] is WatchPart.TargetsChanged { From: var before } && before == from)
            parts[parts.Count - 1] = part;
        else
            parts.Add(part);
        Count(part, 1);
        if (IsBarrier(part))
            _latest?.Clear();
    }

    /// <summary>A live revision is about to come, and nothing of the watch lies between this one and it. Where nothing waits either, all up to there was taken.</summary>
    public void IsCompleteTo(Revision before)
    {
        if (IsEmpty)
            _completeTo = before;
    }

    /// <summary>Gives up what can be read again from history. Returns the cursor to read it from.</summary>
    public Revision Park()
    {
        while (_parts is { Count: > 0 } parts && CanGoBackOver(parts[parts.Count - 1], parts.Count == 1))
        {
            var part = parts.RemoveLast();
            Count(part, -1);
            // What was not delivered yet comes again, and is counted again if it is overtaken again.
            Dropped -= part is WatchPart.Lagged { Count: var dropped } ? dropped : part is WatchPart.Thinned { Overtaken: var overtaken } ? overtaken : 0;
        }

        _latest = null;
        // Who takes nothing for long since nothing comes for it has missed nothing: it need not read what it was never to be given,
        // which may be compacted by now.
        var cursor = Revision.Max(Taken!.Value, _completeTo);
        for (var i = 0; i < (_parts?.Count ?? 0); i++)
            cursor = CursorAfter(_parts![i], cursor)!.Value;
        Trim();
        return cursor;
    }

    /// <summary>Fills the reserved slot; nothing can be added from then on.</summary>
    public void End(EndNotice notice)
    {
        Invariant.That(!IsEnded, "I-S3: a subscription ends once.");
        IsEnded = true;
        _end = notice;
    }

    /// <summary>
    /// Takes parts up to both limits. At least one revision or page if one is first; none where <paramref name="eventsMax"/> is 0:
    /// then only parts without events.
    /// </summary>
    public IReadOnlyList<WatchPart> Take(int eventsMax, long bytesMax)
    {
        if (IsEmpty)
            return [];
        if (IsLarge(_parts![0], bytesMax))
            return eventsMax > 0 ? [TakeFragment(bytesMax)] : [];

        var count = CountToTake(eventsMax, bytesMax);
        if (count == 1 && _parts[0] is WatchPart.Events { Commit: var commit })
        {
            TakeFirst();
            return commit.Parts;
        }

        var taken = new List<WatchPart>(count);
        for (var i = 0; i < count; i++)
            Show(TakeFirst(), taken);
        return taken;
    }

    /// <summary>Takes the final notice, once, and only when nothing waits before it.</summary>
    public EndNotice? TakeEnd()
    {
        if (!IsEmpty)
            return null;
        var end = _end;
        _end = null;
        return end;
    }

    private WatchPart TakeFirst()
    {
        var part = _parts!.TakeFirst();
        Count(part, -1);
        Taken = CursorAfter(part, Taken);
        Trim();
        return part;
    }

    private int CountToTake(int eventsMax, long bytesMax)
    {
        int count = 0, events = 0;
        long bytes = 0;
        for (; count < _parts!.Count; count++)
        {
            var (more, moreBytes) = SizeOf(_parts[count]);
            if (more > 0 && (eventsMax <= 0 || (events > 0 && (events + more > eventsMax || bytes + moreBytes > bytesMax))))
                break;
            if (count > 0 && IsLarge(_parts[count], bytesMax))
                break;
            events += more;
            bytes += moreBytes;
        }

        return count;
    }

    /// <summary>Whether this part, being first, is taken in fragments.</summary>
    private bool IsLarge(WatchPart part, long bytesMax) =>
        CommitOf(part) is { Events: > 1 } commit && (commit.Bytes > bytesMax || (_fragmentsTaken > 0 && ReferenceEquals(part, _parts![0])));

    private WatchPart.Fragment TakeFragment(long bytesMax)
    {
        var part = _parts![0];
        var commit = CommitOf(part)!;
        var first = _fragmentsTaken;
        var bytes = 0L;
        do
            bytes += commit.Form.BytesOf(commit.Changes[_fragmentsTaken++]);
        while (_fragmentsTaken < commit.Events && bytes + commit.Form.BytesOf(commit.Changes[_fragmentsTaken]) <= bytesMax);

        var isLast = _fragmentsTaken == commit.Events;
        var fragment = new WatchPart.Fragment(commit, first, _fragmentsTaken - first, isLast);
        if (isLast)
        {
            _fragmentsTaken = 0;
            if (part is WatchPart.Thinned { Overtaken: var overtaken })
                Replace(0, new WatchPart.Lagged(overtaken, commit.Revision));
            else
                TakeFirst();
        }

        if (isLast || !rules.LastFragmentMoves)
            Taken = commit.Revision;
        return fragment;
    }

    // What is left of a revision that was taken in fragments is the count of those that were overtaken in it: it is not read again.
    private bool CanGoBackOver(WatchPart part, bool isFirst) =>
        part is WatchPart.Lagged { UpTo: var upTo } ? upTo > Taken : (CommitOf(part) is not null && !(isFirst && _fragmentsTaken > 0));

    private void Replace(int index, WatchPart part)
    {
        Count(_parts![index], -1);
        _parts[index] = part;
        Count(part, 1);
    }

    private void Count(WatchPart part, int sign)
    {
        var (events, bytes) = SizeOf(part);
        Events += sign * events;
        Bytes += sign * bytes;
    }

    private void Trim()
    {
        if (_parts is not { Count: 0 })
            return;
        _latest = null;
        if (_parts.Capacity > CapacityKept)
            _parts = null;
    }

    private static SharedCommit? CommitOf(WatchPart part) => part switch
    {
        WatchPart.Events { Commit: var commit } => commit,
        WatchPart.Thinned { Commit: var commit } => commit,
        _ => null,
    };

    private static (int Events, long Bytes) SizeOf(WatchPart part) => part switch
    {
        WatchPart.Events { Commit: var commit } => (commit.Events, commit.Bytes),
        WatchPart.Thinned { Commit: var commit } => (commit.Events, commit.Bytes),
        WatchPart.SnapshotItems { Page: var page } => (page.Items.Count, page.Bytes),
        _ => (0, 0),
    };

    private static Revision? CursorAfter(WatchPart part, Revision? cursor) => part switch
    {
        WatchPart.Events { Commit.Revision: var revision } => revision,
        WatchPart.Thinned { Commit.Revision: var revision } => revision,
        WatchPart.Lagged { UpTo: var upTo } => upTo,
        WatchPart.Synced { At: var at } => at,
        // Everything up to there went through the targets before: who goes on later goes on behind it, with the new ones.
        WatchPart.TargetsChanged { From: var from } => cursor is { } before ? Revision.Max(before, from) : from,
        _ => cursor,
    };
}
