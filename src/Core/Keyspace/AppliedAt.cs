using Watch.Core.Storage;

namespace Watch.Core.Keyspace;

/// <summary>The place in the log, and in time, at which a command is applied: what of its entry the state decides by.</summary>
/// <param name="Index">The entry's index; each one applied is higher than the one before.</param>
/// <param name="Stamp">The log's time, by which the state may decide.</param>
/// <param name="WallTimeMs">The leader's wall clock in milliseconds since 1970-01-01 UTC: for information only.</param>
public readonly record struct AppliedAt(LogIndex Index, LogTime Stamp, long WallTimeMs)
{
    /// <summary>The place of an entry.</summary>
    public static AppliedAt Of(Entry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return new AppliedAt(entry.Index, entry.Stamp, entry.WallTimeMs);
    }
}
