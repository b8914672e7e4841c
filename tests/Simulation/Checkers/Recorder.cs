using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Storage;
using Watch.Grains.Consensus;

namespace Watch.Simulation.Tests.Checkers;

/// <summary>
/// Hears from every replica of every node what it is about to apply, and compares: at an index of a group's log all that ever apply
/// anything apply the same. A snapshot that a replica was sent is a jump over what others have applied.
/// </summary>
internal class Recorder : ReplicaSeams
{
    private readonly SortedDictionary<int, List<Entry>> _logs = [];

    /// <summary>The first thing that was wrong.</summary>
    public string? Violation { get; private set; }

    /// <summary>How many entries were compared with one that another replica, or another life of this one, had applied before.</summary>
    public long Compared { get; private set; }

    /// <summary>The entries of every bucket's group that anybody has applied, in order.</summary>
    public IEnumerable<Entry> Entries => _logs.Where(log => log.Key != GroupId.System.Value).SelectMany(log => log.Value);

    /// <summary>The limits of every node's log.</summary>
    public LogOptions Limits { get; set; } = new();

    /// <summary>Called when a replica goes on from a snapshot that it was sent.</summary>
    public Action Installed { get; set; } = () => { };

    internal override LogOptions Log => Limits;

    internal override void Applying(NodeIdentity node, CommittedEntries committed)
    {
        var group = committed.Group.Value;
        if (!_logs.TryGetValue(group, out var log))
            _logs.Add(group, log = []);
        if (committed.Snapshot is { } snapshot)
        {
            Installed();
            // It stands for what was applied, so somebody has applied it; and for the same entries.
            if (snapshot.Index.Value > log.Count || log[(int)snapshot.Index.Value - 1].Term != snapshot.Term)
                Violation ??= $"Agreement: {node.Name} goes on from the {snapshot}, and nobody has applied the entry that it ends with.";
        }

        foreach (var entry in committed.Entries.Span)
            Compare(node, group, log, entry);
    }

    private void Compare(NodeIdentity node, int group, List<Entry> log, Entry entry)
    {
        var at = (int)entry.Index.Value - 1;
        if (at > log.Count)
        {
            Violation ??= $"Agreement: {node.Name} applies entry {entry.Index} of group {group}, but nobody has applied entry {log.Count + 1}.";
            return;
        }

        if (at == log.Count)
        {
            log.Add(entry);
            return;
        }

        Compared++;
        var known = log[at];
        if (known.Term != entry.Term || known.Kind != entry.Kind || known.Stamp != entry.Stamp || !known.Payload.Span.SequenceEqual(entry.Payload.Span))
            Violation ??= $"Agreement: {node.Name} applies at {entry.Index} of group {group} an entry of term {entry.Term}, {entry.Kind}; applied there before was one of term {known.Term}, {known.Kind}.";
    }
}
