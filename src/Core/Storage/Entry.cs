namespace Watch.Core.Storage;

/// <summary>What an entry is to the consensus group that holds it. The numbers are part of the disk format.</summary>
public enum EntryKind : byte
{
    /// <summary>Nothing: the first entry of a leader's term, by which earlier entries commit.</summary>
    NoOp = 1,

    /// <summary>The group's voters from this index on, whether committed or not (Raft's rule for membership).</summary>
    Voters = 2,

    /// <summary>A command of the group's state machine, opaque to consensus.</summary>
    Command = 3,
}

/// <summary>One entry of a group's log. Immutable and shared: the log, the disk and the state machine hold the same object.</summary>
/// <param name="Index">Its place in the group's log.</param>
/// <param name="Term">The term of the leader that made it.</param>
/// <param name="Stamp">The log's time, by which replicated state may decide.</param>
/// <param name="WallTimeMs">The leader's wall clock in milliseconds since 1970-01-01 UTC: for information only.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Payload">Its content; never changed after it was handed over.</param>
public sealed record Entry(
    LogIndex Index, Term Term, LogTime Stamp, long WallTimeMs, EntryKind Kind, ReadOnlyMemory<byte> Payload);

/// <summary>What a replica must never forget besides its log (Raft: currentTerm and votedFor).</summary>
/// <param name="Term">The latest term it has seen.</param>
/// <param name="Vote">Whom it voted for in that term, or <see cref="NodeId.None"/>.</param>
public readonly record struct HardState(Term Term, NodeId Vote);
