namespace Watch.Core.Keyspace;

/// <summary>What became of a command.</summary>
public enum ApplyStatus : byte
{
    /// <summary>It changed the state.</summary>
    Applied = 0,

    /// <summary>There was nothing to change: a delete of a missing key, a compaction that moves nothing. No revision was consumed.</summary>
    Unchanged = 1,

    /// <summary>The condition did not hold. Nothing changed, no revision was consumed.</summary>
    ConditionFailed = 2,

    /// <summary>
    /// It changed nothing now; whether it did before nobody can say any more: its result is forgotten, or its client had given it up.
    /// </summary>
    Unknown = 3,

    /// <summary>It changed nothing: another write had its id before.</summary>
    IdTaken = 4,
}

/// <summary>The answer to a command.</summary>
/// <param name="Status">What became of it.</param>
/// <param name="Revision">The bucket's revision after it.</param>
/// <param name="Previous">The key before it, null where it did not exist; of a failed condition, the key as it is.</param>
/// <param name="Commit">The changes it made; null where it made none.</param>
/// <param name="Links">
/// One link per watched scope of the changed key: the key itself, then its segments from the deepest to the whole bucket.
/// Empty where nothing is watched or nothing changed.
/// </param>
public readonly record struct Outcome(
    ApplyStatus Status, Revision Revision, KeyValue? Previous, Commit? Commit, IReadOnlyList<ChainLink> Links)
{
    /// <summary>Where it was applied: for a repeated write, where it was applied first.</summary>
    public LogIndex Index { get; init; }

    /// <summary>
    /// Of a repeated write: the key before it may have existed, but history has been compacted past it, so <see cref="Previous"/> is null.
    /// </summary>
    public bool PreviousCompacted { get; init; }
}

/// <summary>One link of a scope's chain: the commit that carries it is the first change of the scope after this revision.</summary>
/// <param name="Scope">The scope.</param>
/// <param name="Previous">The revision of the scope's last change before the commit.</param>
public readonly record struct ChainLink(Scope Scope, Revision Previous);

/// <summary>Nobody watches anything: for replay at start, and for followers.</summary>
public sealed class NothingWatched : IWatchedScopes
{
    /// <summary>The one instance.</summary>
    public static readonly NothingWatched Instance = new();

    private NothingWatched()
    {
    }

    /// <inheritdoc/>
    public bool Any => false;

    /// <inheritdoc/>
    public bool IsWatched(Scope scope) => false;
}
