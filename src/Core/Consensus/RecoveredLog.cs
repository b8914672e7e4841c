using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>What one group had made durable.</summary>
/// <param name="Log">Its log, behind the snapshot.</param>
/// <param name="State">Its term and vote.</param>
/// <param name="Snapshot">Its newest snapshot, from which its state begins; null where the log goes back to its first entry.</param>
/// <param name="LacksBase">
/// Whether the disk still holds entries that do not fit the snapshot: it was received, and the power went before the log said so.
/// </param>
public sealed record RecoveredGroup(RaftLog Log, HardState State, SnapshotInfo? Snapshot, bool LacksBase);

/// <summary>All groups of a node as its snapshots and its write-ahead log hold them: the reader to open the data folder with.</summary>
/// <param name="options">How much stays in memory of what snapshots stand for; the defaults where it is null.</param>
public sealed class RecoveredLog(RaftOptions? options = null) : ILogReader
{
    private readonly RaftOptions _options = options ?? new RaftOptions();
    private readonly SortedDictionary<GroupId, GroupRecovery> _reading = [];
    private SortedDictionary<GroupId, RecoveredGroup>? _groups;

    /// <summary>The groups, by number.</summary>
    /// <exception cref="SnapshotDamagedException">A log begins behind a snapshot that is not there.</exception>
    public IReadOnlyDictionary<GroupId, RecoveredGroup> Groups
    {
        get
        {
            OnEnd();
            return _groups!;
        }
    }

    /// <summary>What the system group's snapshot holds; null where there is none.</summary>
    public ReadOnlyMemory<byte>? Catalogue { get; private set; }

    /// <inheritdoc/>
    public void OnSnapshot(SnapshotReader snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        Of(snapshot.Info.Group).Snapshot = snapshot.Info;
        if (snapshot.Info.Group != GroupId.System)
            return;
        using var content = new MemoryStream();
        for (var chunk = 0; snapshot.Read(chunk) is { } bytes; chunk++)
            content.Write(bytes);
        Catalogue = content.ToArray();
        if (!CatalogueSnapshot.IsOne(Catalogue.Value))
            throw new SnapshotDamagedException(snapshot.File, 0, "it holds no catalogue that this program can read.");
    }

    /// <inheritdoc/>
    public void OnEntry(GroupId group, Entry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        Of(group).Put(entry);
    }

    /// <inheritdoc/>
    public void OnHardState(GroupId group, HardState state)
    {
        var recovery = Of(group);
        Invariant.That(state.Term >= recovery.State.Term, "R2: a replica's term never falls");
        recovery.State = state;
    }

    /// <inheritdoc/>
    public void OnBase(GroupId group, LogBase start) => Of(group).Begin(start);

    /// <summary>
    /// A node was built from it: what it holds is the node's now. Kept here as well, logs that snapshots replace later, and the catalogue's
    /// bytes, would stay in memory for as long as whoever opened the folder keeps this.
    /// </summary>
    internal void HandOver() => (_groups, Catalogue) = ([], null);

    /// <inheritdoc/>
    public void OnEnd()
    {
        if (_groups is not null)
            return;
        var groups = new SortedDictionary<GroupId, RecoveredGroup>();
        foreach (var (id, recovery) in _reading)
            groups.Add(id, recovery.Complete());
        _groups = groups;
        // Each held its entries a second time.
        _reading.Clear();
    }

    private GroupRecovery Of(GroupId group)
    {
        Invariant.That(_groups is null, "R1: all of a log is read before any of it is used");
        if (!_reading.TryGetValue(group, out var recovery))
            _reading.Add(group, recovery = new GroupRecovery(group, _options));
        return recovery;
    }
}
