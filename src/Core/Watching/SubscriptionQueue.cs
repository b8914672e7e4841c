namespace Watch.Core.Watching;

/// <summary>A revision's size, as queues and limits count it: computed once per message, not once per subscriber.</summary>
internal readonly record struct CommitSize(int Events, long Bytes, long PreviousBytes)
{
    public static CommitSize Of(IReadOnlyList<Change> changes)
    {
        long bytes = 0, previousBytes = 0;
        for (var i = 0; i < changes.Count; i++)
        {
            bytes += changes[i].Key.Length + changes[i].Value.Length;
            previousBytes += changes[i].PreviousValue?.Length ?? 0;
        }

        return new CommitSize(changes.Count, bytes, previousBytes);
    }
}

/// <summary>A revision that waits for its consumer. The commit is shared with every other subscriber of the scope.</summary>
internal readonly record struct QueuedCommit(Commit Commit, int Events, long Bytes);

/// <summary>
/// Whole revisions in order, bounded in events and in bytes, and beside them one slot that only the final notice can take.
/// A revision larger than the whole queue is admitted when the queue is empty: it could never be delivered otherwise.
/// Nothing is allocated until the first revision comes. Not thread-safe.
/// </summary>
internal sealed class SubscriptionQueue(int eventsMax, long bytesMax)
{
    // A queue that has been drained keeps a small buffer for the next change and gives a large one back.
    private const int CapacityKept = 64;

    private Queue<QueuedCommit>? _commits;
    private EndNotice? _end;

    public int EventsMax => eventsMax;

    public long BytesMax => bytesMax;

    public int Events { get; private set; }

    public long Bytes { get; private set; }

    public bool IsEmpty => _commits is not { Count: > 0 };

    public bool IsEnded { get; private set; }

    /// <summary>Whether a consumer would find anything.</summary>
    public bool IsReady => !IsEmpty || _end is not null;

    public bool Fits(int events, long bytes) => IsEmpty || (Events + events <= eventsMax && Bytes + bytes <= bytesMax);

    /// <summary>Whether this fits and enough has been drained for another page of replay to be worth a question to history.</summary>
    public bool HasRoomToReplay(int events, long bytes) => IsEmpty || (Events <= eventsMax / 2 && Bytes <= bytesMax / 2 && Fits(events, bytes));

    public bool TryAdd(in QueuedCommit commit)
    {
        if (IsEnded || !Fits(commit.Events, commit.Bytes))
            return false;
        (_commits ??= new Queue<QueuedCommit>()).Enqueue(commit);
        Events += commit.Events;
        Bytes += commit.Bytes;
        return true;
    }

    /// <summary>Fills the reserved slot; nothing can be added from then on.</summary>
    public void End(EndNotice notice)
    {
        Invariant.That(!IsEnded, "Q1: a subscription ends once.");
        IsEnded = true;
        _end = notice;
    }

    /// <summary>Takes whole revisions up to both limits, but at least one if there is one.</summary>
    public Commit[] Take(int eventsMax, long bytesMax)
    {
        if (IsEmpty)
            return [];

        int count = 0, events = 0;
        long bytes = 0;
        foreach (var each in _commits!)
        {
            if (count > 0 && (events + each.Events > eventsMax || bytes + each.Bytes > bytesMax))
                break;
            count++;
            events += each.Events;
            bytes += each.Bytes;
        }

        var taken = new Commit[count];
        for (var i = 0; i < count; i++)
            taken[i] = _commits.Dequeue().Commit;
        Events -= events;
        Bytes -= bytes;
        if (_commits.Count == 0 && _commits.Capacity > CapacityKept)
            _commits = null;
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
}
