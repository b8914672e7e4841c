using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>What one group had made durable.</summary>
public sealed class RecoveredGroup
{
    /// <summary>Its log.</summary>
    public RaftLog Log { get; } = new();

    /// <summary>Its term and vote.</summary>
    public HardState State { get; internal set; }
}

/// <summary>All groups of a node as its write-ahead log holds them: the reader to open the log with.</summary>
public sealed class RecoveredLog : ILogReader
{
    private readonly SortedDictionary<GroupId, RecoveredGroup> _groups = [];

    /// <summary>The groups, by number.</summary>
    public IReadOnlyDictionary<GroupId, RecoveredGroup> Groups => _groups;

    /// <inheritdoc/>
    public void OnEntry(GroupId group, Entry entry) => Of(group).Log.Put(entry);

    /// <inheritdoc/>
    public void OnHardState(GroupId group, HardState state)
    {
        var recovered = Of(group);
        Invariant.That(state.Term >= recovered.State.Term, "R2: a replica's term never falls");
        recovered.State = state;
    }

    private RecoveredGroup Of(GroupId group)
    {
        if (!_groups.TryGetValue(group, out var recovered))
            _groups.Add(group, recovered = new RecoveredGroup());
        return recovered;
    }
}
