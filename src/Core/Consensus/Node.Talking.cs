using System.Collections.Immutable;
using Watch.Core.Consensus.Messages;

namespace Watch.Core.Consensus;

/// <summary>What a node says to others and hears from them, and when time alone makes it say something.</summary>
public sealed partial class Node
{
    private readonly Queue<RaftGroup> _talking = new();
    private readonly HashSet<GroupId> _isTalking = [];
    private readonly Queue<RaftGroup> _answering = new();
    private readonly HashSet<GroupId> _isAnswering = [];
    private readonly HashSet<RaftGroup> _asking = [];
    private readonly SortedDictionary<NodeId, Outbox> _outboxes = [];
    private readonly Queue<Parcel> _parcels = new();
    private TimeSpan _deadline = TimeSpan.MaxValue;
    private TimeSpan _heartbeatAt = TimeSpan.MaxValue;
    private bool _heartbeatIsDue;
    private bool _hasAnswers;

    /// <summary>When <see cref="Tick"/> has something to do, or earlier; null where only an input can change anything.</summary>
    public TimeSpan? NextDeadline
    {
        get
        {
            var at = _deadline < _heartbeatAt ? _deadline : _heartbeatAt;
            return at == TimeSpan.MaxValue ? null : at;
        }
    }

    /// <summary>Hears what another node sent.</summary>
    public void Step(Parcel parcel, in Moment now)
    {
        ArgumentNullException.ThrowIfNull(parcel);
        if (!_started || parcel.To != Self.Id)
            return;
        foreach (var message in parcel.Messages)
            Step(message, now);
    }

    /// <summary>Hears a message.</summary>
    public void Step(Message message, in Moment now)
    {
        switch (message)
        {
            case Heartbeat heartbeat:
                Answer(heartbeat, now);
                break;
            case HeartbeatAnswer answer:
                Hear(answer, now);
                break;
            case GroupMessage of when GroupFor(of, now) is { } group:
                group.Step(of, now);
                if (Incarnation is null && group.Id == GroupId.System && BirthIn(group.Log) is { } born)
                    Learn(born);                                         // N8
                Note(group);
                break;
        }
    }

    /// <summary>Time has passed. Without effect before <see cref="NextDeadline"/>.</summary>
    public void Tick(in Moment now)
    {
        if (_heartbeatAt <= now.Monotonic)
            (_heartbeatIsDue, _heartbeatAt) = (true, TimeSpan.MaxValue);
        if (_deadline > now.Monotonic)
            return;
        _deadline = TimeSpan.MaxValue;
        foreach (var group in _groups.Values)
        {
            if (group.Deadline <= now.Monotonic)
            {
                group.Tick(now);
                Note(group);
            }
            else
            {
                NoteDeadline(group);
            }
        }
    }

    /// <summary>
    /// Takes all that waits for another node and that the disk does not hold back. Take until there is nothing more; before a batch goes to
    /// the disk, too, so that followers write while this node does.
    /// </summary>
    public bool TryTakeParcel(in Moment now, out Parcel parcel)
    {
        if (_parcels.Count == 0 && (_talking.Count > 0 || _heartbeatIsDue || _hasAnswers))
            Gather(now);
        return _parcels.TryDequeue(out parcel!);
    }

    private void Gather(in Moment now)
    {
        var round = _context.Rounds.Begin(now);                          // N4
        _hasAnswers = false;
        AskForReads(round);
        if (_heartbeatIsDue)
            Heartbeats(now);
        while (_talking.TryDequeue(out var group))
        {
            _isTalking.Remove(group.Id);
            group.Flush(now);
            NoteSnapshots(group);
            group.Release((to, message) => OutboxTo(to).Messages.Add(message));
            if (group.Role == Role.Leader && _heartbeatAt == TimeSpan.MaxValue && group.Leading!.LeadsOthers)
                _heartbeatAt = now.Monotonic + _context.Options.HeartbeatInterval;
            NoteDeadline(group);
        }
        foreach (var (to, outbox) in _outboxes)
            Pack(to, outbox, round);
    }

    private void AskForReads(in Round round)
    {
        foreach (var group in _asking)
        {
            if (group.Leading is not { WantsConfirmation: true } leader)
                continue;
            leader.Asks(round);
            Address(group, leader);
        }
        _asking.Clear();
    }

    private void Heartbeats(in Moment now)
    {
        _heartbeatIsDue = false;
        foreach (var group in _groups.Values)
        {
            if (group.Leading is not { } leader)
                continue;
            if (leader.WantsConfirmation)
                leader.Asks(_context.Rounds.Current);
            Address(group, leader);
            if (_heartbeatAt == TimeSpan.MaxValue && leader.LeadsOthers)
                _heartbeatAt = now.Monotonic + _context.Options.HeartbeatInterval;
        }
    }

    private void Address(RaftGroup group, LeaderRole leader)
    {
        foreach (var node in leader.HeartbeatTo)
            OutboxTo(node).Leads.Add(group.Id);
    }

    private void Pack(NodeId to, Outbox outbox, in Round round)
    {
        if (outbox.Leads.Count > 0)
        {
            outbox.Messages.Insert(0, new Heartbeat(Self.Id, round, TakeLeads(outbox.Leads)));
        }
        var messages = ImmutableArray.CreateBuilder<Message>();
        var bytes = 0L;
        foreach (var message in outbox.Messages)
        {
            var size = ParcelCodec.SizeOf(message);
            if (messages.Count > 0 && bytes + size > _context.Options.ParcelBytesMax)
            {
                _parcels.Enqueue(new Parcel(to, messages.ToImmutable()));
                messages.Clear();
                bytes = 0;
            }
            messages.Add(message);
            bytes += size;
        }
        if (messages.Count > 0)
            _parcels.Enqueue(new Parcel(to, messages.ToImmutable()));
        outbox.Messages.Clear();
    }

    /// <summary>The groups to name, each once, in order. Mostly they come in order: a sort of what is sorted is quick.</summary>
    private ImmutableArray<GroupTerm> TakeLeads(List<GroupId> leads)
    {
        leads.Sort(static (a, b) => a.Value.CompareTo(b.Value));
        var terms = ImmutableArray.CreateBuilder<GroupTerm>(leads.Count);
        for (var at = 0; at < leads.Count; at++)
        {
            if (at == 0 || leads[at] != leads[at - 1])
                terms.Add(new GroupTerm(leads[at], _groups[leads[at]].Term));
        }
        leads.Clear();
        return terms.DrainToImmutable();
    }

    private void Answer(Heartbeat heartbeat, in Moment now)
    {
        var reached = ImmutableArray.CreateBuilder<GroupTerm>(heartbeat.Leads.Length);
        foreach (var (id, term) in heartbeat.Leads)
        {
            if (!_groups.TryGetValue(id, out var group))
            {
                reached.Add(new GroupTerm(id, Term.None));
                continue;
            }
            group.HearLeader(heartbeat.From, term, heartbeat.Round, now);
            if (group.StateIsDurable)
                reached.Add(new GroupTerm(id, group.Term));              // N5
            if (group.StateIsDurable && group.Term == term && !group.WasVerified)
                reached.Add(new GroupTerm(id, Term.None));               // N7
            Note(group);
        }
        _hasAnswers = true;
        OutboxTo(heartbeat.From).Messages.Add(new HeartbeatAnswer(Self.Id, heartbeat.Round, reached.ToImmutable()));
    }

    private void Hear(HeartbeatAnswer answer, in Moment now)
    {
        foreach (var (id, term) in answer.Reached)
        {
            if (!_groups.TryGetValue(id, out var group) || !group.HearAnswer(answer.From, term, answer.Round, now))
                continue;
            Note(group);
        }
    }

    /// <summary>The group that a message is for. A replica begins where a leader has entries for it (N3); other messages to a group that is not here are for nobody.</summary>
    private RaftGroup? GroupFor(GroupMessage message, in Moment now)
    {
        if (_groups.TryGetValue(message.Group, out var group))
            return group;
        if (message is not (AppendEntries or InstallSnapshot) || (Catalogue.Incarnation is not null && !MembershipPlan.GroupsOf(Catalogue).Contains(message.Group)))
            return null;
        group = RaftGroup.Empty(message.Group, Self.Id, _context);
        _groups.Add(message.Group, group);
        group.Start(now);
        return group;
    }

    private void NoteDeadline(RaftGroup group)
    {
        if (group.Deadline is { } at && at < _deadline)
            _deadline = at;
    }

    private Outbox OutboxTo(NodeId node)
    {
        if (!_outboxes.TryGetValue(node, out var outbox))
            _outboxes.Add(node, outbox = new Outbox());
        return outbox;
    }

    private sealed class Outbox
    {
        internal List<Message> Messages { get; } = [];

        /// <summary>Groups to name in the next heartbeat; a group may stand here twice.</summary>
        internal List<GroupId> Leads { get; } = [];
    }
}
