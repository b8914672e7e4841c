using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// The leader orders the group's entries: it appends them to its log, sends them to the others, and finds them committed when a majority
/// has them (R5). What it sends and how it reads stand in the other parts of this class.
///
///   L1  It never cuts its own log.
///   L2  It stamps entries with log time that goes on from the last stamp that it found, by its own monotonic clock: a jump of a wall clock
///       changes nothing, and time during which nobody led did not pass.
///   L3  It steps down when a majority has not answered for as long as a promise lasts (check-quorum): others may have elected somebody, and
///       whoever asks here should ask there.
///   L4  A leader that its members no longer name leads on until that is committed, without counting itself, and then steps down.
/// </summary>
internal sealed partial class LeaderRole(RaftGroup group) : RoleState(group)
{
    private readonly SortedDictionary<NodeId, Progress> _others = [];
    private readonly Queue<(LogIndex Last, long Bytes)> _proposed = new();
    private long _proposedBytes;
    private (LogTime Stamp, TimeSpan Monotonic) _clock;
    private TimeSpan _since;

    internal override Role Role => Role.Leader;

    internal override NodeId Leader => Group.Self;

    /// <summary>The first index of its own term.</summary>
    internal LogIndex OwnTermFrom { get; private set; }

    internal override TimeSpan Deadline
    {
        get
        {
            if (!LeadsOthers)
                return TimeSpan.MaxValue;
            var at = QuorumLostAt < _transferUntil ? QuorumLostAt : _transferUntil;
            foreach (var progress in _others.Values)
                at = progress.RetryAt < at ? progress.RetryAt : at;
            return at;
        }
    }

    /// <summary>Whether anyone else belongs to the group.</summary>
    internal bool LeadsOthers => _others.Count > 0;

    private Membership Members => Group.Members;

    private RaftLog Log => Group.Log;

    /// <inheritdoc/>
    public override string ToString() =>
        string.Join("; ", _others.Select(other => $"{other.Key.Value}: {other.Value}")) + (_transferTo is { } to ? $"; hands over to {to.Value}" : "");

    internal override void Enter(in Moment now)
    {
        Group.StandByNobody();
        _givenUp = _before = Context.Rounds.Current.Number;              // L8
        _clock = (Log.LastStamp, now.Monotonic);
        _since = now.Monotonic;
        OwnTermFrom = Log.Last.Next;
        FollowMembers();
        Append(EntryKind.NoOp, default, now);                            // R4
    }

    internal override void Leave()
    {
        GiveUpLease();                                                   // R9
        FailReads();
        EndTransfers();
    }

    internal override void Tick(in Moment now)
    {
        if (QuorumLostAt <= now.Monotonic)
        {
            Group.Follow(NodeId.None, now);                              // L3
            return;
        }
        if (_transferUntil <= now.Monotonic)
            EndTransfer();
        foreach (var (node, progress) in _others)
        {
            if (progress.RetryAt > now.Monotonic)
                continue;
            progress.Retry(now, Options);
            EndTransfer(node, progress);
        }
        Group.ForgetWhatWasHeld();
        FollowMembers();
    }

    internal override void Persisted(in Moment now) => AdvanceCommit(now);

    internal override void Step(GroupMessage message, in Moment now)
    {
        Invariant.That(message is not AppendEntries, $"R7: a term has one leader (group {Group.Id}, term {Group.Term})");
        if (message is SnapshotAnswer part)
            Hear(part, now);
        if (message is not AppendAnswer answer || !_others.TryGetValue(answer.From, out var progress))
            return;
        Hear(progress, answer.Round, now);
        if (answer.Accepted)
        {
            Invariant.That(answer.Index <= Log.Last, $"R5: a follower has no more of a leader's log than the leader (group {Group.Id})");
            progress.Accepted(answer.Index, answer.Commit, Log.Last, Told, now, Options);
            EndTransfer(answer.From, progress);
            Group.ForgetWhatWasHeld();
            AdvanceCommit(now);
            HandOverIfReady(now);
            if (_others.Count >= Members.Voters.Length + Members.Learners.Length)
                FollowMembers();
        }
        else
        {
            // Where they cannot agree as far back as this log goes, what is needed next lies before it (L9).
            var next = Log.MayAgree(answer.Hint, answer.HintTerm) is { } agree ? agree.Next : LogIndex.Min(answer.Hint.Next, Log.First.Previous);
            progress.Refused(answer.Index, next);
        }
    }

    internal ProposeOutcome Propose(IReadOnlyList<ReadOnlyMemory<byte>> commands, in Moment now)
    {
        if (_transferTo is not null)
            return new ProposeOutcome(false, LogIndex.None, Group.Term, ProposeRefusal.Transferring);
        if (Log.Last - Group.Committed + commands.Count > Options.UncommittedEntriesMax)
            return new ProposeOutcome(false, LogIndex.None, Group.Term, ProposeRefusal.Busy);
        while (_proposed.TryPeek(out var oldest) && oldest.Last <= Group.Committed)
            _proposedBytes -= _proposed.Dequeue().Bytes;
        if (_proposedBytes >= Options.UncommittedBytesMax)
            return new ProposeOutcome(false, LogIndex.None, Group.Term, ProposeRefusal.Busy);

        var first = Log.Last.Next;
        var bytes = 0L;
        foreach (var command in commands)
        {
            Append(EntryKind.Command, command, now);
            bytes += command.Length;
        }

        _proposed.Enqueue((Log.Last, bytes));
        _proposedBytes += bytes;
        return new ProposeOutcome(true, first, Group.Term, ProposeRefusal.None);
    }

    internal MembershipOutcome Change(MembershipChange change, in Moment now)
    {
        if (_transferTo is not null)
            return MembershipOutcome.NotLeader;
        if (!Group.LeadsWithOwnTermCommitted)
            return MembershipOutcome.TooEarly;                           // R11
        if (Group.MembersIndex > Group.Committed)
            return MembershipOutcome.ChangeUnderWay;                     // R11
        var outcome = Check(change);
        if (outcome != MembershipOutcome.Appended)
            return outcome;

        var members = change.Kind switch
        {
            MembershipChangeKind.AddLearner => Members.WithLearner(change.Node),
            MembershipChangeKind.Promote => Members.WithPromoted(change.Node),
            _ => Members.Without(change.Node),
        };
        Append(EntryKind.Voters, members.Encode(), now);
        FollowMembers();
        return MembershipOutcome.Appended;
    }

    private MembershipOutcome Check(MembershipChange change)
    {
        var (voter, learner) = (Members.IsVoter(change.Node), Members.IsLearner(change.Node));
        return change.Kind switch
        {
            MembershipChangeKind.AddLearner => voter || learner ? MembershipOutcome.NoSuchChange : MembershipOutcome.Appended,
            MembershipChangeKind.Promote when !learner => MembershipOutcome.NoSuchChange,
            MembershipChangeKind.Promote => IsCaughtUp(change.Node) ? MembershipOutcome.Appended : MembershipOutcome.NotCaughtUp,
            _ when !voter && !learner => MembershipOutcome.NoSuchChange,
            _ => voter && Members.Voters.Length == 1 ? MembershipOutcome.LastVoter : MembershipOutcome.Appended,
        };
    }

    /// <summary>
    /// Whether a learner could vote, or a voter lead, without holding anything up. One that has everything and is probed is not probed again
    /// in a group in which nothing happens, because it lacks nothing: it must not wait for that. It has what this leader found when it was
    /// elected: in the system group the cluster's birth is among that, and with it how long a voter's promise lasts (R8).
    /// </summary>
    private bool IsCaughtUp(NodeId node) =>
        _others.TryGetValue(node, out var progress) && !progress.IsSilent
        && (progress.IsProbing ? progress.Match == Log.Last : progress.Match >= OwnTermFrom && Log.Last - progress.Match <= Options.PromotionLagEntriesMax);

    /// <summary>One progress for each other member; of those that left, until they know that that is committed, or answer no more.</summary>
    private void FollowMembers()
    {
        foreach (var node in Members.All)
        {
            if (node != Group.Self)
                _others.TryAdd(node, new Progress(Log.Last.Next));
        }
        if (Group.MembersIndex > Group.Committed)
            return;
        var gone = _others.Where(other => !Members.IsVoter(other.Key) && !Members.IsLearner(other.Key) && (other.Value.IsSilent || other.Value.CommitKnown >= Group.MembersIndex));
        foreach (var (node, _) in gone.ToList())
        {
            _others.Remove(node);
            Context.Transfers.Give(Group.Id, node);
        }
    }

    private void AdvanceCommit(in Moment now)
    {
        Span<LogIndex> match = stackalloc LogIndex[Members.Voters.Length];
        for (var i = 0; i < match.Length; i++)
            match[i] = Members.Voters[i] is var voter && voter == Group.Self ? Group.Acknowledged : _others[voter].Match;
        match.Sort();
        var reached = match[match.Length - Context.Rules.Quorum(match.Length)];
        if (reached <= Group.Committed || !Context.Rules.CommitsByCounting(Log[reached].Term, Group.Term))   // R5
            return;

        var changes = Group.MembersIndex > Group.Committed;
        Group.AdvanceCommit(reached);
        if (!changes || Group.MembersIndex > Group.Committed)
            return;
        if (!Group.IsVoter)
            Resign(now);                                                 // L4
        else
            FollowMembers();
    }

    private void Append(EntryKind kind, ReadOnlyMemory<byte> payload, in Moment now) =>
        Group.Put(new Entry(Log.Last.Next, Group.Term, StampAt(now.Monotonic), now.WallMs, kind, payload));

    /// <summary>The stamp of an entry that would be appended now (L2).</summary>
    internal LogTime StampAt(TimeSpan monotonic)
    {
        var elapsedMs = (long)(monotonic - _clock.Monotonic).TotalMilliseconds;
        return LogTime.Max(Log.LastStamp, new LogTime(_clock.Stamp.Value + elapsedMs));
    }
}
