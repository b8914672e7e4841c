namespace Watch.Core.Keyspace;

/// <summary>The revision asked for lies below the history window.</summary>
/// <param name="requested">The revision asked for: the one to read at, or the cursor to go on from.</param>
/// <param name="firstAvailable">
/// The first revision that can be had: for a read, the compaction point itself; for history, the revision behind it, which is
/// the first start revision (inclusive) of a watch.
/// </param>
public sealed class RevisionCompactedException(Revision requested, Revision firstAvailable)
    : Exception($"Revision {requested} is compacted; the first available one is {firstAvailable}.")
{
    /// <summary>The revision asked for.</summary>
    public Revision Requested { get; } = requested;

    /// <summary>The first revision that can be had.</summary>
    public Revision FirstAvailable { get; } = firstAvailable;
}

/// <summary>The revision asked for has not been reached here.</summary>
/// <param name="requested">The revision asked for.</param>
/// <param name="current">The bucket's revision on this replica.</param>
public sealed class RevisionNotReachedException(Revision requested, Revision current)
    : Exception($"Revision {requested} has not been reached; the bucket is at {current}.")
{
    /// <summary>The revision asked for.</summary>
    public Revision Requested { get; } = requested;

    /// <summary>The bucket's revision on this replica.</summary>
    public Revision Current { get; } = current;
}
