using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>What a replica is to its group.</summary>
public enum Role
{
    /// <summary>It votes, and follows whoever leads.</summary>
    Follower,

    /// <summary>It asks for votes.</summary>
    Candidate,

    /// <summary>It orders the group's entries.</summary>
    Leader,

    /// <summary>It asks whether it would be voted for.</summary>
    PreCandidate,

    /// <summary>It is sent the log and has no vote.</summary>
    Learner,
}

/// <summary>A replica's role changed.</summary>
/// <param name="Group">The group.</param>
/// <param name="Role">The new role.</param>
/// <param name="Term">The term in which it has it.</param>
public readonly record struct RoleChanged(GroupId Group, Role Role, Term Term);

/// <summary>What a group wants made durable: its term and vote if they changed, where its log begins if a snapshot took its place, then entries.</summary>
/// <param name="State">Term and vote, or null.</param>
/// <param name="Entries">The entries, in order; may be none.</param>
/// <param name="Base">Where the log begins anew, or null.</param>
public readonly record struct PersistEffect(HardState? State, ReadOnlyMemory<Entry> Entries, LogBase? Base = null);

/// <summary>Why a replica appended nothing.</summary>
public enum ProposeRefusal
{
    /// <summary>It did.</summary>
    None,

    /// <summary>It does not lead.</summary>
    NotLeader,

    /// <summary>It is handing over to another.</summary>
    Transferring,

    /// <summary><see cref="RaftOptions.UncommittedEntriesMax"/> entries or <see cref="RaftOptions.UncommittedBytesMax"/> bytes wait to be committed.</summary>
    Busy,
}

/// <summary>What became of a proposal. Not accepted: nothing was appended.</summary>
/// <param name="Accepted">Whether the entries were appended.</param>
/// <param name="First">The index of the first of them; they commit or vanish together with their <paramref name="Term"/>.</param>
/// <param name="Term">The term in which they were appended. What commits at that index in another term is not this proposal.</param>
/// <param name="Refusal">Why they were not.</param>
public readonly record struct ProposeOutcome(bool Accepted, LogIndex First, Term Term, ProposeRefusal Refusal);

/// <summary>A change of a group's members: one node at a time.</summary>
/// <param name="Kind">What happens to it.</param>
/// <param name="Node">The node.</param>
public readonly record struct MembershipChange(MembershipChangeKind Kind, NodeId Node);

/// <summary>What happens to a node in a membership change.</summary>
public enum MembershipChangeKind
{
    /// <summary>It is sent the log from now on.</summary>
    AddLearner,

    /// <summary>A learner that has caught up becomes a voter.</summary>
    Promote,

    /// <summary>It belongs to the group no longer.</summary>
    Remove,
}

/// <summary>What became of a membership change.</summary>
public enum MembershipOutcome
{
    /// <summary>It stands in the log and is in force; it is certain once that entry has committed.</summary>
    Appended,

    /// <summary>This replica does not lead, or is handing over.</summary>
    NotLeader,

    /// <summary>No entry of the leader's own term has committed yet. Try again.</summary>
    TooEarly,

    /// <summary>The last change has not committed yet. Try again.</summary>
    ChangeUnderWay,

    /// <summary>The node is a member already, or (to promote, to remove) is none.</summary>
    NoSuchChange,

    /// <summary>The learner lacks too much of the log. Try again.</summary>
    NotCaughtUp,

    /// <summary>A group keeps one voter.</summary>
    LastVoter,
}

/// <summary>
/// What became of the reads that hold a ticket. Confirmed: everything that was committed when they arrived has been handed out, so state
/// built from it may answer them. Not confirmed: this replica stopped leading, and they must be asked elsewhere.
/// </summary>
/// <param name="Group">The group.</param>
/// <param name="Ticket">What <see cref="RaftGroup.RequestRead"/> returned.</param>
/// <param name="Confirmed">Whether this replica may answer.</param>
public readonly record struct ReadAnswer(GroupId Group, long Ticket, bool Confirmed);

/// <summary>What the groups of a node share.</summary>
/// <param name="Options">Times and limits.</param>
/// <param name="Rounds">The node's rounds.</param>
/// <param name="Jitter">A random number from 0 to below 1.</param>
internal sealed record GroupContext(RaftOptions Options, Rounds Rounds, Func<double> Jitter)
{
    /// <summary>Times and limits; lease and margin are the catalogue's as soon as it is known.</summary>
    internal RaftOptions Options { get; set; } = Options;

    /// <summary>The safety rules; a test may break one.</summary>
    internal SafetyRules Rules { get; init; } = SafetyRules.Raft;

    /// <summary>The transfers of snapshots under way.</summary>
    internal TransferSlots Transfers { get; } = new();
}
