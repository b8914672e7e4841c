using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// One replica of one group: Raft with pre-vote, check-quorum and leader leases (Ongaro's thesis) as a state machine. It has no clock, no
/// thread, no disk, no network and no randomness of its own. Every method is one step: an input goes in, effects wait to be taken out
/// (<see cref="TryTakePersist"/>, <see cref="TakeCommitted"/>, <see cref="TakeRoleChange"/>, messages, read answers), and the shell
/// performs them. What a replica does depends on its role; each role is a class: <see cref="FollowerRole"/>, <see cref="LearnerRole"/>,
/// <see cref="CandidateRole"/>, <see cref="LeaderRole"/>. Here stands what all of them share.
///
///   R1  A log has no gap, and terms never fall along it. Log time (the entries' stamps) never falls either.
///   R2  Term and vote never go back, and are durable before they count: no message leaves before the term and vote, and the entries,
///       that it speaks of are on the disk. So a candidate's own vote counts when the disk has it, and an append is acknowledged then.
///   R3  Who belongs to the group stands in the last voters entry in the log, committed or not.
///   R4  A leader appends an entry of its own term as soon as it is elected, and takes proposals only from then on.
///   R5  An index is committed when a majority of the voters durably has it and the entry there is of the leader's own term; what lies
///       before it is committed with it (Raft, section 5.4.2). This replica's own part counts only as far as its disk has synced.
///   R6  Committed entries are handed out once each, in order, without a gap, and only as far as this disk has them. They never change:
///       what is cut from a log was never committed.
///   R7  A term has at most one leader: a replica votes once in a term, for a log at least as up to date as its own.
///   R8  A replica that acknowledged a leader's round supports nobody else, itself included, until the promise has run out (Promise.cs),
///       unless the leader released it. After a restart it stands by its promise for one whole lease and margin.
///   R9  A lease counts from when the round was sent that a majority has acknowledged, and is given up before anything else happens to
///       a leader that steps down or hands over.
///   R10 A follower's commit index follows its leader's only as far as a message of that leader has verified its log.
///   R11 Members change one node at a time, the next only when the last is committed, and only by a leader with an entry of its own term
///       committed.
///   R12 to R14, on snapshots, stand in RaftGroup.Snapshots.cs.
///
/// After a crash the log is there as far as it was synced, possibly with more behind it that was never acknowledged: that may commit
/// now, and was promised to nobody. Nothing of it is handed out before a leader has said, or this replica has found out as a leader, what
/// is committed: the commit index is not on the disk.
/// </summary>
public sealed partial class RaftGroup
{
    /// <summary>The longest command, in bytes: well below what a batch of the write-ahead log may hold.</summary>
    public const int CommandBytesMax = 32 << 20;

    private RaftLog _log;
    private MembershipHistory _members;
    private HardState _state;
    private RoleState _role;
    private RoleChanged? _roleChanged;
    private bool _mayHavePromised;

    private RaftGroup(GroupId id, NodeId self, RaftLog log, HardState state, GroupContext context, SnapshotInfo? snapshot = null)
    {
        (Id, Self, _log, _state, Context) = (id, self, log, state, context);
        Invariant.That(state.Term >= log.LastTerm, "R2: no entry is of a term that the replica has not seen");
        Snapshot = snapshot;
        _members = new MembershipHistory(log, snapshot is null ? null : SnapshotMembers.Decode(snapshot.Members.Span), snapshot?.Index ?? LogIndex.None);
        _role = new FollowerRole(this, NodeId.None, TimeSpan.MaxValue);
    }

    /// <summary>A replica as its disk remembers it.</summary>
    internal static RaftGroup Recovered(GroupId id, NodeId self, RecoveredGroup recovered, GroupContext context)
    {
        var state = recovered.State;
        // A snapshot that was received may be of a term that the log did not get to: nothing was voted or acknowledged in that term.
        if (recovered.Snapshot is { } snapshot && state.Term < snapshot.Term)
            state = new HardState(snapshot.Term, NodeId.None);
        var group = new RaftGroup(id, self, recovered.Log, state, context, recovered.Snapshot);
        group._durableState = group._takenState = recovered.State;
        if (state != recovered.State)
            group._stateVersion++;
        if (recovered.LacksBase)
            group._base = new LogBase(recovered.Snapshot!.Index, recovered.Snapshot.Term, Keeps: false);       // R14
        group._durable = group._taken = recovered.Log.Last;
        group._mayHavePromised = !group._members.NeverHadVoterBeside(self);
        group._handedOut = group.Committed = recovered.Snapshot?.Index ?? LogIndex.None;
        return group;
    }

    /// <summary>A replica of a group that is new: its log begins with the voters, and with further entries of term 1 where it is born with content.</summary>
    internal static RaftGroup Born(GroupId id, NodeId self, IReadOnlyList<NodeId> voters, IReadOnlyList<byte[]> commands, long wallMs, GroupContext context)
    {
        var log = new RaftLog();
        log.Put(Membership.FirstEntry(voters));
        foreach (var command in commands)
            log.Put(new Entry(log.Last.Next, Term.None.Next, LogTime.Zero, wallMs, EntryKind.Command, command));
        return new RaftGroup(id, self, log, new HardState(Term.None.Next, NodeId.None), context) { _durableVersion = 0, _takenVersion = 0 };
    }

    /// <summary>A replica that knows nothing of its group yet but that a leader speaks to it.</summary>
    internal static RaftGroup Empty(GroupId id, NodeId self, GroupContext context) => new(id, self, new RaftLog(), default, context);

    /// <summary>The group.</summary>
    public GroupId Id { get; }

    /// <summary>The node of this replica.</summary>
    public NodeId Self { get; }

    /// <summary>What this replica is.</summary>
    public Role Role => _role.Role;

    /// <summary>The latest term it has seen.</summary>
    public Term Term => _state.Term;

    /// <summary>Who leads in this term, as far as it knows; <see cref="NodeId.None"/> where it does not.</summary>
    public NodeId Leader => _role.Leader;

    /// <summary>The index of its log's last entry.</summary>
    public LogIndex Last => _log.Last;

    /// <summary>Everything up to here is committed.</summary>
    public LogIndex Committed { get; private set; }

    /// <summary>The stamp of its log's last entry.</summary>
    public LogTime LastStamp => _log.LastStamp;

    /// <summary>The log time now, by the leader's clock: what an entry would be stamped with. Elsewhere it stands at the last stamp.</summary>
    public LogTime LogTimeAt(in Moment now) => Leading?.StampAt(now.Monotonic) ?? LastStamp;

    /// <summary>
    /// Whether a leader has verified its log since this replica began to live. Until then it does not know what is committed, and in a group
    /// in which nothing happens nobody would tell it: so it says so to heartbeats (N7). A snapshot that is installed does not count: it may be
    /// one that was sent to the replica's last life, and the leader believes of that one that it knew more.
    /// </summary>
    internal bool WasVerified { get; set; }

    /// <summary>Who belongs to the group.</summary>
    public Membership Members => _members.Current;

    /// <summary>Whether the entry that names its members has committed, as far as it knows.</summary>
    public bool MembersCommitted => MembersIndex <= Committed;

    /// <summary>Whether it leads and an entry of its own term has committed: from then on its commit index is the group's.</summary>
    public bool LeadsWithOwnTermCommitted => Leading is { } leader && Committed >= leader.OwnTermFrom;

    /// <summary>The members that have answered this leader within the time of a promise, itself among them; empty where it does not lead.</summary>
    public IReadOnlyList<NodeId> HeardLately(in Moment now) => Leading is { } leader ? [.. leader.HeardLately(now.Monotonic)] : [];

    /// <summary>The voters that lack so little of the log that they could lead at once, those with most of it first; empty where it does not lead.</summary>
    public IReadOnlyList<NodeId> Heirs => Leading is { } leader ? [.. leader.Heirs()] : [];

    /// <summary>When <see cref="Tick"/> has something to do; null where only an input can change anything.</summary>
    public TimeSpan? Deadline => _role.Deadline is var at && at == TimeSpan.MaxValue ? null : at;

    internal GroupContext Context { get; }

    internal RaftLog Log => _log;

    internal HardState State => _state;

    internal LeaderRole? Leading => _role as LeaderRole;

    internal RoleState CurrentRole => _role;

    internal LogIndex MembersIndex => _members.CurrentIndex;

    internal bool IsVoter => Members.IsVoter(Self);

    /// <summary>
    /// Whether it may lead: as a voter, or as one whose removal has not committed. That one may be the only one with the newest log, without
    /// whose vote nobody is elected, and who gives it to nobody with an older log (Raft's thesis, section 4.2.2).
    /// </summary>
    internal bool MayStand => IsVoter || (MembersIndex > Committed && _members.Previous.IsVoter(Self));

    internal Promise Promise { get; private set; } = Promise.None;

    private RaftOptions Options => Context.Options;

    private SafetyRules Rules => Context.Rules;

    /// <summary>Begins: a group whose only voter ever was this node is led at once, any other when its time has come.</summary>
    public void Start(in Moment now)
    {
        if (_members.NeverHadVoterBeside(Self) && IsVoter)
        {
            Campaign(now);
            return;
        }
        if (_mayHavePromised)
            Promise = Promise.Forgotten(Rules.PromisedUntil(now.Monotonic, Options));      // R8
        Follow(NodeId.None, now);
    }

    /// <summary>
    /// Stands for election, in a pre-vote first where others vote, too. For a replica whose promise still holds, and for one without a
    /// vote, this does nothing.
    /// </summary>
    public void Campaign(in Moment now)
    {
        if (!MayStand || Role == Role.Leader || Promise.Forbids(Self, null, now))
            return;
        Become(new CandidateRole(this, preVote: true, null), now);
    }

    /// <summary>Time has passed.</summary>
    public void Tick(in Moment now)
    {
        if (_role.Deadline <= now.Monotonic)
            _role.Tick(now);
    }

    /// <summary>Appends commands, each as one entry, if this replica leads. They are committed when <see cref="TakeCommitted"/> hands them out.</summary>
    public ProposeOutcome Propose(IReadOnlyList<ReadOnlyMemory<byte>> commands, in Moment now)
    {
        ArgumentNullException.ThrowIfNull(commands);
        if (commands.Any(command => command.Length > CommandBytesMax))
            throw new ArgumentException($"A command has at most {CommandBytesMax} bytes.", nameof(commands));
        return Leading?.Propose(commands, now) ?? new ProposeOutcome(false, LogIndex.None, Term, ProposeRefusal.NotLeader);
    }

    /// <summary>Changes the group's members, if this replica leads.</summary>
    public MembershipOutcome Change(MembershipChange change, in Moment now) => Leading?.Change(change, now) ?? MembershipOutcome.NotLeader;

    /// <summary>
    /// Asks for a linearizable read. All that arrive before messages are next taken share one ticket; its answer comes out of
    /// <see cref="TryTakeReadAnswer"/>. Null where this replica does not lead.
    /// </summary>
    public long? RequestRead() => Leading?.RequestRead();

    /// <summary>
    /// Whether state built from what was handed out may answer a lease read now: this replica leads, an entry of its own term was handed
    /// out, and its lease has not run out.
    /// </summary>
    /// <remarks>
    /// What a majority has and this replica's own disk still writes is committed and not handed out. A lease read need not show it, because
    /// nobody has seen it: whatever leaders before this one have shown lies before its own term's first entry; writers are answered from
    /// what was handed out here; followers, and snapshots that they are sent, know no more than that is committed (L12, R12); and nobody
    /// else leads while the lease lasts. Who has seen it later, from a follower or a next leader, sees it after this lease or after it was
    /// handed out here.
    /// </remarks>
    public bool MayReadByLease(in Moment now) => now.Monotonic < LeaseUntil(now);

    /// <summary>Until when, unless the lease is given up before; in the past where it may not.</summary>
    public TimeSpan LeaseUntil(in Moment now) =>
        Leading is { } leader && _handedOut >= leader.OwnTermFrom ? leader.LeaseUntil(now) : TimeSpan.MinValue;

    /// <summary>Hands leadership over to another voter, as soon as it has the whole log. Until then, or until it is given up, proposals are refused.</summary>
    public bool Transfer(NodeId to, in Moment now) => Leading?.Transfer(to, now) ?? false;

    /// <summary>Steps down on purpose, so that the others need not wait for the lease to run out.</summary>
    public void Resign(in Moment now) => Leading?.Resign(now);

    /// <summary>Hears a message of the group.</summary>
    public void Step(GroupMessage message, in Moment now)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (message is RequestPreVote preVote)
        {
            Answer(preVote, now);
            return;
        }
        if (message is RequestVote vote)
        {
            Answer(vote, now);
            return;
        }
        // Who would vote says so from the term that it has reached, which may be an older one: it need not hear of the newer to be asked.
        if (Rules.IsOver(message.Term, Term) && message is not PreVoteAnswer { Granted: true })
        {
            // Whoever leads in a term that is over learns of the newer one by this answer.
            if (message is AppendEntries or InstallSnapshot)
                Send(message.From, new AppendAnswer(Id, Term, Self, (message as AppendEntries)?.Round ?? default, false, LogIndex.None, LogIndex.None, Term.None, Committed));
            return;
        }
        if (message.Term > Term)
            AdoptTerm(message.Term, now);
        if (message is AppendEntries or InstallSnapshot && Role is Role.Candidate or Role.PreCandidate)
            Follow(message.From, now);
        _role.Step(message, now);
    }

    /// <summary>Hears in a heartbeat that another node leads in a term. Whether this replica follows it there.</summary>
    internal bool HearLeader(NodeId leader, Term term, in Round round, in Moment now)
    {
        if (term < Term || (term == Term && Role == Role.Leader))
            return false;
        if (term > Term)
            AdoptTerm(term, now);
        if (Role is Role.Candidate or Role.PreCandidate)
            Follow(leader, now);
        return ((FollowerRole)_role).Hear(leader, round, now);
    }

    /// <summary>Hears a follower's answer to a heartbeat. Whether it meant anything here.</summary>
    internal bool HearAnswer(NodeId from, Term reached, in Round round, in Moment now)
    {
        if (Leading is not { } leader)
            return false;
        if (reached > Term)
            AdoptTerm(reached, now);
        else
            leader.HearAnswer(from, reached, round, now);
        return true;
    }

    /// <summary>Takes the latest change of role since the last call.</summary>
    public RoleChanged? TakeRoleChange()
    {
        var change = _roleChanged;
        _roleChanged = null;
        return change;
    }

    internal void Become(RoleState role, in Moment now)
    {
        _role.Leave();
        var changed = _role.Role != role.Role || role is not FollowerRole;
        _role = role;
        role.Enter(now);
        if (changed && _role == role)
            _roleChanged = new RoleChanged(Id, role.Role, Term);
        ForgetWhatWasHeld();
    }

    /// <summary>Follows a leader, or nobody known, as one who may lead or as a learner.</summary>
    internal void Follow(NodeId leader, in Moment now)
    {
        // R8: nobody stands for election before its own promise has run out.
        var from = Promise.Until > now.Monotonic ? Promise.Until : now.Monotonic;
        Become(MayStand ? new FollowerRole(this, leader, from + Jitter()) : new LearnerRole(this, leader), now);
    }

    internal void StandBy(NodeId leader, in Round round, in Moment now)
    {
        var number = Promise.Leader == leader && Promise.Term == Term ? Math.Max(Promise.RoundNumber, round.Number) : round.Number;
        Promise = new Promise(leader, Term, number, Rules.PromisedUntil(now.Monotonic, Options));
    }

    internal void StandByNobody() => Promise = Promise.None;

    /// <summary>A promise was made before this replica knew how long promises last: it lasts longer.</summary>
    internal void StandByLonger(TimeSpan by)
    {
        if (Promise.Until > TimeSpan.MinValue && by > TimeSpan.Zero)
            Promise = Promise with { Until = Promise.Until + by };
    }

    internal TimeSpan Jitter() => Options.ElectionJitter * Context.Jitter();

    internal void Vote(Term term, NodeId candidate)
    {
        Invariant.That(term > Term || (term == Term && (_state.Vote == NodeId.None || _state.Vote == candidate || Rules.MayVoteAgain)), "R7: a replica votes once in a term");
        if (_state == new HardState(term, candidate))
            return;
        _state = new HardState(term, candidate);
        _stateVersion++;
    }

    /// <summary>Appends one entry to this replica's log, or replaces what stands at its index and behind it.</summary>
    internal void Put(Entry entry)
    {
        if (entry.Index <= _log.Last)
            CutFrom(entry.Index);
        _log.Put(entry);
        _members.Add(entry);
    }

    internal void AdvanceCommit(LogIndex upTo)
    {
        if (upTo > Committed)
            Committed = upTo;
        DropReceiptIfPassed();
    }

    private void AdoptTerm(Term term, in Moment now)
    {
        _state = new HardState(term, NodeId.None);
        _stateVersion++;
        _outbox.Clear();                      // what waits there speaks for a term that is over
        Follow(NodeId.None, now);
    }

    private void Answer(RequestPreVote message, in Moment now)
    {
        var granted = message.Term > Term && !StandsByOther(message.From, null, now)
            && Rules.IsUpToDate(message.Last, message.LastTerm, _log.Last, _log.LastTerm);
        Send(message.From, new PreVoteAnswer(Id, Term, Self, message.Term, granted));
    }

    private void Answer(RequestVote message, in Moment now)
    {
        // R8: not even the newer term is adopted, so whoever disturbs a leader that is well changes nothing.
        if (message.Term > Term && StandsByOther(message.From, message.Released, now))
            return;
        if (message.Term > Term)
            AdoptTerm(message.Term, now);

        var granted = message.Term == Term && Role is Role.Follower or Role.Learner && (_state.Vote == NodeId.None || _state.Vote == message.From || Rules.MayVoteAgain)
            && !StandsByOther(message.From, message.Released, now)
            && Rules.IsUpToDate(message.Last, message.LastTerm, _log.Last, _log.LastTerm);    // R7
        if (granted)
        {
            Vote(Term, message.From);
            (_role as FollowerRole)?.Wait(now);
        }
        Send(message.From, new VoteAnswer(Id, Term, Self, granted));
    }

    private bool StandsByOther(NodeId candidate, Release? released, in Moment now) =>
        Promise.Forbids(candidate, released, now) || (Leading is { } leader && leader.LeaseUntil(now) > now.Monotonic);
}
