namespace Watch.Core.Keyspace;

/// <summary>
/// The rules on which "exactly once" and snapshots rest, one small function each, so that a test can break one at a time and see that its checkers
/// notice. The product uses this class as it stands.
/// </summary>
internal class KeyspaceRules
{
    internal static readonly KeyspaceRules Standard = new();

    /// <summary>Whether a write with this number is one of those whose answers its client has (T4).</summary>
    internal virtual bool IsAnswered(long number, long answeredBelow) => number < answeredBelow;

    /// <summary>Whether the outcome of a write of this age may have been evicted (T4).</summary>
    internal virtual bool IsForgotten(LogIndex seen, LogIndex horizon) => seen < horizon;

    /// <summary>Whether a write is the one that had the id before (T7).</summary>
    internal virtual bool IsSameWrite(ulong fingerprint, ulong before) => fingerprint == before;

    /// <summary>Whether history tells that a key did not exist at a revision, and not only that compaction took it (T1).</summary>
    internal virtual bool TellsAbsence(Revision at, Revision compacted) => at >= compacted;

    /// <summary>Whether what a snapshot still has to tell of is saved before it changes (S1).</summary>
    internal virtual bool SavesForSnapshots => true;

    /// <summary>Whether results that leave before a snapshot has copied them are saved for it (S1).</summary>
    internal virtual bool SavesResultsForSnapshots => true;

    /// <summary>Whether a snapshot holds the results and their horizons.</summary>
    internal virtual bool KeepsResultsInSnapshots => true;
}
