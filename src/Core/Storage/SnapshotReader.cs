namespace Watch.Core.Storage;

/// <summary>Reads a snapshot from its first chunk to its last, believes nothing, changes nothing. Not thread-safe.</summary>
public sealed class SnapshotReader : IDisposable
{
    private readonly string _path;
    private readonly IFile _file;
    private readonly List<(long Offset, uint Checksum)> _starts = [];

    internal SnapshotReader(string path, IFile file, NodeId node)
    {
        (_path, _file) = (path, file);
        Info = ReadHeader(node);
    }

    /// <summary>What the snapshot stands for.</summary>
    public SnapshotInfo Info { get; }

    /// <summary>The file.</summary>
    public string File => _path;

    /// <summary>
    /// Reads on towards a chunk, about so many bytes, since each chunk's checksum builds on that of the one before it. Whether the chunk, or
    /// the end, is reached: then reading it costs no more than its own bytes.
    /// </summary>
    /// <exception cref="SnapshotDamagedException">What stands there is not what was written.</exception>
    public bool Reach(int chunk, long bytesMax)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(chunk);
        for (var read = 0L; _starts.Count <= chunk;)
        {
            if (read >= bytesMax)
                return false;
            var (offset, before) = _starts[^1];
            if (ReadAt(_starts.Count - 1, offset, before, out var checksum) is not { } passed)
                return true;
            _starts.Add((offset + SnapshotFormat.ChunkHeaderBytes + passed.Length, checksum));
            read += passed.Length;
        }
        return true;
    }

    /// <summary>Reads a chunk; null behind the last one. Chunks that were not read before are read on the way (<see cref="Reach"/>).</summary>
    /// <exception cref="SnapshotDamagedException">What stands there is not what was written.</exception>
    public byte[]? Read(int chunk)
    {
        Reach(chunk, long.MaxValue);
        if (_starts.Count <= chunk)
            return null;
        var content = ReadAt(chunk, _starts[chunk].Offset, _starts[chunk].Checksum, out var last);
        if (content is not null && _starts.Count == chunk + 1)
            _starts.Add((_starts[chunk].Offset + SnapshotFormat.ChunkHeaderBytes + content.Length, last));
        return content;
    }

    /// <summary>Reads what was not read yet, to verify it.</summary>
    /// <exception cref="SnapshotDamagedException">What stands there is not what was written.</exception>
    public void ReadRest() => Reach(int.MaxValue, long.MaxValue);

    /// <summary>Whether a chunk, read before, is the last one.</summary>
    public bool IsLast(int chunk)
    {
        var next = _starts[chunk + 1].Offset;
        return SnapshotFormat.ReadChunkHeader(ReadBytes(next, SnapshotFormat.ChunkHeaderBytes)).Length == 0 && Read(chunk + 1) is null;
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private SnapshotInfo ReadHeader(NodeId node)
    {
        var first = ReadBytes(0, SnapshotFormat.HeaderBytes);
        if (SnapshotFormat.LengthOfHeader(first) is not { } length || length > _file.Length)
            throw Damage(0, "the header is not what was written.");
        var header = ReadBytes(0, length);
        if (LogFormat.Checksum(0, header) != LogFormat.ChecksumOf(header))
            throw Damage(0, "the header is not what was written.");
        if (SnapshotFormat.VersionOf(header) > SnapshotFormat.Version)
            throw new NewerFormatException(_path, 0, SnapshotFormat.VersionOf(header), SnapshotFormat.Version);
        var (owner, info) = SnapshotFormat.ReadHeader(header);
        if (owner != node)
            throw Damage(0, $"it was written by node {owner}, not by {node}.");
        _starts.Add((length, LogFormat.ChecksumOf(header)));
        return info;
    }

    private byte[]? ReadAt(int chunk, long offset, uint before, out uint checksum)
    {
        var header = ReadBytes(offset, SnapshotFormat.ChunkHeaderBytes);
        var (length, number) = SnapshotFormat.ReadChunkHeader(header);
        if (number != chunk || length is < 0 or > SnapshotWriter.ChunkBytesMax)
            throw Damage(offset, "no chunk begins there.");
        // Of the trailer, what follows its header is how much content there is.
        var content = ReadBytes(offset, SnapshotFormat.ChunkHeaderBytes, length == 0 ? SnapshotFormat.TrailerBytes - SnapshotFormat.ChunkHeaderBytes : length);
        checksum = Crc32C.Append(LogFormat.Checksum(before, header), content);
        if (checksum != LogFormat.ChecksumOf(header))
            throw Damage(offset, "what stands there is not what was written.");
        if (length > 0)
            return content;
        if (offset + SnapshotFormat.TrailerBytes != _file.Length)
            throw Damage(offset + SnapshotFormat.TrailerBytes, "something follows the trailer.");
        return null;
    }

    /// <summary>Reads a part of what begins at an offset.</summary>
    private byte[] ReadBytes(long offset, int count) => ReadBytes(offset, 0, count);

    private byte[] ReadBytes(long offset, int skip, int count)
    {
        if (offset + skip + count > _file.Length)
            throw Damage(offset, "the file ends too early.");
        var bytes = new byte[count];
        if (_file.Read(offset + skip, bytes) != count)
            throw Damage(offset, "the file ends too early.");
        return bytes;
    }

    private SnapshotDamagedException Damage(long offset, string what) => new(_path, offset, what);
}
