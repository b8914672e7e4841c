using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>What a replica is to its group.</summary>
public enum Role
{
    /// <summary>It follows whoever leads.</summary>
    Follower,

    /// <summary>It asks for votes.</summary>
    Candidate,

    /// <summary>It orders the group's entries.</summary>
    Leader,
}

/// <summary>A replica's role changed.</summary>
/// <param name="Group">The group.</param>
/// <param name="Role">The new role.</param>
/// <param name="Term">The term in which it has it.</param>
public readonly record struct RoleChanged(GroupId Group, Role Role, Term Term);

/// <summary>What a group wants made durable: its term and vote if they changed, then entries.</summary>
/// <param name="State">Term and vote, or null.</param>
/// <param name="Entries">The entries, in order; may be none.</param>
public readonly record struct PersistEffect(HardState? State, ReadOnlyMemory<Entry> Entries);

/// <summary>What became of a proposal. Not accepted: this replica does not lead, and nothing was appended.</summary>
/// <param name="Accepted">Whether the entries were appended.</param>
/// <param name="First">The index of the first of them; they commit or vanish together with their <paramref name="Term"/>.</param>
/// <param name="Term">The term in which they were appended. What commits at that index in another term is not this proposal.</param>
public readonly record struct ProposeOutcome(bool Accepted, LogIndex First, Term Term);

/// <summary>
/// One replica of one group: Raft as a state machine. It has no clock, no thread, no disk and no network. Every method is one step:
/// an input goes in, effects wait to be taken out (<see cref="TryTakePersist"/>, <see cref="TakeCommitted"/>,
/// <see cref="TakeRoleChange"/>), and the shell performs them.
///
/// For now a group has one voter, its own node; the rules are Raft's all the same:
///
///   R1  A log has no gap, and terms never fall along it. Log time (the entries' stamps) never falls either.
///   R2  Term and vote are durable before they count. So a candidate's own vote counts when the disk has it, not before.
///   R3  The voters are those of the last voters entry in the log, committed or not.
///   R4  A leader appends an entry of its own term as soon as it is elected, and takes proposals only from then on.
///   R5  An index is committed when a majority of the voters durably has it and the entry there is of the leader's own term; what lies
///       before it is committed with it (Raft, section 5.4.2). This replica's own part counts only as far as its disk has synced.
///   R6  Committed entries are handed out once each, in order, without a gap. They never change.
///
/// After a crash the log is there as far as it was synced, possibly with more behind it that was never acknowledged: that may commit
/// now, and was promised to nobody. Nothing of it is handed out before this replica has been elected anew and an entry of the new term
/// has become durable, since only then is it known what is committed.
/// </summary>
public sealed class RaftGroup
{
    /// <summary>The longest command, in bytes: well below what a batch of the write-ahead log may hold.</summary>
    public const int CommandBytesMax = 32 << 20;

    private readonly RaftLog _log;
    private readonly NodeId _self;
    private readonly NodeId[] _voters;
    private readonly LogIndex[] _match;
    private HardState _state;
    private HardState _durableState;
    private HardState _takenState;
    private LogIndex _durable;
    private LogIndex _taken;
    private LogIndex _handedOut;
    private LogIndex _ownTermFrom;
    private (LogTime Stamp, TimeSpan Monotonic) _clock;
    private RoleChanged? _roleChanged;

    private RaftGroup(GroupId id, NodeId self, RaftLog log, HardState state)
    {
        (Id, _self, _log, _state) = (id, self, log, state);
        _voters = Voters.Of(log);
        if (_voters.Length != 1 || _voters[0] != self)
            throw new NotSupportedException($"Group {id} has the voters [{string.Join(", ", _voters)}]; this version serves groups whose only voter is the node itself ({self}).");
        Invariant.That(state.Term >= log.LastTerm, "R2: no entry is of a term that the replica has not seen");
        _match = new LogIndex[_voters.Length];
    }

    /// <summary>A replica as its disk remembers it.</summary>
    public static RaftGroup Recovered(GroupId id, NodeId self, RecoveredGroup recovered)
    {
        ArgumentNullException.ThrowIfNull(recovered);
        var group = new RaftGroup(id, self, recovered.Log, recovered.State);
        group._durableState = group._takenState = recovered.State;
        group._durable = group._taken = recovered.Log.Last;
        return group;
    }

    /// <summary>A replica of a group that is new: its log begins with the voters, and with further entries of term 1 where it is born with content.</summary>
    public static RaftGroup Born(GroupId id, NodeId self, IReadOnlyList<NodeId> voters, IReadOnlyList<byte[]> commands, long wallMs)
    {
        ArgumentNullException.ThrowIfNull(commands);
        var log = new RaftLog();
        log.Put(Voters.FirstEntry(voters));
        foreach (var command in commands)
            log.Put(new Entry(log.Last.Next, Term.None.Next, LogTime.Zero, wallMs, EntryKind.Command, command));
        return new RaftGroup(id, self, log, new HardState(Term.None.Next, NodeId.None));
    }

    /// <summary>The group.</summary>
    public GroupId Id { get; }

    /// <summary>What this replica is.</summary>
    public Role Role { get; private set; }

    /// <summary>The latest term it has seen.</summary>
    public Term Term => _state.Term;

    /// <summary>The index of its log's last entry.</summary>
    public LogIndex Last => _log.Last;

    /// <summary>Its log up to here is on its disk.</summary>
    public LogIndex Durable => _durable;

    /// <summary>Everything up to here is committed.</summary>
    public LogIndex Committed { get; private set; }

    /// <summary>The stamp of its log's last entry.</summary>
    public LogTime LastStamp => _log.LastStamp;

    /// <summary>Who votes.</summary>
    public IReadOnlyList<NodeId> VoterIds => _voters;

    /// <summary>Whether it leads and an entry of its own term has committed: from then on its commit index is the group's.</summary>
    public bool LeadsWithOwnTermCommitted => Role == Role.Leader && Committed >= _ownTermFrom;

    /// <summary>Whether something waits to be made durable.</summary>
    public bool HasToPersist => _takenState != _state || _taken < _log.Last;

    /// <summary>Stands for election in a new term.</summary>
    public void Campaign()
    {
        _state = new HardState(_state.Term.Next, _self);
        Become(Role.Candidate);
    }

    /// <summary>Appends commands, each as one entry, if this replica leads. They are committed when <see cref="TakeCommitted"/> hands them out.</summary>
    public ProposeOutcome Propose(IReadOnlyList<ReadOnlyMemory<byte>> commands, in Moment now)
    {
        ArgumentNullException.ThrowIfNull(commands);
        if (Role != Role.Leader)
            return new ProposeOutcome(false, LogIndex.None, Term);

        if (commands.Any(command => command.Length > CommandBytesMax))
            throw new ArgumentException($"A command has at most {CommandBytesMax} bytes.", nameof(commands));

        var first = _log.Last.Next;
        for (var i = 0; i < commands.Count; i++)
            Append(EntryKind.Command, commands[i], now);
        return new ProposeOutcome(true, first, Term);
    }

    /// <summary>
    /// Takes what waits to be made durable, up to so many bytes of records but at least one entry. What is taken first must be
    /// durable first: one batch, or batches in the order in which they were taken.
    /// </summary>
    public bool TryTakePersist(int bytesMax, out PersistEffect effect)
    {
        effect = default;
        if (!HasToPersist)
            return false;

        var upTo = _taken;
        var bytes = 0;
        while (upTo < _log.Last && (upTo == _taken || bytes + LogBatch.BytesOf(_log[upTo.Next]) <= bytesMax))
        {
            upTo = upTo.Next;
            bytes += LogBatch.BytesOf(_log[upTo]);
        }
        effect = new PersistEffect(_takenState == _state ? null : _state, _log.Slice(_taken, upTo));
        (_takenState, _taken) = (_state, upTo);
        return true;
    }

    /// <summary>What was taken is durable: votes and entries count from now on.</summary>
    public void Persisted(in PersistEffect effect, in Moment now)
    {
        if (effect.State is { } state)
            _durableState = state;
        // An entry that was replaced while the disk wrote it proves nothing about the one that stands there now.
        if (effect.Entries.Length > 0 && effect.Entries.Span[^1] is var last && _log.TermAt(last.Index) == last.Term)
            _durable = LogIndex.Max(_durable, last.Index);

        if (Role == Role.Candidate)
            CountVotes(now);
        if (Role == Role.Leader)
            AdvanceCommit();
    }

    /// <summary>Takes the entries that have become committed since the last call, in order; none of them twice.</summary>
    public ReadOnlyMemory<Entry> TakeCommitted()
    {
        var entries = _log.Slice(_handedOut, Committed);
        _handedOut = Committed;
        return entries;
    }

    /// <summary>Takes the latest change of role since the last call.</summary>
    public RoleChanged? TakeRoleChange()
    {
        var change = _roleChanged;
        _roleChanged = null;
        return change;
    }

    private void CountVotes(in Moment now)
    {
        // R2: the only vote there is for now is this replica's own, and it counts once the disk has it.
        var votes = _durableState == _state && _state.Vote == _self ? 1 : 0;
        if (votes < Quorum.Of(_voters.Length))
            return;

        Become(Role.Leader);
        _clock = (_log.LastStamp, now.Monotonic);
        _ownTermFrom = _log.Last.Next;
        Array.Clear(_match);
        Append(EntryKind.NoOp, default, now);                            // R4
    }

    private void AdvanceCommit()
    {
        Span<LogIndex> match = stackalloc LogIndex[_match.Length];
        _match[Array.IndexOf(_voters, _self)] = _durable;
        _match.CopyTo(match);
        var reached = Quorum.Reached(match);
        if (reached <= Committed || _log[reached].Term != Term)          // R5
            return;
        Committed = reached;
    }

    private void Append(EntryKind kind, ReadOnlyMemory<byte> payload, in Moment now) =>
        _log.Put(new Entry(_log.Last.Next, Term, StampAt(now.Monotonic), now.WallMs, kind, payload));

    /// <summary>
    /// Log time goes on from the last stamp that this leader found, by its own monotonic clock: a jump of a wall clock changes nothing,
    /// and time during which nobody led did not pass.
    /// </summary>
    private LogTime StampAt(TimeSpan monotonic)
    {
        var elapsedMs = (long)(monotonic - _clock.Monotonic).TotalMilliseconds;
        return LogTime.Max(_log.LastStamp, new LogTime(_clock.Stamp.Value + elapsedMs));
    }

    private void Become(Role role)
    {
        Role = role;
        _roleChanged = new RoleChanged(Id, role, Term);
    }
}
