namespace Watch.Core.Watching;

/// <summary>Something that is to be done at a time; in one list at most, at one time at most.</summary>
internal abstract class Due
{
    public const long Never = long.MaxValue;

    public long DueMs { get; set; } = Never;

    public bool IsSet => DueMs != Never;
}

/// <summary>A registration that failed and is to be repeated.</summary>
internal sealed class RegistrationRetry(Subscription subscription) : Due
{
    public Subscription Subscription => subscription;

    public int Failures { get; set; }
}

/// <summary>
/// A scope that has begun and that its leader lacks. It is registered again until the leader has it: that is the scope's business, for the
/// subscription under whose number that is tried may end or go elsewhere meanwhile (I-P5).
/// </summary>
internal sealed class UnknownScope(ScopeFeed feed) : Due
{
    public ScopeFeed Feed => feed;

    public int Failures { get; set; }

    /// <summary>The last question about progress before it was registered again: a later one is answered behind that registration.</summary>
    public long AskedBehind { get; set; }
}

/// <summary>
/// What is due when. Moving or calling off an entry leaves the old one behind, which is skipped when its time comes, or thrown out when
/// there are as many of them as of others: what is due in an hour holds a watch that ended long before, with all that waits in it.
/// </summary>
internal sealed class DueList
{
    // With so few entries it is not worth looking for those that were left behind.
    private const int LeftBehindMin = 32;

    private readonly PriorityQueue<Due, long> _queue = new();
    private int _sweepAt = LeftBehindMin;

    /// <summary>How many entries it holds, with those that were left behind.</summary>
    public int Count => _queue.Count;

    /// <summary>The time of the earliest entry, or null.</summary>
    public long? NextMs
    {
        get
        {
            while (_queue.TryPeek(out var due, out var atMs))
            {
                if (due.DueMs == atMs)
                    return atMs;
                _queue.Dequeue();
            }

            return null;
        }
    }

    public void Set(Due due, long atMs)
    {
        if (due.DueMs == atMs)
            return;
        due.DueMs = atMs;
        _queue.Enqueue(due, atMs);
        if (_queue.Count >= _sweepAt)
            Sweep();
    }

    public static void CallOff(Due? due)
    {
        if (due is not null)
            due.DueMs = Due.Never;
    }

    public Due? TakeDue(long nowMs)
    {
        if (NextMs is not { } atMs || atMs > nowMs)
            return null;
        var due = _queue.Dequeue();
        due.DueMs = Due.Never;
        return due;
    }

    private void Sweep()
    {
        var kept = _queue.UnorderedItems.Where(entry => entry.Element.DueMs == entry.Priority).Distinct().ToList();
        _queue.Clear();
        _queue.EnqueueRange(kept);
        _queue.TrimExcess();
        _sweepAt = Math.Max(LeftBehindMin, 2 * kept.Count);
    }
}
