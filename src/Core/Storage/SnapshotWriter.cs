namespace Watch.Core.Storage;

/// <summary>
/// Writes one snapshot, chunk by chunk, so that the disk thread does other work in between. Every chunk is synced by itself: one sync of
/// all of them at the end would hold up the log for as long as the disk needs for the whole file. Not thread-safe: the disk thread owns it.
/// </summary>
public sealed class SnapshotWriter : IDisposable
{
    /// <summary>The content of one chunk, at most: a piece of a state that ends with a value of the longest kind. Most have 256 KiB.</summary>
    public const int ChunkBytesMax = 48 << 20;

    private readonly SnapshotStore _store;
    private readonly IFile _file;
    private byte[] _buffer = [];
    private long _length;
    private long _content;
    private uint _checksum;
    private bool _closed;

    internal SnapshotWriter(SnapshotStore store, NodeId node, SnapshotInfo info, string path, IFile file)
    {
        (_store, Info, Path, _file) = (store, info, path, file);
        Put(SnapshotFormat.Header(node, info, out _checksum));
    }

    /// <summary>What the snapshot stands for.</summary>
    public SnapshotInfo Info { get; }

    /// <summary>How many chunks were written.</summary>
    public int Chunks { get; private set; }

    internal string Path { get; }

    /// <summary>Writes the next chunk and makes it durable.</summary>
    /// <param name="content">1 to <see cref="ChunkBytesMax"/> bytes.</param>
    /// <exception cref="SnapshotHasNoRoomException">The disk is full; the snapshot is given up, and its room with it.</exception>
    public void Write(ReadOnlySpan<byte> content)
    {
        Invariant.That(!_closed && content.Length is > 0 and <= ChunkBytesMax, "S1: a chunk has content, and not too much");
        if (_buffer.Length < SnapshotFormat.ChunkHeaderBytes + content.Length)
            _buffer = new byte[SnapshotFormat.ChunkHeaderBytes + content.Length];
        var bytes = _buffer.AsSpan(0, SnapshotFormat.ChunkHeaderBytes + content.Length);
        SnapshotFormat.WriteChunk(bytes, Chunks, content, ref _checksum);
        Put(bytes);
        Chunks++;
        _content += content.Length;
        Sync();
    }

    /// <summary>
    /// Completes the snapshot: from here on it is durable and the group's newest, and the one before it is gone. False where the store has
    /// a newer one by now; then this one is thrown away.
    /// </summary>
    /// <exception cref="SnapshotHasNoRoomException">The disk is full; the snapshot is given up, and its room with it.</exception>
    public bool Complete()
    {
        Invariant.That(!_closed, "S1: a snapshot is completed once");
        Put(SnapshotFormat.Trailer(Chunks, _content, _checksum));
        Sync();
        Close();
        return _store.Adopt(this);
    }

    /// <summary>Gives the file up, and its room with it.</summary>
    public void GiveUp()
    {
        if (_closed)
            return;
        Close();
        _store.GiveUp(Path);
    }

    /// <summary>Gives the file up unless it was completed; it stays behind without a name until the folder is opened again or the group's next snapshot.</summary>
    public void Dispose() => Close();

    private void Close()
    {
        if (!_closed)
            _file.Dispose();
        _closed = true;
    }

    /// <summary>
    /// Where there is no room, nothing that counts has been touched: so that is no reason for the node to stop, whichever call meets it. A
    /// disk that finds room when it syncs says so then (a quota, a file system over the network): what is lost is this file's, and it goes.
    /// Any other error of a sync stops the node: nobody knows then what the disk holds, the log's pages included.
    /// </summary>
    private void Put(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _file.Write(_length, bytes);
        }
        catch (DiskFullException full)
        {
            throw NoRoom(full);
        }
        _length += bytes.Length;
    }

    private void Sync()
    {
        try
        {
            _file.Sync();
        }
        catch (DiskFullException full)
        {
            throw NoRoom(full);
        }
    }

    /// <summary>
    /// The log may need room next, before anything else is done, and without it the node stops. So the end of the file goes at once: it never got
    /// its name, and its other one proves nothing (S3), so this need not wait as E1 says. The rest of it goes in steps.
    /// </summary>
    private SnapshotHasNoRoomException NoRoom(DiskFullException full)
    {
        _ = TryCutEnd();
        GiveUp();
        return new SnapshotHasNoRoomException(Path, full);
    }

    /// <summary>False where there is no room even for that: all of the file's room comes back later then (E3).</summary>
    private bool TryCutEnd()
    {
        try
        {
            _file.SetLength(Math.Max(0, _length - LeavingFiles.StepBytes));
            return true;
        }
        catch (DiskFullException)
        {
            return false;
        }
    }
}
