using System.Collections.Immutable;
using Watch.Core.Storage;

namespace Watch.Core.Consensus.Messages;

/// <summary>What one node says to another. Any message may be lost, repeated, delayed or overtaken.</summary>
/// <param name="From">Who says it.</param>
public abstract record Message(NodeId From);

/// <summary>What a replica of a group says to another.</summary>
/// <param name="Group">The group.</param>
/// <param name="Term">The sender's term; of a request for pre-votes the one that it would stand in.</param>
/// <param name="From">Who says it.</param>
public abstract record GroupMessage(GroupId Group, Term Term, NodeId From) : Message(From);

/// <summary>"Would you vote for me?" Changes nothing at the receiver, so a node that cannot win disturbs nobody.</summary>
/// <param name="Group">The group.</param>
/// <param name="Term">The term in which the sender would stand.</param>
/// <param name="From">Who asks.</param>
/// <param name="Last">The index of the last entry of its log.</param>
/// <param name="LastTerm">That entry's term.</param>
public sealed record RequestPreVote(GroupId Group, Term Term, NodeId From, LogIndex Last, Term LastTerm) : GroupMessage(Group, Term, From);

/// <summary>The answer to <see cref="RequestPreVote"/>.</summary>
/// <param name="Group">The group.</param>
/// <param name="Term">The term that the answering replica has reached.</param>
/// <param name="From">Who answers.</param>
/// <param name="Asked">The term that was asked about.</param>
/// <param name="Granted">Whether it would vote for the asker.</param>
public sealed record PreVoteAnswer(GroupId Group, Term Term, NodeId From, Term Asked, bool Granted) : GroupMessage(Group, Term, From);

/// <summary>"Vote for me."</summary>
/// <param name="Group">The group.</param>
/// <param name="Term">The term in which the sender stands.</param>
/// <param name="From">Who asks.</param>
/// <param name="Last">The index of the last entry of its log.</param>
/// <param name="LastTerm">That entry's term.</param>
/// <param name="Released">The word of the leader that asked the sender to take over, or null.</param>
public sealed record RequestVote(GroupId Group, Term Term, NodeId From, LogIndex Last, Term LastTerm, Release? Released) : GroupMessage(Group, Term, From);

/// <summary>The answer to <see cref="RequestVote"/>.</summary>
/// <param name="Group">The group.</param>
/// <param name="Term">The term that the answering replica has reached; a vote counts in this term.</param>
/// <param name="From">Who answers.</param>
/// <param name="Granted">Whether it voted for the asker.</param>
public sealed record VoteAnswer(GroupId Group, Term Term, NodeId From, bool Granted) : GroupMessage(Group, Term, From);

/// <summary>Entries from the leader, or none, to tell its commit index or to look for where the logs agree.</summary>
/// <param name="Group">The group.</param>
/// <param name="Term">The leader's term.</param>
/// <param name="From">The leader.</param>
/// <param name="Round">The leader's round when it sent this.</param>
/// <param name="Previous">The index before the first of the entries.</param>
/// <param name="PreviousTerm">The term there.</param>
/// <param name="Commit">The leader's commit index.</param>
/// <param name="Entries">The entries, in order, without a gap.</param>
public sealed record AppendEntries(
    GroupId Group, Term Term, NodeId From, Round Round, LogIndex Previous, Term PreviousTerm, LogIndex Commit, ReadOnlyMemory<Entry> Entries)
    : GroupMessage(Group, Term, From)
{
    /// <summary>The index up to which this message, once accepted, has verified the follower's log.</summary>
    public LogIndex Verified => Previous + Entries.Length;
}

/// <summary>The answer to <see cref="AppendEntries"/>.</summary>
/// <param name="Group">The group.</param>
/// <param name="Term">The follower's term.</param>
/// <param name="From">The follower.</param>
/// <param name="Round">The round of what it answers.</param>
/// <param name="Accepted">Whether the logs agreed at the previous index.</param>
/// <param name="Index">Accepted: up to where the follower durably has the leader's log. Otherwise: the previous index that did not fit.</param>
/// <param name="Hint">Not accepted: the last index at which the logs may agree.</param>
/// <param name="HintTerm">The follower's term there.</param>
/// <param name="Commit">The follower's commit index.</param>
public sealed record AppendAnswer(
    GroupId Group, Term Term, NodeId From, Round Round, bool Accepted, LogIndex Index, LogIndex Hint, Term HintTerm, LogIndex Commit)
    : GroupMessage(Group, Term, From);

/// <summary>"Stand for election now": the leader hands over.</summary>
/// <param name="Group">The group.</param>
/// <param name="Term">The leader's term.</param>
/// <param name="From">The leader.</param>
/// <param name="RoundNumber">It uses no lease that rests on this round or an earlier one.</param>
public sealed record TimeoutNow(GroupId Group, Term Term, NodeId From, long RoundNumber) : GroupMessage(Group, Term, From);

/// <summary>"I lead no more": the leader stepped down on purpose, and nobody needs to wait for its lease.</summary>
/// <param name="Group">The group.</param>
/// <param name="Term">The leader's term.</param>
/// <param name="From">The leader that was.</param>
/// <param name="RoundNumber">It uses no lease that rests on this round or an earlier one.</param>
public sealed record ReleaseLease(GroupId Group, Term Term, NodeId From, long RoundNumber) : GroupMessage(Group, Term, From);

/// <summary>A group and a term of it.</summary>
/// <param name="Group">The group.</param>
/// <param name="Term">The term.</param>
public readonly record struct GroupTerm(GroupId Group, Term Term);

/// <summary>
/// "I lead these groups": one message per pair of nodes, at an interval, for all that one leads with the other, and at once for those
/// in which reads wait to have leadership confirmed.
/// </summary>
/// <param name="From">The leader.</param>
/// <param name="Round">Its round.</param>
/// <param name="Leads">What it leads, and in which terms.</param>
public sealed record Heartbeat(NodeId From, Round Round, ImmutableArray<GroupTerm> Leads) : Message(From);

/// <summary>The answer to <see cref="Heartbeat"/>.</summary>
/// <param name="From">Who answers.</param>
/// <param name="Round">The round that it answers.</param>
/// <param name="Reached">The terms that its replicas have reached: where it is the leader's, the replica follows and stands by the leader.</param>
public sealed record HeartbeatAnswer(NodeId From, Round Round, ImmutableArray<GroupTerm> Reached) : Message(From);

/// <summary>All that one node sends another at one time.</summary>
/// <param name="To">For whom.</param>
/// <param name="Messages">The messages, all of the same sender, in order.</param>
public sealed record Parcel(NodeId To, ImmutableArray<Message> Messages);
