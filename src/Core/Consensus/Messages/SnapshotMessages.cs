using Watch.Core.Storage;

namespace Watch.Core.Consensus.Messages;

/// <summary>A piece of the leader's snapshot, for a follower that needs entries which the leader's log no longer has.</summary>
/// <param name="Group">The group.</param>
/// <param name="Term">The leader's term.</param>
/// <param name="From">The leader.</param>
/// <param name="Round">The leader's round, which the answer names.</param>
/// <param name="Snapshot">What the whole snapshot stands for.</param>
/// <param name="Chunk">Which piece this is, from 0.</param>
/// <param name="IsLast">Whether it is the last one.</param>
/// <param name="Content">Its bytes; only a snapshot without content has a chunk without any.</param>
public sealed record InstallSnapshot(
    GroupId Group, Term Term, NodeId From, Round Round, SnapshotInfo Snapshot, int Chunk, bool IsLast, ReadOnlyMemory<byte> Content)
    : GroupMessage(Group, Term, From);

/// <summary>
/// How far a follower has got with a snapshot. When it has installed it, or has no use for it, it answers with an <see cref="AppendAnswer"/>
/// instead: its log reaches the snapshot's index then.
/// </summary>
/// <param name="Group">The group.</param>
/// <param name="Term">The follower's term.</param>
/// <param name="From">The follower.</param>
/// <param name="Round">The round that it answers.</param>
/// <param name="Index">The snapshot's index.</param>
/// <param name="Next">The chunk that it needs next; <see cref="Refused"/> where it does not take this snapshot now.</param>
public sealed record SnapshotAnswer(GroupId Group, Term Term, NodeId From, Round Round, LogIndex Index, int Next) : GroupMessage(Group, Term, From)
{
    /// <summary>
    /// In the place of a chunk: there is no room for the snapshot, or it cannot be read. It has to come again from the beginning, after a pause.
    /// No snapshot has so many chunks.
    /// </summary>
    public const int Refused = int.MaxValue;
}
