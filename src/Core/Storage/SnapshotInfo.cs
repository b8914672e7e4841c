namespace Watch.Core.Storage;

/// <summary>What a snapshot stands for: everything that a group's log says up to an index.</summary>
/// <param name="Group">The group.</param>
/// <param name="Index">The last entry that is in it.</param>
/// <param name="Term">That entry's term.</param>
/// <param name="Stamp">That entry's stamp.</param>
/// <param name="Members">Who belonged to the group there, as consensus encodes it; never changed after it was handed over.</param>
public sealed record SnapshotInfo(GroupId Group, LogIndex Index, Term Term, LogTime Stamp, ReadOnlyMemory<byte> Members)
{
    /// <summary>Whether both stand for the same entries: committed ones, so they hold the same state, though maybe not the same bytes.</summary>
    public bool StandsFor(SnapshotInfo? other) => other is not null && Group == other.Group && Index == other.Index && Term == other.Term;

    /// <inheritdoc/>
    public override string ToString() => $"snapshot of group {Group} at {Index}, term {Term}";
}

/// <summary>
/// Where a group's log begins anew in the write-ahead log: a snapshot that is durable stands for everything up to an index.
/// </summary>
/// <param name="Index">The last index that the snapshot stands for.</param>
/// <param name="Term">The term there.</param>
/// <param name="Keeps">Whether the entries behind it that were written before still count; otherwise they are void, too.</param>
public readonly record struct LogBase(LogIndex Index, Term Term, bool Keeps);
