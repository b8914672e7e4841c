using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// A follower hears from the leader of its term, makes its log equal to the leader's, and says so when its disk has it. It stands by
/// that leader; when nothing was heard for as long as the promise lasts and a while at random, it asks the others whether they would
/// have it as leader.
///
///   F1  It takes entries only behind an index at which its log agrees with the leader's: then the logs agree up to there (R1, R7).
///   F2  An entry that is there already is not touched. One of another term at the same index, with all behind it, was never committed
///       and is cut (R6).
///   F3  It answers for the last index that this message verified, once that index is on its disk (R2). What lies behind may be another
///       leader's.
/// </summary>
internal class FollowerRole(RaftGroup group, NodeId leader, TimeSpan electionAt) : RoleState(group)
{
    private NodeId _leader = leader;
    private TimeSpan _electionAt = electionAt;

    internal override Role Role => Role.Follower;

    internal override NodeId Leader => _leader;

    internal override TimeSpan Deadline => _electionAt;

    /// <summary>The deadline has come: nobody leads, it seems.</summary>
    internal override void Tick(in Moment now)
    {
        Wait(now);
        Group.Campaign(now);
    }

    internal override void Step(GroupMessage message, in Moment now)
    {
        switch (message)
        {
            case AppendEntries append:
                Hear(append.From, append.Round, now);
                Append(append, now);
                break;
            case InstallSnapshot part:
                Hear(part.From, part.Round, now);
                Group.Receive(part);
                break;
            case TimeoutNow handOver when Group.Promise.CoveredBy(new Release(handOver.Term, handOver.RoundNumber)) && Group.MayStand:
                Group.StandByNobody();
                Group.Become(new CandidateRole(Group, preVote: false, new Release(handOver.Term, handOver.RoundNumber)), now);
                break;
            case ReleaseLease release when Group.Promise.CoveredBy(new Release(release.Term, release.RoundNumber)):
                Group.StandByNobody();
                _leader = NodeId.None;
                _electionAt = now.Monotonic + Group.Jitter();
                break;
        }
    }

    /// <summary>Hears that a node leads in this term, and stands by it from now on.</summary>
    internal bool Hear(NodeId leader, in Round round, in Moment now)
    {
        Invariant.That(_leader == NodeId.None || _leader == leader, $"R7: a term has one leader (group {Group.Id}, term {Group.Term})");
        _leader = leader;
        Group.StandBy(leader, round, now);
        Wait(now);
        return true;
    }

    /// <summary>Waits anew before it stands for election.</summary>
    internal void Wait(in Moment now) => _electionAt = now.Monotonic + Options.Promise + Group.Jitter();

    private void Append(AppendEntries message, in Moment now)
    {
        if (message.Previous < Group.Log.First.Previous || Group.Log.TermAt(message.Previous) != message.PreviousTerm)
        {
            Refuse(message);
            return;
        }
        foreach (var entry in message.Entries.Span)
        {
            if (Group.Log.TermAt(entry.Index) != entry.Term)
                Group.Put(entry);                                        // F2
        }
        Group.WasVerified = true;
        Group.DropReceiptFromOther(_leader);
        Group.AdvanceCommit(Context.Rules.Commit(message.Commit, message.Verified));       // R10
        Group.Send(_leader, new AppendAnswer(Group.Id, Group.Term, Group.Self, message.Round, true, message.Verified, LogIndex.None, Term.None, Group.Committed), message.Verified);   // F3
        if (Group.MayStand == Role is Role.Learner)
            Group.Follow(_leader, now);
    }

    private void Refuse(AppendEntries message)
    {
        var hint = Group.Log.LastUpTo(message.Previous, message.PreviousTerm);
        var hintTerm = Group.Log.TermAt(hint) ?? Term.None;
        // Everything committed agrees with every later leader's log, so nothing below needs to be tried.
        if (hint < Group.Committed)
            (hint, hintTerm) = (Group.Committed, Group.Log.TermAt(Group.Committed) ?? Term.None);
        Group.Send(_leader, new AppendAnswer(Group.Id, Group.Term, Group.Self, message.Round, false, message.Previous, hint, hintTerm, Group.Committed));
    }
}
