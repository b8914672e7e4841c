using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>Entries of one group that have become committed, in order.</summary>
/// <param name="Group">The group.</param>
/// <param name="Entries">Its entries.</param>
/// <param name="Snapshot">
/// Where it is not null, a snapshot that was received took the place of the group's log: the state is replaced by it, and there are no
/// entries.
/// </param>
public readonly record struct CommittedEntries(GroupId Group, ReadOnlyMemory<Entry> Entries, SnapshotInfo? Snapshot = null)
{
    /// <summary>Of the system group's snapshot the content.</summary>
    internal ReadOnlyMemory<byte> Content { get; init; }
}

/// <summary>
/// All groups of one node over its one log and its one line to every other node: still a state machine without clock, thread, disk or
/// network.
///
/// Group commit: whatever waits in any group goes into one batch (<see cref="TryCollect"/>), the shell makes that batch durable with
/// one write and one sync, reports it (<see cref="Persisted"/>), and takes what has become committed by it
/// (<see cref="TryTakeCommitted"/>). While a batch is at the disk, proposals gather for the next one. Messages may be taken at any time
/// (<see cref="TryTakeParcel"/>): what the disk holds back is not among them.
///
/// Liveness is one message per pair of nodes: at an interval a node tells each other one which groups it leads with it, and the answer
/// says in which of them that node's replica stands by it. Leases, check-quorum and confirmed reads all work by that; a group in which
/// nothing happens sends nothing of its own.
///
///   N1  One batch is at the disk at a time, and it is reported before the next is collected: what is durable is always a beginning of
///       what was collected.
///   N2  A birth is one batch: the system group's first entries and the default bucket's group, all of it or nothing.
///   N3  A group begins on its first voters when the catalogue's entry that creates it is committed; on any other node when a leader
///       first sends it entries, and the catalogue, if it is known, names the group: until then the leader asks again.
///   N4  Messages that are taken together belong to one round, which began when the first of them was asked for.
///   N5  A heartbeat is answered for a group only when the replica's term is on the disk (R2).
///   N7  A replica that no leader has told since it began to live what is committed says so beside that: it stands by the leader all the
///       same, so its answer counts for lease, reads and check-quorum, also while it is sent a snapshot. A node without the group says only
///       this; it stands by nobody.
///   N8  A node takes lease and margin over as soon as its log of the system group has the birth: it is the first command there, the same on
///       every node, so it need not be committed here. Promises that were made before by its own options last as long as those of the others.
/// </summary>
public sealed partial class Node
{
    /// <summary>How many bytes a batch gathers before the rest waits for the next; one entry may go beyond it.</summary>
    public const int BatchBytes = 16 << 20;

    private readonly SortedDictionary<GroupId, RaftGroup> _groups = [];
    private readonly Queue<RaftGroup> _waiting = new();
    private readonly HashSet<GroupId> _isWaiting = [];
    private readonly List<(RaftGroup Group, PersistEffect Effect)> _atDisk = [];
    private readonly Queue<RoleChanged> _roleChanges = new();
    private readonly Queue<CommittedEntries> _committed = new();
    private readonly GroupContext _context;
    private bool _started;

    /// <summary>A node as its disk remembers it.</summary>
    /// <param name="self">Who it is.</param>
    /// <param name="recovered">What its log holds; afterwards it holds nothing any more.</param>
    /// <param name="options">Times and limits; the lease and the margin are those of the catalogue.</param>
    /// <param name="jitter">A random number from 0 to below 1, so that not all stand for election at once.</param>
    public Node(NodeIdentity self, RecoveredLog recovered, RaftOptions options, Func<double> jitter)
        : this(self, recovered, options, jitter, SafetyRules.Raft)
    {
    }

    internal Node(NodeIdentity self, RecoveredLog recovered, RaftOptions options, Func<double> jitter, SafetyRules rules, ulong life = 0)
    {
        ArgumentNullException.ThrowIfNull(self);
        ArgumentNullException.ThrowIfNull(recovered);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        Self = self;
        _context = new GroupContext(options, new Rounds(life), jitter) { Rules = rules };
        // Before any group begins: it may have to stand by a promise that was made with the catalogue's lease (R8).
        if (recovered.Catalogue is { } catalogue)
            LoadCatalogue(catalogue, recovered.Groups[GroupId.System].Snapshot!.Index);
        else if (recovered.Groups.TryGetValue(GroupId.System, out var system) && BirthIn(system.Log) is { } born)
            Learn(born);
        foreach (var (id, group) in recovered.Groups)
            _groups.Add(id, RaftGroup.Recovered(id, self.Id, group, _context));
        recovered.HandOver();
    }

    /// <summary>Who it is.</summary>
    public NodeIdentity Self { get; }

    /// <summary>The incarnation of the cluster that this node's folder belongs to; null for a new folder.</summary>
    public UInt128? Incarnation { get; private set; }

    /// <summary>The system group's state, as far as its committed entries were taken.</summary>
    public Catalogue Catalogue { get; private set; } = new();

    /// <summary>The groups, to look at.</summary>
    public IReadOnlyDictionary<GroupId, RaftGroup> Groups => _groups;

    /// <summary>Whether a batch is at the disk.</summary>
    public bool IsPersisting => _atDisk.Count > 0 || _isRetiring;

    /// <summary>Whether something waits for <see cref="TryCollect"/>.</summary>
    public bool HasToPersist => _waiting.Count > 0;

    /// <summary>Lets a cluster be born on this node (<see cref="Birth.Decide"/> said so): its first entries wait for the next batch.</summary>
    /// <param name="incarnation">128 random bits, not zero.</param>
    /// <param name="leaseMs">A leader's lease, in milliseconds.</param>
    /// <param name="marginMs">The margin for clock drift, in milliseconds.</param>
    /// <param name="now">The clocks.</param>
    public void BeBorn(UInt128 incarnation, int leaseMs, int marginMs, in Moment now)
    {
        Invariant.That(Incarnation is null && _groups.Count == 0, "B1: a folder that knows an incarnation takes part in no other birth");
        Invariant.That(incarnation != 0, "B1: an incarnation is not zero");
        var commands = Birth.FirstCommands(incarnation, leaseMs, marginMs, Self.Name, Self.Id);
        Learn(commands.OfType<CatalogueCommand.ClusterBorn>().Single());
        Begin(GroupId.System, [Self.Id], [.. commands.Select(command => command.Encode())], now);
        foreach (var bucket in commands.OfType<CatalogueCommand.BucketCreated>())
            Begin(bucket.Group, bucket.FirstVoters, [], now);            // N2
    }

    /// <summary>Lets every group begin: those that are this node's alone are led at once, the others wait for their leader or their time.</summary>
    public void Start(in Moment now)
    {
        Invariant.That(!_started, "N3: a node starts once");
        _started = true;
        foreach (var group in _groups.Values)
            Start(group, now);
        BeginMissingGroups(now);
    }

    /// <summary>Appends commands to a group's log if this node leads the group; a group that is not here accepts nothing.</summary>
    public ProposeOutcome Propose(GroupId id, IReadOnlyList<ReadOnlyMemory<byte>> commands, in Moment now)
    {
        if (!_groups.TryGetValue(id, out var group))
            return new ProposeOutcome(false, LogIndex.None, Term.None, ProposeRefusal.NotLeader);
        var outcome = group.Propose(commands, now);
        Note(group);
        return outcome;
    }

    /// <summary>Changes a group's members if this node leads the group.</summary>
    public MembershipOutcome Change(GroupId id, MembershipChange change, in Moment now)
    {
        if (!_groups.TryGetValue(id, out var group))
            return MembershipOutcome.NotLeader;
        var outcome = group.Change(change, now);
        Note(group);
        return outcome;
    }

    /// <summary>
    /// Asks for linearizable reads of a group. All that ask before parcels are next taken may share a ticket; <see cref="TryTakeReadAnswer"/>
    /// answers it. Null where this node does not lead the group.
    /// </summary>
    public long? RequestRead(GroupId id)
    {
        if (!_groups.TryGetValue(id, out var group) || group.RequestRead() is not { } ticket)
            return null;
        _asking.Add(group);
        Note(group);
        return ticket;
    }

    /// <summary>Whether state built from what was taken of a group may answer a lease read now.</summary>
    public bool MayReadByLease(GroupId id, in Moment now) => _groups.TryGetValue(id, out var group) && group.MayReadByLease(now);

    /// <summary>
    /// Until when state built from what was taken of a group may answer lease reads, by the monotonic clock, unless this node gives the lease
    /// up before; in the past where it may not.
    /// </summary>
    public TimeSpan LeaseUntil(GroupId id, in Moment now) => _groups.TryGetValue(id, out var group) ? group.LeaseUntil(now) : TimeSpan.MinValue;

    /// <summary>Hands leadership of a group over to another voter.</summary>
    public bool Transfer(GroupId id, NodeId to, in Moment now)
    {
        var began = _groups.TryGetValue(id, out var group) && group.Transfer(to, now);
        if (began)
            Note(group!);
        return began;
    }

    /// <summary>Steps down in every group that this node leads with others: before a clean stop, so that nobody waits for its leases.</summary>
    public void Resign(in Moment now)
    {
        foreach (var group in _groups.Values.Where(group => group.Role == Role.Leader && group.Members.Voters.Length > 1))
        {
            group.Resign(now);
            Note(group);
        }
    }

    /// <summary>
    /// Collects what waits in every group into an empty batch, up to <see cref="BatchBytes"/>; what does not fit waits for the next.
    /// False where nothing waits.
    /// </summary>
    public bool TryCollect(LogBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        Invariant.That(!IsPersisting, "N1: one batch is at the disk at a time");
        Invariant.That(batch.IsEmpty, "N1: a batch is collected into an empty one");
        while (_waiting.TryPeek(out var group) && (batch.IsEmpty || batch.Length < BatchBytes))
        {
            if (group.TryTakePersist(BatchBytes - batch.Length, out var effect))
            {
                Add(batch, group.Id, effect);
                _atDisk.Add((group, effect));
            }
            if (group.HasToPersist)
                break;
            _waiting.Dequeue();
            _isWaiting.Remove(group.Id);
        }
        return !batch.IsEmpty;
    }

    /// <summary>The batch collected last is durable.</summary>
    public void Persisted(in Moment now)
    {
        Invariant.That(IsPersisting, "N1: only a collected batch becomes durable");
        foreach (var (group, effect) in _atDisk)
        {
            group.Persisted(effect, now);
            Note(group);
        }
        _atDisk.Clear();
        _isRetiring = false;
    }

    /// <summary>Takes entries that have become committed, group by group, each group's in order. The system group's are applied to the catalogue here.</summary>
    public bool TryTakeCommitted(in Moment now, out CommittedEntries committed)
    {
        if (!_committed.TryDequeue(out committed))
            return false;
        if (committed.Group != GroupId.System)
            return true;
        if (committed.Snapshot is { } snapshot)
        {
            LoadCatalogue(committed.Content, snapshot.Index);
            BeginMissingGroups(now);
        }
        Apply(committed.Entries.Span, now);
        return true;
    }

    /// <summary>Takes the next answer to reads, after everything committed was taken and applied.</summary>
    public bool TryTakeReadAnswer(in Moment now, out ReadAnswer answer)
    {
        Invariant.That(_committed.Count == 0, "L7: reads are answered from state that has everything applied that was committed");
        answer = default;
        while (_answering.TryPeek(out var group))
        {
            if (group.TryTakeReadAnswer(now, out answer))
                return true;
            _answering.Dequeue();
            _isAnswering.Remove(group.Id);
        }
        return false;
    }

    /// <summary>Takes the next change of a group's role.</summary>
    public bool TryTakeRoleChange(out RoleChanged change) => _roleChanges.TryDequeue(out change);

    private void Apply(ReadOnlySpan<Entry> entries, in Moment now)
    {
        foreach (var entry in entries)
        {
            _catalogueApplied = entry.Index;
            if (entry.Kind != EntryKind.Command)
                continue;
            var command = CatalogueCommand.Decode(entry.Payload);
            Catalogue.Apply(command, entry.Index);
            if (command is CatalogueCommand.ClusterBorn born)
                Learn(born);
            // Nothing is said to it any more; what waited for it would wait for ever.
            if (command is CatalogueCommand.NodeRemoved removed)
                _outboxes.Remove(removed.Id);
            if (command is CatalogueCommand.BucketCreated created && created.FirstVoters.Contains(Self.Id) && !_groups.ContainsKey(created.Group))
                Begin(created.Group, created.FirstVoters, [], new Moment(now.Monotonic, entry.WallTimeMs));   // N3
        }
    }

    /// <summary>The cluster's incarnation, lease and margin: the same on all of its nodes, whatever this one's options said.</summary>
    private void Learn(CatalogueCommand.ClusterBorn born)
    {
        Incarnation ??= born.Incarnation;
        var promise = _context.Options.Promise;
        _context.Options = _context.Options with { Lease = TimeSpan.FromMilliseconds(born.LeaseMs), Margin = TimeSpan.FromMilliseconds(born.MarginMs) };
        _context.Options.Validate();
        foreach (var group in _groups.Values)
            group.StandByLonger(_context.Options.Promise - promise);     // N8
    }

    private void Begin(GroupId id, IReadOnlyList<NodeId> voters, IReadOnlyList<byte[]> commands, in Moment now)
    {
        var group = RaftGroup.Born(id, Self.Id, voters, commands, now.WallMs, _context);
        _groups.Add(id, group);
        if (_started)
            Start(group, now);
        Note(group);
    }

    private void Start(RaftGroup group, in Moment now)
    {
        group.Start(now);
        Note(group);
    }

    /// <summary>Something happened in a group: whatever came of it is noticed here.</summary>
    private void Note(RaftGroup group)
    {
        if (group.TakeRoleChange() is { } change)
            _roleChanges.Enqueue(change);
        if (group.HasToPersist && _isWaiting.Add(group.Id))
            _waiting.Enqueue(group);
        NoteSnapshots(group);
        if (group.TakeCommitted() is { Length: > 0 } committed)
            _committed.Enqueue(new CommittedEntries(group.Id, committed));
        if (_isAnswering.Add(group.Id))
            _answering.Enqueue(group);
        if (_isTalking.Add(group.Id))
            _talking.Enqueue(group);
        NoteDeadline(group);
    }

    private static void Add(LogBatch batch, GroupId group, in PersistEffect effect)
    {
        if (effect.State is { } state)
            batch.Add(group, state);
        if (effect.Base is { } start)
            batch.Add(group, start);
        foreach (var entry in effect.Entries.Span)
            batch.Add(group, entry);
    }

    private static CatalogueCommand.ClusterBorn? BirthIn(RaftLog log)
    {
        for (var index = log.First; index <= log.Last; index = index.Next)
        {
            if (log[index].Kind == EntryKind.Command)
                return CatalogueCommand.Decode(log[index].Payload) as CatalogueCommand.ClusterBorn;
        }
        return null;
    }
}
