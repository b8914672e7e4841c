using Watch.Core.Consensus.Messages;

namespace Watch.Core.Consensus;

/// <summary>
/// A candidate asks for votes, in two rounds. In the first (pre-vote) it asks whether it would be voted for: nothing changes at anyone,
/// so a node that was cut off, or whose log is behind, cannot drive up the terms of the others. In the second it takes a new term and
/// votes for itself.
///
///   E1  It leads when a majority of the voters of its own log voted for it in its term; its own vote counts when the disk has it (R2).
///   E2  Where it is the only voter, there is nobody to ask.
///   E3  A candidate that a leader asked to take over skips the first round and shows the voters the leader's release.
///   E4  It waits for answers from when it could ask: what it asks leaves when its term and vote are on the disk (R2). However slow that
///       is, it does not begin anew meanwhile: it would only have to wait for the disk again.
/// </summary>
internal sealed class CandidateRole(RaftGroup group, bool preVote, Release? released) : RoleState(group)
{
    private readonly HashSet<NodeId> _granted = [];
    private TimeSpan _until;

    internal override Role Role => preVote ? Role.PreCandidate : Role.Candidate;

    internal override TimeSpan Deadline => _until;

    private Membership Members => Group.Members;

    internal override void Enter(in Moment now)
    {
        if (preVote)
        {
            BeginToWait(now);
            _granted.Add(Group.Self);
            if (!Decide(now))                                            // E2
                Ask(new RequestPreVote(Group.Id, Group.Term.Next, Group.Self, Group.Log.Last, Group.Log.LastTerm));
            return;
        }
        Group.Vote(Group.Term.Next, Group.Self);
        BeginToWait(now);
        Ask(new RequestVote(Group.Id, Group.Term, Group.Self, Group.Log.Last, Group.Log.LastTerm, released));   // E3
    }

    /// <summary>Not elected in time: votes were split or messages lost. Once more from the start.</summary>
    internal override void Tick(in Moment now) => Group.Become(new CandidateRole(Group, preVote: true, null), now);

    internal override void Step(GroupMessage message, in Moment now)
    {
        var granted = message switch
        {
            PreVoteAnswer answer => preVote && answer.Granted && answer.Asked == Group.Term.Next,
            VoteAnswer answer => !preVote && answer.Granted,
            _ => false,
        };
        if (granted && _granted.Add(message.From))
            Decide(now);
    }

    internal override void Persisted(in Moment now)
    {
        if (_until == TimeSpan.MaxValue)
            BeginToWait(now);
        if (!preVote && Group.StateIsDurable && _granted.Add(Group.Self))                  // E1
            Decide(now);
    }

    /// <summary>E4.</summary>
    private void BeginToWait(in Moment now) =>
        _until = Group.StateIsDurable ? now.Monotonic + Options.HeartbeatInterval + Group.Jitter() : TimeSpan.MaxValue;

    private bool Decide(in Moment now)
    {
        if (Members.Voters.Count(_granted.Contains) < Context.Rules.Quorum(Members.Voters.Length))
            return false;
        Group.Become(preVote ? new CandidateRole(Group, preVote: false, null) : new LeaderRole(Group), now);
        return true;
    }

    private void Ask(GroupMessage question)
    {
        foreach (var voter in Members.Voters)
        {
            if (voter != Group.Self)
                Group.Send(voter, question);
        }
    }
}
