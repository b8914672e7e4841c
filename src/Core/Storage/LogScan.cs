namespace Watch.Core.Storage;

/// <summary>
/// Reads a log from its first byte, believes nothing, changes nothing.
///
/// The question it must answer: where the bytes stop making sense, is that the end that a crash left (a *torn tail*, which was never
/// acknowledged and is cut), or is something missing that had been durable (*damage*, after which the node must not start)?
///
///   * A segment gets its name only after its header and everything before it are durable. So in every segment but the last, and in
///     every header, whatever is wrong is damage.
///   * Every batch says up to where the log was durable when it was written. So in the last segment, what is wrong below the highest
///     place that any batch recorded is damage, and above it a torn tail. The batches behind the wrong place count, too; they can't be
///     reached along the chain any more, so every place that could be a batch's header is tried. A header verifies by itself: its
///     checksum covers the node's number, its own position and the checksum of the record before it. Bytes that a user stored as a
///     value, a copy of this very log among them, stand at another position and prove nothing.
///   * A batch counts whole or not at all, so a torn one is cut from its header on, and with it everything behind it: those bytes could
///     otherwise be taken for a continuation one day.
///   * Segments were retired only after a record in a later one said so. So a log whose first segment is not number 1 must hold the record
///     that says that all before its first segment were retired; otherwise one is missing. One that such a record names and that is still
///     there was about to be deleted.
///   * Zeros up to the end of the file are room that was allocated and not used: the clean end.
///
/// What cannot be told: a flipped bit in the last batch before anything recorded that it was durable looks like a torn write. An empty
/// batch is therefore written when the log falls idle and at a clean stop.
/// </summary>
internal sealed class LogScan(IFileSystem fs, string folder, NodeId node, ILogReader reader)
{
    private readonly uint _seed = LogFormat.ChecksumSeed(node);
    private readonly LogUse.Segment _use = new();
    private byte[] _buffer = [];
    private int _length;
    private string _file = "";

    /// <summary>The number of the first segment that is there.</summary>
    internal long FirstNumber { get; private set; }

    /// <summary>The number of the first segment that was not retired.</summary>
    internal long FirstKept { get; private set; } = 1;

    /// <summary>What each segment holds.</summary>
    internal LogUse Use { get; } = new();

    /// <summary>The number of the last segment.</summary>
    internal long LastNumber { get; private set; }

    /// <summary>Where in the log the last segment begins.</summary>
    internal LogPosition LastBase { get; private set; }

    /// <summary>Where in the log the first segment that is there begins.</summary>
    internal LogPosition FirstBase { get; private set; }

    /// <summary>The checksum of the last good record.</summary>
    internal uint Chain { get; private set; }

    /// <summary>Where the log ends.</summary>
    internal LogPosition End { get; private set; }

    /// <summary>The end of the last batch that holds records.</summary>
    internal LogPosition DataEnd { get; private set; }

    /// <summary>The highest place that was recorded as durable.</summary>
    internal LogPosition Sealed { get; private set; }

    /// <summary>What lies behind the end and must be cut.</summary>
    internal TornTail? Torn { get; private set; }

    /// <summary>Files of segments that never got their names.</summary>
    internal IReadOnlyList<string> Unfinished { get; private set; } = [];

    internal long Batches { get; private set; }

    internal long Records { get; private set; }

    /// <summary>The bytes of the last segment from the highest durable place to the end.</summary>
    internal ReadOnlySpan<byte> Unsealed => _buffer.AsSpan((int)(Sealed - LastBase), (int)(End - Sealed));

    /// <summary>Reads everything; throws <see cref="LogDamagedException"/> or <see cref="NewerFormatException"/>.</summary>
    internal void Run()
    {
        var names = fs.List(folder);
        Unfinished = [.. names.Where(name => name.EndsWith(LogFormat.UnfinishedSuffix, StringComparison.Ordinal))];
        var numbers = names.Select(LogFormat.SegmentNumber).OfType<long>().Order().ToList();
        if (numbers.Count == 0)
            throw new LogDamagedException(PathOf(1), 0, "the log's first segment is missing.");

        FirstNumber = numbers[0];
        for (var i = 0; i < numbers.Count; i++)
        {
            if (numbers[i] != FirstNumber + i)
                throw new LogDamagedException(PathOf(FirstNumber + i), 0, "the segment is missing, but a later one exists.");
            ReadSegment(numbers[i], isLast: i == numbers.Count - 1);
        }
        if (FirstNumber > FirstKept)
            throw new LogDamagedException(PathOf(FirstNumber - 1), 0, "the segment is missing, and nothing says that it was retired.");
        reader.OnEnd();
    }

    private string PathOf(long number) => $"{folder}/{LogFormat.SegmentName(number)}";

    private void ReadSegment(long number, bool isLast)
    {
        _file = PathOf(number);
        Load();
        ReadSegmentHeader(number);
        var offset = LogFormat.SegmentHeaderBytes;
        while (offset < _length)
        {
            if (VerifyBatch(offset, out var header, out var badOffset))
            {
                Deliver(offset, header);
                offset += header.Length;
                continue;
            }
            if (!isLast || IsSealedBehind(offset))
                throw Damage(badOffset, "what stands there is not what was written, and it had been durable.");
            NoteTail(offset);
            break;
        }
        End = LastBase + offset;
    }

    private void Load()
    {
        using var file = fs.Open(_file);
        _length = checked((int)file.Length);
        if (_buffer.Length < _length)
            _buffer = new byte[_length];
        var read = file.Read(0, _buffer.AsSpan(0, _length));
        if (read != _length)
            throw new IOException($"'{_file}' has {_length} bytes, of which only {read} could be read.");
    }

    private void ReadSegmentHeader(long number)
    {
        if (!LogFormat.TryReadSegmentHeader(_buffer.AsSpan(0, _length), out var header, out var version, out var checksum))
            throw Damage(0, "the segment's header is not what was written.");
        if (version > LogFormat.Version)
            throw new NewerFormatException(_file, 0, version, LogFormat.Version);
        if (header.Node != node)
            throw Damage(0, $"the segment is part of the log of node {header.Node}, not of {node}.");
        if (header.Number != number)
            throw Damage(0, $"the segment was written as number {header.Number}.");
        if (number > FirstNumber && header.Base != End)
            throw new LogDamagedException(PathOf(number - 1), End - LastBase, $"the segment ends there, but the next one begins {header.Base - End} bytes further on.");
        if (number > FirstNumber && header.Previous != Chain)
            throw Damage(0, "the segment does not continue the one before it.");

        LastNumber = number;
        Use.Add(number, _use);
        LastBase = header.Base;
        if (number == FirstNumber)
            FirstBase = LastBase;
        Chain = checksum;
        Sealed = LastBase + LogFormat.SegmentHeaderBytes;
    }

    /// <summary>Whether a whole and believable batch stands here; if not, where its first bad record is.</summary>
    private bool VerifyBatch(int offset, out BatchHeader header, out int badOffset)
    {
        badOffset = offset;
        var rest = _buffer.AsSpan(offset, _length - offset);
        if (!LogFormat.TryReadBatchHeader(rest, LastBase + offset, _seed, out header)
            || header.Previous != Chain || header.Length < LogFormat.BatchHeaderBytes)
            return false;
        // Below this line the header is what was written, so a newer version is one and no accident.
        RefuseNewer(offset, rest);
        if (header.Length > rest.Length)
            return false;

        var checksum = header.Checksum;
        var position = LogFormat.BatchHeaderBytes;
        for (var i = 0; i < header.Records; i++)
        {
            badOffset = offset + position;
            if (!VerifyRecord(rest[position..header.Length], ref checksum, out var length))
                return false;
            RefuseNewer(badOffset, rest[position..]);
            position += length;
        }
        badOffset = offset;
        return position == header.Length;
    }

    private static bool VerifyRecord(ReadOnlySpan<byte> rest, ref uint checksum, out int length)
    {
        length = rest.Length < LogFormat.RecordHeaderBytes ? 0 : LogFormat.LengthOf(rest);
        if (length < LogFormat.RecordHeaderBytes || length > rest.Length)
            return false;
        checksum = LogFormat.Checksum(checksum, rest[..length]);
        return checksum == LogFormat.ChecksumOf(rest);
    }

    private void RefuseNewer(int offset, ReadOnlySpan<byte> record)
    {
        if (LogFormat.VersionOf(record) > LogFormat.NewestVersion)
            throw new NewerFormatException(_file, offset, LogFormat.VersionOf(record), LogFormat.NewestVersion);
    }

    private void Deliver(int offset, in BatchHeader header)
    {
        var position = offset + LogFormat.BatchHeaderBytes;
        Chain = header.Checksum;
        for (var i = 0; i < header.Records; i++)
        {
            var record = _buffer.AsSpan(position, LogFormat.LengthOf(_buffer.AsSpan(position)));
            Chain = LogFormat.ChecksumOf(record);
            DeliverRecord(position, record);
            position += record.Length;
        }
        Use.Add(LastNumber, _use);
        _use.Clear();
        Batches++;
        Records += header.Records;
        Sealed = header.Synced > Sealed ? header.Synced : Sealed;
        if (header.Records > 0)
            DataEnd = LastBase + position;
    }

    private void DeliverRecord(int offset, ReadOnlySpan<byte> record)
    {
        switch (LogFormat.TypeOf(record))
        {
            case RecordType.Entry when record.Length >= LogFormat.EntryHeaderBytes:
                var (group, entry) = LogFormat.ReadEntry(record);
                reader.OnEntry(group, entry);
                _use.Entry(group, entry.Index);
                break;
            case RecordType.HardState when record.Length == LogFormat.HardStateBytes:
                var (owner, state) = LogFormat.ReadHardState(record);
                reader.OnHardState(owner, state);
                _use.HardState(owner);
                break;
            case RecordType.Base when record.Length == LogFormat.BaseBytes:
                var (based, start) = LogFormat.ReadBase(record);
                reader.OnBase(based, start);
                _use.Base(based, start.Index);
                break;
            case RecordType.First when record.Length == LogFormat.FirstBytes:
                FirstKept = Math.Max(FirstKept, LogFormat.ReadFirst(record));
                break;
            default:
                throw Damage(offset, $"a record of type {record[4]} and {record.Length} bytes has no meaning in format version {LogFormat.VersionOf(record)}.");
        }
    }

    /// <summary>Whether any batch from here on recorded that this place was durable.</summary>
    private bool IsSealedBehind(int offset)
    {
        var bytes = _buffer.AsSpan(0, _length);
        for (var found = LogFormat.FindBatchHeader(bytes, offset); found >= 0; found = LogFormat.FindBatchHeader(bytes, found + 1))
        {
            if (LogFormat.TryReadBatchHeader(bytes[found..], LastBase + found, _seed, out var header) && header.Synced > LastBase + offset)
                return true;
        }
        return false;
    }

    private void NoteTail(int offset)
    {
        var used = _buffer.AsSpan(offset, _length - offset).LastIndexOfAnyExcept((byte)0) + 1;
        if (used > 0)
            Torn = new TornTail(_file, offset, used);
    }

    private LogDamagedException Damage(long offset, string what) => new(_file, offset, what);
}
