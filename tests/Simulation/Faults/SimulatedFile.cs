namespace Watch.Simulation.Tests.Faults;

/// <summary>A folder's names, in the cache and on the disk.</summary>
internal sealed class SimulatedFolder
{
    private readonly List<Action<SortedDictionary<string, SimulatedFile>>> _pending = [];
    private SortedDictionary<string, SimulatedFile> _durable = new(StringComparer.Ordinal);

    public SortedDictionary<string, SimulatedFile> Names { get; private set; } = new(StringComparer.Ordinal);

    public bool IsLocked { get; set; }

    public void Alter(Action<SortedDictionary<string, SimulatedFile>> change)
    {
        change(Names);
        _pending.Add(change);
    }

    public void Sync()
    {
        _durable = new(Names, StringComparer.Ordinal);
        _pending.Clear();
    }

    /// <summary>Of the changes since the last sync a beginning is there: file systems keep their order in a journal.</summary>
    public void FailPower(Random random)
    {
        Names = new(_durable, StringComparer.Ordinal);
        foreach (var change in _pending.Take(random.Next(_pending.Count + 1)))
            change(Names);
        Sync();
        IsLocked = false;
    }
}

/// <summary>A file's bytes as the cache has them, and beside them what the disk has of every sector that differs.</summary>
internal sealed class SimulatedFile
{
    private const int SectorBytes = 512;

    // What stands on the disk where the cache has something newer that the next sync will write...
    private readonly SortedDictionary<long, byte[]> _dirty = [];

    // ...and where a failed sync has forgotten that there is something to write.
    private readonly SortedDictionary<long, byte[]> _forgotten = [];
    private byte[] _bytes = [];
    private long _durableLength;
    private long _written;
    private long _syncedWritten;
    private long _sealedByUnsynced;

    public long Length { get; private set; }

    /// <summary>Everything below was durable when a later write was made that is durable, too.</summary>
    public long Sealed { get; private set; }

    public int Read(long position, Span<byte> buffer)
    {
        var count = (int)Math.Clamp(Length - position, 0, buffer.Length);
        _bytes.AsSpan((int)Math.Min(position, Length), count).CopyTo(buffer);
        return count;
    }

    public void Write(long position, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length == 0)
            return;
        Keep(position, position + bytes.Length);
        if (position + bytes.Length > Length)
            Grow(position + bytes.Length);
        bytes.CopyTo(_bytes.AsSpan((int)position));
        _written = Math.Max(_written, position + bytes.Length);
        // Something written below what was synced already is an overwriting: nothing is concluded from it.
        if (position >= _syncedWritten)
            _sealedByUnsynced = _syncedWritten;
    }

    public void Resize(long length)
    {
        if (length > Length)
        {
            Grow(length);
            return;
        }

        Keep(length, Length);
        _bytes.AsSpan((int)length, (int)(Length - length)).Clear();
        Length = length;
        _written = Math.Min(_written, length);
    }

    public void Sync()
    {
        _dirty.Clear();
        _durableLength = Length;
        Sealed = Math.Min(Math.Max(Sealed, _sealedByUnsynced), Length);
        _syncedWritten = _written;
    }

    public void FailSync()
    {
        foreach (var (sector, bytes) in _dirty)
            _forgotten.TryAdd(sector, bytes);
        _dirty.Clear();
    }

    /// <summary>Leaves of every sector that the disk may lack the old bytes or the new ones. Tells how many were lost, and of how many writes only a part.</summary>
    public (long Lost, long Torn) FailPower(Random random)
    {
        var (lost, kept) = (0L, 0L);
        var length = Length == _durableLength || random.Next(2) == 0 ? _durableLength : Length;
        var cached = Length;
        if (length > Length)
            Grow(length);
        foreach (var (sector, old) in _dirty.Concat(_forgotten))
        {
            // What was cut away by a cut that is undone is there again as it was.
            if (sector * SectorBytes < cached && random.Next(2) == 0)
            {
                kept++;
                continue;
            }

            lost++;
            var start = sector * SectorBytes;
            if (start < length)
                old.AsSpan(0, (int)Math.Min(SectorBytes, length - start)).CopyTo(_bytes.AsSpan((int)start));
        }

        Resize(length);
        _dirty.Clear();
        _forgotten.Clear();
        _durableLength = Length;
        _written = _syncedWritten = Math.Min(_syncedWritten, Length);
        _sealedByUnsynced = 0;
        Sealed = Math.Min(Sealed, Length);
        return (lost, lost > 0 && kept > 0 ? 1 : 0);
    }

    public void Flip(long offset, int bit) => _bytes[offset] ^= (byte)(1 << bit);

    private void Grow(long length)
    {
        if (length > _bytes.Length)
            Array.Resize(ref _bytes, (int)length);
        Length = length;
    }

    /// <summary>Remembers what the disk has of these bytes.</summary>
    private void Keep(long from, long to)
    {
        for (var sector = from / SectorBytes; sector * SectorBytes < to; sector++)
        {
            if (_dirty.ContainsKey(sector))
                continue;
            if (_forgotten.Remove(sector, out var never))
            {
                _dirty.Add(sector, never);
                continue;
            }

            var old = new byte[SectorBytes];
            Read(sector * SectorBytes, old);
            _dirty.Add(sector, old);
        }
    }
}
