namespace Watch.Core.Watching;

// The present first, then what changes: pages of keys as they were at one revision, and live changes behind that revision.
public sealed partial class WatchTable
{
    private readonly Dictionary<SnapshotId, SnapshotReader> _snapshots = [];

    /// <summary>A page of keys.</summary>
    /// <param name="id">The question. An answer that nobody waits for any more is dropped.</param>
    /// <param name="piece">The page.</param>
    /// <param name="nowMs">The time.</param>
    public void Snapshotted(SnapshotId id, SnapshotPiece piece, long nowMs)
    {
        ArgumentNullException.ThrowIfNull(piece);
        _snapshots.Remove(id);
    }

    /// <summary>A page could not be read, or did not come in time; it is asked for again after a while.</summary>
    public void SnapshotFailed(SnapshotId id, long nowMs) => _snapshots.Remove(id);

    /// <summary>The revision of the pages before cannot be read any more: the snapshot begins again with a later one.</summary>
    public void SnapshotCompacted(SnapshotId id, Revision firstAvailable, long nowMs) => _snapshots.Remove(id);
}
