using Watch.Core.Consensus;
using Watch.Core.Storage;

namespace Watch.Core.Tests.Consensus;

/// <summary>A cluster broke a promise.</summary>
internal sealed class PromiseBrokenException(string promise) : Exception(promise);

/// <summary>Everything was healed, and yet the cluster does not do what it is for. No promise is broken by that.</summary>
internal sealed class StuckException(string how) : Exception(how);

/// <summary>
/// What must hold of a cluster, whatever it is made of: looks at roles, logs and applied entries from outside, and at what clients were
/// told.
/// </summary>
internal sealed class Checkers
{
    private readonly Dictionary<Term, NodeId> _leaders = [];
    private readonly List<Entry> _committed = [];
    private readonly Dictionary<int, long> _positions = [];
    private readonly List<(long Position, int Value)> _acknowledged = [];
    private long _seen;

    /// <summary>The place in the agreed order up to which some finished operation has seen: what begins now must not see less.</summary>
    internal long Seen => _seen;

    internal int Acknowledged => _acknowledged.Count;

    internal int Reads { get; private set; }

    internal int LeaseReads { get; private set; }

    internal int Elections => _leaders.Count;

    internal int Committed => _committed.Count;

    /// <summary>Election safety and leader completeness.</summary>
    internal void Leads(NodeId node, RaftGroup group)
    {
        if (_leaders.TryGetValue(group.Term, out var other) && other != node)
            throw new PromiseBrokenException($"election safety: both {other.Value} and {node.Value} lead in term {group.Term}");
        _leaders[group.Term] = node;
        foreach (var entry in _committed.Where(entry => entry.Index >= group.Log.First.Previous))
        {
            if (group.Log.TermAt(entry.Index) != entry.Term)
                throw new PromiseBrokenException($"leader completeness: the leader of term {group.Term} lacks the committed entry {entry.Index} of term {entry.Term}");
        }
    }

    /// <summary>State machine safety: all apply the same, in the same order.</summary>
    internal void Applied(NodeId node, Entry entry, int place)
    {
        if (entry.Index.Value != place)
            throw new PromiseBrokenException($"order: {node.Value} applied {entry.Index} at place {place}");
        if (place > _committed.Count)
        {
            _committed.Add(entry);
            if (entry.Kind == EntryKind.Command)
                _positions[Machine.ValueOf(entry)] = place;
            return;
        }
        var known = _committed[place - 1];
        if (known.Term != entry.Term || known.Kind != entry.Kind || !known.Payload.Span.SequenceEqual(entry.Payload.Span))
            throw new PromiseBrokenException($"state machine safety: {node.Value} applied at {place} the entry of term {entry.Term}, another one that of term {known.Term}");
    }

    /// <summary>A write was answered: it has its place, behind all that was finished before it began.</summary>
    internal void Written(int value, long seenBefore)
    {
        var position = _positions[value];
        if (position <= seenBefore)
            throw new PromiseBrokenException($"linearizability: write {value} has place {position}, but {seenBefore} was seen before it began");
        _acknowledged.Add((position, value));
        _seen = Math.Max(_seen, position);
    }

    /// <summary>A read was answered: it sees all that was finished before it began.</summary>
    internal void Read(int value, long seenBefore, bool lease)
    {
        var position = value == 0 ? 0 : _positions[value];
        if (position < seenBefore)
            throw new PromiseBrokenException($"linearizability: a {(lease ? "lease" : "confirmed")} read saw place {position}, but {seenBefore} was seen before it began");
        _seen = Math.Max(_seen, position);
        if (lease)
            LeaseReads++;
        else
            Reads++;
    }

    /// <summary>Log matching: where two logs have an entry of the same index and term, they are equal up to there.</summary>
    internal static void Match(IReadOnlyList<Machine> machines)
    {
        for (var a = 0; a < machines.Count; a++)
        {
            for (var b = a + 1; b < machines.Count; b++)
            {
                if (machines[a].Raft is { } one && machines[b].Raft is { } two)
                    Match(one.Log, two.Log);
            }
        }
    }

    /// <summary>At the end, with everything healed: every replica has applied all that was acknowledged, and all that anyone applied.</summary>
    internal void End(IEnumerable<Machine> machines)
    {
        foreach (var machine in machines)
        {
            if (machine.Applied.Count != _committed.Count)
                throw new StuckException($"{machine.Name} applied {machine.Applied.Count} of {_committed.Count}");
            foreach (var (position, value) in _acknowledged)
            {
                if (machine.Applied[(int)position - 1] is not { Kind: EntryKind.Command } entry || Machine.ValueOf(entry) != value)
                    throw new PromiseBrokenException($"durability: the acknowledged write {value} is not in {machine.Name}");
            }
        }
    }

    private static void Match(RaftLog one, RaftLog two)
    {
        var agreed = false;
        for (var index = LogIndex.Min(one.Last, two.Last); index >= LogIndex.Max(one.First, two.First); index = index.Previous)
        {
            var (a, b) = (one[index], two[index]);
            var same = a.Term == b.Term;
            if (agreed && !same || same && !a.Payload.Span.SequenceEqual(b.Payload.Span))
                throw new PromiseBrokenException($"log matching: two logs differ at {index} and agree behind it");
            agreed |= same;
        }
    }
}
