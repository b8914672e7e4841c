using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// What a transfer of a snapshot wants of the disk. The shell does it between the log's batches, each piece by itself, in the order in
/// which it was asked for (<c>SnapshotDesk</c> does), and says when it is done.
/// </summary>
/// <param name="Snapshot">The snapshot.</param>
public abstract record SnapshotWork(SnapshotInfo Snapshot)
{
    /// <summary>Read a chunk of this node's snapshot, to be sent; then call <see cref="Node.ChunkRead"/>.</summary>
    /// <param name="Snapshot">The snapshot.</param>
    /// <param name="To">For whom.</param>
    /// <param name="Chunk">Which chunk.</param>
    public sealed record Read(SnapshotInfo Snapshot, NodeId To, int Chunk) : SnapshotWork(Snapshot);

    /// <summary>
    /// Write a chunk that was received: the first one begins a new file, with the last one the snapshot is completed. Then call
    /// <see cref="Node.ChunkWritten"/>.
    /// </summary>
    /// <param name="Snapshot">The snapshot.</param>
    /// <param name="From">Who sent it.</param>
    /// <param name="Chunk">Which chunk.</param>
    /// <param name="IsLast">Whether it is the last.</param>
    /// <param name="Content">Its bytes.</param>
    public sealed record Write(SnapshotInfo Snapshot, NodeId From, int Chunk, bool IsLast, ReadOnlyMemory<byte> Content) : SnapshotWork(Snapshot);

    /// <summary>The rest of a snapshot that was received in part is not needed any more: what there is of it goes. Nothing is to be reported.</summary>
    /// <param name="Snapshot">The snapshot.</param>
    public sealed record Drop(SnapshotInfo Snapshot) : SnapshotWork(Snapshot);
}
