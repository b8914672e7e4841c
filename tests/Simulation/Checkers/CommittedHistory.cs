using System.Text;
using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Core.Storage;
using Watch.Simulation.Tests.Watches;

namespace Watch.Simulation.Tests.Checkers;

/// <summary>
/// What the agreed log means, worked out by the simplest means there are: a dictionary. Only the bytes of the commands are read with the
/// product's own code.
/// </summary>
internal sealed class CommittedHistory
{
    private readonly Dictionary<string, string> _state = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _modified = new(StringComparer.Ordinal);
    private readonly Dictionary<ClientId, long> _open = [];
    private readonly HashSet<(ClientId Client, long Number)> _done = [];
    private readonly List<CommittedChange> _changes = [];
    private readonly Dictionary<string, List<CommittedChange>> _byKey = new(StringComparer.Ordinal);

    public CommittedHistory(IEnumerable<Entry> entries)
    {
        foreach (var entry in entries.Where(each => each.Kind == EntryKind.Command))
        {
            switch (CommandCodec.Decode(entry.Payload.Span))
            {
                case WriteCommand write when write.Id is not { } id || IsNew(id):
                    Apply(write);
                    break;
                case CompactCommand compaction:
                    Compacted = Math.Max(Compacted, compaction.Through.Value);
                    break;
            }
        }
    }

    /// <summary>
    /// A write that was sent again stands in the log again, under its number, and takes effect once; one that comes first after its client
    /// has said that it waits for it no more takes none.
    /// </summary>
    private bool IsNew(WriteId id)
    {
        _open[id.Client] = Math.Max(_open.GetValueOrDefault(id.Client), id.OldestOpen);
        return id.Number >= _open[id.Client] && _done.Add((id.Client, id.Number));
    }

    /// <summary>The bucket's revision at the end.</summary>
    public long Revision { get; private set; }

    /// <summary>Up to where history was given up at the end.</summary>
    public long Compacted { get; private set; }

    /// <summary>Every change, in order.</summary>
    public IReadOnlyList<CommittedChange> Changes => _changes;

    /// <summary>A key's value as of a revision; null where it did not exist.</summary>
    public string? ValueAt(string key, long revision) => _byKey.TryGetValue(key, out var changes) ? changes.FindLast(each => each.Revision <= revision)?.Value : null;

    /// <summary>The last change of what a pattern has, of those that are wanted; 0 where there is none.</summary>
    public Revision LastChangeOf(Pattern target, Func<CommittedChange, bool>? wants = null) =>
        new(_changes.LastOrDefault(change => target.Has(change.Key) && wants?.Invoke(change) != false)?.Revision ?? 0);

    private void Apply(WriteCommand write)
    {
        var key = Encoding.UTF8.GetString(write.Key.Span);
        var present = _state.GetValueOrDefault(key);
        if (!Holds(write.Condition, key, present) || (write.Kind == ChangeKind.Delete && present is null))
            return;
        var value = write.Kind == ChangeKind.Delete ? null : Encoding.UTF8.GetString(write.Value.Span);
        if (value is null)
            _state.Remove(key);
        else
            _state[key] = value;
        _modified[key] = ++Revision;
        var change = new CommittedChange(Revision, key, value, present);
        _changes.Add(change);
        if (!_byKey.TryGetValue(key, out var changes))
            _byKey.Add(key, changes = []);
        changes.Add(change);
    }

    private bool Holds(Condition? condition, string key, string? present) => condition switch
    {
        null => true,
        { Kind: Core.Keyspace.ConditionKind.Absent } => present is null,
        { Kind: Core.Keyspace.ConditionKind.Exists } => present is not null,
        { Kind: Core.Keyspace.ConditionKind.ValueEquals } => present == Encoding.UTF8.GetString(condition.Value.Span),
        { Kind: Core.Keyspace.ConditionKind.RevisionEquals } => (present is null ? 0 : _modified[key]) == condition.Revision.Value,
        _ => throw new ViolationException($"A condition of kind {condition.Kind} stands in the log."),
    };
}
