namespace Watch.Core.Storage;

/// <summary>
/// Reads chunks of snapshots that are sent and writes chunks of those that are received, one call each, so that the disk thread works on the
/// log in between. It keeps files open from one chunk to the next. Not thread-safe: the disk thread owns it.
/// </summary>
public sealed class SnapshotDesk(SnapshotStore store) : IDisposable
{
    private readonly Dictionary<GroupId, SnapshotWriter> _incoming = [];
    private SnapshotReader? _outgoing;

    /// <summary>
    /// Reads a chunk of this node's snapshot. Null where that snapshot is not there any more; empty, and the last one, where a snapshot
    /// has no content.
    /// </summary>
    /// <exception cref="SnapshotDamagedException">What stands there is not what was written.</exception>
    public (ReadOnlyMemory<byte>? Content, bool IsLast) Read(SnapshotInfo snapshot, int chunk)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        if (store.Newest.GetValueOrDefault(snapshot.Group) is not { } newest || !newest.StandsFor(snapshot))
            return (null, false);
        if (_outgoing is null || !_outgoing.Info.StandsFor(snapshot))
        {
            _outgoing?.Dispose();
            _outgoing = store.Read(snapshot);
        }
        if (_outgoing!.Read(chunk) is { } content)
            return (content, _outgoing.IsLast(chunk));
        return chunk == 0 ? (ReadOnlyMemory<byte>.Empty, true) : (null, false);
    }

    /// <summary>
    /// Writes a chunk that was received: the first one begins the file, with the last one the snapshot is durable.
    /// </summary>
    /// <returns>With the last chunk: whether it is the group's newest now.</returns>
    /// <exception cref="SnapshotHasNoRoomException">The disk is full; what there was of the snapshot is given up.</exception>
    public bool Write(SnapshotInfo snapshot, int chunk, bool isLast, ReadOnlySpan<byte> content)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        try
        {
            return WriteTo(snapshot, chunk, isLast, content);
        }
        catch (SnapshotHasNoRoomException)
        {
            _incoming.Remove(snapshot.Group);
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _outgoing?.Dispose();
        foreach (var writer in _incoming.Values)
            writer.Dispose();
        _incoming.Clear();
    }

    private bool WriteTo(SnapshotInfo snapshot, int chunk, bool isLast, ReadOnlySpan<byte> content)
    {
        if (chunk == 0)
        {
            _incoming.GetValueOrDefault(snapshot.Group)?.Dispose();
            _incoming[snapshot.Group] = store.Begin(snapshot, received: true);
        }
        var writer = _incoming[snapshot.Group];
        Invariant.That(writer.Info.StandsFor(snapshot) && writer.Chunks == chunk, "S1: chunks of one snapshot are written in order");
        if (content.Length > 0)
            writer.Write(content);
        if (!isLast)
            return false;
        _incoming.Remove(snapshot.Group);
        return writer.Complete();
    }
}
