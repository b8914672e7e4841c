namespace Watch.Core.Storage;

/// <summary>
/// Reads chunks of snapshots that are sent and writes chunks of those that are received, one call each, so that the disk thread works on the
/// log in between. It keeps files open from one chunk to the next. Not thread-safe: the disk thread owns it.
/// </summary>
public sealed class SnapshotDesk(SnapshotStore store) : IDisposable
{
    /// <summary>So many snapshots are open for reading at a time; a transfer of yet another one reads its file from the beginning again, in steps.</summary>
    public const int ReadersMax = 4;

    /// <summary>Of a file of which nothing was read before, so much is read on the way to a chunk in one step: some milliseconds.</summary>
    public const long ReachBytes = 4 << 20;

    private readonly Dictionary<GroupId, SnapshotWriter> _incoming = [];

    // The one used last stands last.
    private readonly List<SnapshotReader> _outgoing = [];

    /// <summary>
    /// Goes towards a chunk of this node's snapshot, <see cref="ReachBytes"/> at most. Whether it can be read now: call again where not, and
    /// do other work in between. A receiver that goes on where it stopped asks a leader that has just begun for a chunk far behind.
    /// </summary>
    /// <exception cref="SnapshotDamagedException">What stands there is not what was written.</exception>
    public bool Reach(SnapshotInfo snapshot, int chunk)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return ReaderOf(snapshot) is not { } reader || reader.Reach(chunk, ReachBytes);
    }

    /// <summary>
    /// Reads a chunk of this node's snapshot. Null where that snapshot is not there any more; empty, and the last one, where a snapshot
    /// has no content.
    /// </summary>
    /// <exception cref="SnapshotDamagedException">What stands there is not what was written.</exception>
    public (ReadOnlyMemory<byte>? Content, bool IsLast) Read(SnapshotInfo snapshot, int chunk)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        if (ReaderOf(snapshot) is not { } reader)
            return (null, false);
        if (reader.Read(chunk) is { } content)
            return (content, reader.IsLast(chunk));
        // Not one conditional expression: of the two types it would take the one in which null is empty memory.
        if (chunk == 0)
            return (ReadOnlyMemory<byte>.Empty, true);
        return (null, false);
    }

    /// <summary>
    /// Writes a chunk that was received: the first one begins the file, with the last one the snapshot is durable. Whoever calls has read
    /// the chunk: what cannot be read must not take the place of what can.
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

    /// <summary>What was received of a group's snapshot comes to nothing: its room is given back. Nothing happens where nothing is under way.</summary>
    public void Drop(GroupId group)
    {
        if (_incoming.Remove(group, out var writer))
            writer.GiveUp();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var reader in _outgoing)
            reader.Dispose();
        foreach (var writer in _incoming.Values)
            writer.Dispose();
        _outgoing.Clear();
        _incoming.Clear();
    }

    /// <summary>The open snapshot; null where it is not there any more.</summary>
    private SnapshotReader? ReaderOf(SnapshotInfo snapshot)
    {
        var place = _outgoing.FindIndex(reader => reader.Info.Group == snapshot.Group);
        var reader = place < 0 ? null : _outgoing[place];
        if (reader is not null)
            _outgoing.RemoveAt(place);
        if (store.Newest.GetValueOrDefault(snapshot.Group) is not { } newest || !newest.StandsFor(snapshot))
        {
            reader?.Dispose();
            return null;
        }
        if (reader is null || !reader.Info.StandsFor(snapshot))
        {
            reader?.Dispose();
            reader = store.Read(snapshot)!;
        }
        if (_outgoing.Count == ReadersMax)
        {
            _outgoing[0].Dispose();
            _outgoing.RemoveAt(0);
        }
        _outgoing.Add(reader);
        return reader;
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
