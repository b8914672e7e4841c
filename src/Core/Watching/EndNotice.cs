namespace Watch.Core.Watching;

/// <summary>Why a subscription ended. Every end has a reason; the numbers are stable: they travel and are documented.</summary>
public enum EndReason
{
    /// <summary>Its owner ended it.</summary>
    Disposed = 1,

    /// <summary>Its client is gone: the lease of its session ran out.</summary>
    ClientLost = 2,

    /// <summary>A change did not fit into its queue.</summary>
    Slow = 3,

    /// <summary>History no longer has the revisions that it would need next.</summary>
    Compacted = 4,

    /// <summary>Its bucket was deleted.</summary>
    BucketDeleted = 5,

    /// <summary>Its client may not, or no longer, read what it watches.</summary>
    Unauthorized = 6,

    /// <summary>The silo that serves it is stopping.</summary>
    ServerStopping = 7,

    /// <summary>Its callback threw.</summary>
    CallbackFailed = 8,

    /// <summary>Its callback took too long.</summary>
    CallbackTimedOut = 9,

    /// <summary>Watching was switched off.</summary>
    WatchDisabled = 10,
}

/// <summary>The last thing a subscriber reads, always, and exactly once.</summary>
public sealed record EndNotice
{
    /// <summary>Why it ended.</summary>
    public required EndReason Reason { get; init; }

    /// <summary>
    /// The revision up to which every change of the target was delivered before this notice; a watch that starts at the
    /// next one goes on without a gap. Null where the subscription ended before it had a start.
    /// </summary>
    public required Revision? Cursor { get; init; }

    /// <summary>For people: what happened, with its numbers.</summary>
    public required string Message { get; init; }

    /// <summary>Of <see cref="EndReason.Slow"/>: the first key of the change that did not fit; else empty.</summary>
    public Key Key { get; init; }

    /// <summary>Of <see cref="EndReason.Compacted"/>: the earliest revision at which a new watch can start.</summary>
    public Revision? FirstAvailable { get; init; }
}
