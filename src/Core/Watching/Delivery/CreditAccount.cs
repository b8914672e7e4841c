namespace Watch.Core.Watching.Delivery;

/// <summary>
/// How much a watch's reader may still be sent. What the reader grants is a total since the registration, never an addition: a grant
/// that is lost, repeated or late shifts nothing, the largest one seen holds.
/// </summary>
/// <remarks>
/// C1: something is sent only while credit is left in events and in bytes. C2: what does not fit into the credit that is left, because a
/// revision is never split here, overdraws it by that one revision; nothing more is sent until the reader has made up for it. Not thread-safe.
/// </remarks>
public struct CreditAccount(long events, long bytes)
{
    private long _grantedEvents = events;
    private long _grantedBytes = bytes;
    private long _usedEvents;
    private long _usedBytes;

    /// <summary>How many events may still be sent.</summary>
    public readonly long Events => _grantedEvents - _usedEvents;

    /// <summary>How many bytes may still be sent.</summary>
    public readonly long Bytes => _grantedBytes - _usedBytes;

    /// <summary>Whether nothing may be sent now (C1).</summary>
    public readonly bool IsSpent => Events <= 0 || Bytes <= 0;

    /// <summary>Takes a grant; whether it allows more than before.</summary>
    /// <param name="events">Events in all since the registration.</param>
    /// <param name="bytes">Bytes in all since the registration.</param>
    public bool Grant(long events, long bytes)
    {
        var isMore = events > _grantedEvents || bytes > _grantedBytes;
        _grantedEvents = Math.Max(_grantedEvents, events);
        _grantedBytes = Math.Max(_grantedBytes, bytes);
        return isMore;
    }

    /// <summary>Something was sent.</summary>
    public void Use(long events, long bytes)
    {
        Invariant.That(events >= 0 && bytes >= 0, "C1: what is sent has a size");
        _usedEvents += events;
        _usedBytes += bytes;
    }
}
