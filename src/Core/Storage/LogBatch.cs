namespace Watch.Core.Storage;

/// <summary>
/// Records that become durable together: all of them survive a crash or none does. Encoded as they are added, so that the log
/// writes the batch with one call; cleared and used again, so that a busy node makes no garbage. Not thread-safe.
/// </summary>
public sealed class LogBatch
{
    /// <summary>A buffer that grew beyond this is given up when the batch is cleared.</summary>
    private const int KeptBytesMax = 4 << 20;

    private const int InitialBytes = 16 << 10;

    private byte[] _buffer = new byte[InitialBytes];

    private readonly LogUse.Segment _use = new();

    /// <summary>Bytes of the batch as the log will write it, its header included.</summary>
    public int Length { get; private set; } = LogFormat.BatchHeaderBytes;

    /// <summary>Number of records in it.</summary>
    public int Records { get; private set; }

    /// <summary>Whether nothing was added.</summary>
    public bool IsEmpty => Records == 0;

    /// <summary>How many bytes an entry adds to a batch.</summary>
    public static int BytesOf(Entry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return LogFormat.EntryHeaderBytes + entry.Payload.Length;
    }

    /// <summary>
    /// Adds an entry of a group's log. An entry at or below the index of one that the log holds replaces that one and everything behind it.
    /// </summary>
    public void Add(GroupId group, Entry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        LogFormat.WriteEntry(Take(BytesOf(entry)), group, entry);
        _use.Entry(group, entry.Index);
    }

    /// <summary>Adds a group's term and vote; the last one counts.</summary>
    public void Add(GroupId group, HardState state)
    {
        LogFormat.WriteHardState(Take(LogFormat.HardStateBytes), group, state);
        _use.HardState(group);
    }

    /// <summary>Adds that a snapshot, which is durable, stands for a group's log up to an index.</summary>
    public void Add(GroupId group, in LogBase start)
    {
        LogFormat.WriteBase(Take(LogFormat.BaseBytes), group, start);
        _use.Base(group, start.Index);
    }

    /// <summary>Adds that nothing needs the segments before this one any more. With it, or before it, stands what they were needed for.</summary>
    public void AddFirst(long segment) => LogFormat.WriteFirst(Take(LogFormat.FirstBytes), segment);

    /// <summary>Makes the batch empty again.</summary>
    public void Clear()
    {
        Length = LogFormat.BatchHeaderBytes;
        Records = 0;
        _use.Clear();
        if (_buffer.Length > KeptBytesMax)
            _buffer = new byte[InitialBytes];
    }

    /// <summary>Which groups have what in it.</summary>
    internal LogUse.Segment Use => _use;

    /// <summary>Fills in the header and all checksums; returns the last one.</summary>
    internal uint Finish(uint previous, LogPosition position, LogPosition synced, uint seed)
    {
        var header = new BatchHeader(previous, position, synced, Length, Records, Checksum: 0);
        var checksum = LogFormat.WriteBatchHeader(_buffer, header, seed);
        for (var offset = LogFormat.BatchHeaderBytes; offset < Length;)
        {
            var record = _buffer.AsSpan(offset, LogFormat.LengthOf(_buffer.AsSpan(offset)));
            checksum = LogFormat.WriteChecksum(record, checksum);
            offset += record.Length;
        }
        return checksum;
    }

    /// <summary>The finished bytes.</summary>
    internal ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, Length);

    private Span<byte> Take(int bytes)
    {
        if (_buffer.Length - Length < bytes)
            Array.Resize(ref _buffer, Math.Max(checked(Length + bytes), (int)Math.Min(2L * _buffer.Length, Array.MaxLength)));
        var record = _buffer.AsSpan(Length, bytes);
        Length += bytes;
        Records++;
        return record;
    }
}
