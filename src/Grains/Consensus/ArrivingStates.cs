using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Keyspace;
using Watch.Core.Storage;

namespace Watch.Grains.Consensus;

/// <summary>
/// The states of snapshots that other nodes send, built chunk by chunk before the chunk is kept. So a snapshot takes the place of the one
/// before it only when this program has read it to its end: one that breaks the format, or has one that this program does not know, is found
/// while the one before is still there. Of the system group the catalogue is read likewise, though the node builds it itself.
/// </summary>
internal sealed class ArrivingStates(KeyspaceRules rules)
{
    private readonly Dictionary<GroupId, BucketSnapshotReader> _buckets = [];
    private readonly Dictionary<GroupId, BucketState> _complete = [];
    private MemoryStream? _catalogue;

    /// <summary>How many are under way, or wait to be taken.</summary>
    public int Count => _buckets.Count + _complete.Count + (_catalogue is null ? 0 : 1);

    /// <summary>Reads a chunk; the first one begins anew.</summary>
    /// <exception cref="MalformedSnapshotException">It cannot be read.</exception>
    public void Add(SnapshotWork.Write write)
    {
        var group = write.Snapshot.Group;
        if (group == GroupId.System)
        {
            if (write.Chunk == 0)
                _catalogue = new MemoryStream();
            _catalogue!.Write(write.Content.Span);
            return;
        }
        if (write.Chunk == 0)
            _buckets[group] = new BucketSnapshotReader(ResultLimits.Standard, rules);
        _buckets[group].Add(write.Content.Span);
    }

    /// <summary>Does a part of what is left when the last chunk was read; whether that was all.</summary>
    /// <exception cref="MalformedSnapshotException">The chunks are not one state.</exception>
    public bool TryComplete(SnapshotInfo snapshot, int scopesMax)
    {
        var group = snapshot.Group;
        if (group == GroupId.System)
        {
            if (!CatalogueSnapshot.IsOne(_catalogue!.ToArray()))
                throw new MalformedSnapshotException("It holds no catalogue that this program can read.");
            _catalogue = null;
            return true;
        }
        if (_buckets[group].TryComplete(scopesMax) is not { } state)
            return false;
        // It may be older, by entries that change no bucket; were it newer, entries would be applied twice.
        if (state.Applied > snapshot.Index)
            throw new MalformedSnapshotException($"The state has entries up to {state.Applied} in it, the snapshot stands for those up to {snapshot.Index}.");
        _buckets.Remove(group);
        _complete[group] = state;
        return true;
    }

    /// <summary>Takes a state that is complete; null where there is none.</summary>
    public BucketState? Take(GroupId group) => _complete.Remove(group, out var state) ? state : null;

    /// <summary>What there is of a group's comes to nothing.</summary>
    public void Drop(GroupId group)
    {
        _buckets.Remove(group);
        _complete.Remove(group);
        if (group == GroupId.System)
            _catalogue = null;
    }
}
