using System.Buffers.Binary;
using System.Globalization;

namespace Watch.Core.Storage;

/// <summary>What stands in a record. The numbers are part of the disk format.</summary>
internal enum RecordType : byte
{
    /// <summary>The beginning of a batch.</summary>
    Batch = 1,

    /// <summary>An entry of a group's log.</summary>
    Entry = 2,

    /// <summary>A group's term and vote.</summary>
    HardState = 3,

    /// <summary>A snapshot stands for a group's log up to an index.</summary>
    Base = 4,

    /// <summary>Segments were retired.</summary>
    First = 5,
}

/// <summary>The header of a segment. It was durable before the segment got its name.</summary>
/// <param name="Node">Whose log it is.</param>
/// <param name="Number">1 for the first segment.</param>
/// <param name="Base">Where in the log the segment begins; all before it was durable when the segment was made.</param>
/// <param name="Previous">The checksum of the last record before it.</param>
internal readonly record struct SegmentHeader(NodeId Node, long Number, LogPosition Base, uint Previous);

/// <summary>The record that begins a batch. It can be verified by itself, wherever it is found.</summary>
/// <param name="Previous">The checksum of the last record before it.</param>
/// <param name="Position">Where in the log it stands.</param>
/// <param name="Synced">Everything before this place was durable when the batch was written.</param>
/// <param name="Length">Bytes of the batch, this header included.</param>
/// <param name="Records">How many records follow the header.</param>
/// <param name="Checksum">Its own checksum, on which the next record's builds.</param>
internal readonly record struct BatchHeader(
    uint Previous, LogPosition Position, LogPosition Synced, int Length, int Records, uint Checksum);

/// <summary>
/// The bytes of the log, as docs/disk-format.md describes them: everything little-endian, every byte covered by a checksum.
/// The framing (length, type, version, checksum and what it covers) is the same in every format version, so that an old program
/// can tell a newer record from a damaged one.
/// </summary>
internal static class LogFormat
{
    /// <summary>The version of segments, and of records but those that came later.</summary>
    internal const byte Version = 1;

    /// <summary>The version of the records that came with snapshots.</summary>
    internal const byte SnapshotVersion = 2;

    /// <summary>The newest version of a record that this program knows.</summary>
    internal const byte NewestVersion = SnapshotVersion;
    internal const int SegmentHeaderBytes = 64;
    internal const int RecordHeaderBytes = 12;
    internal const int BatchHeaderBytes = 48;
    internal const int EntryHeaderBytes = RecordHeaderBytes + 40;
    internal const int HardStateBytes = RecordHeaderBytes + 32;
    internal const int BaseBytes = RecordHeaderBytes + 24;
    internal const int FirstBytes = RecordHeaderBytes + 8;
    internal const string SegmentSuffix = ".wal";
    internal const string UnfinishedSuffix = ".tmp";

    private const int ChecksumOffset = 8;
    private const int MagicOffsetInBatch = 16;

    private static ReadOnlySpan<byte> SegmentMagic => "WATCHLOG"u8;
    private static ReadOnlySpan<byte> BatchMagic => "WALBATCH"u8;

    /// <summary>The file name of a segment.</summary>
    internal static string SegmentName(long number) => number.ToString("d16", CultureInfo.InvariantCulture) + SegmentSuffix;

    /// <summary>The number in a segment's file name, or null where the name is no segment's.</summary>
    internal static long? SegmentNumber(string name) =>
        name.EndsWith(SegmentSuffix, StringComparison.Ordinal)
        && long.TryParse(name.AsSpan(0, name.Length - SegmentSuffix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && name == SegmentName(number) ? number : null;

    /// <summary>A record's checksum: everything in it but the checksum itself, building on the one before.</summary>
    internal static uint Checksum(uint before, ReadOnlySpan<byte> record) =>
        Crc32C.Append(Crc32C.Append(before, record[..ChecksumOffset]), record[RecordHeaderBytes..]);

    /// <summary>What the checksums of batch headers build on: a header of another node's log is none here.</summary>
    internal static uint ChecksumSeed(NodeId node)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(bytes, node.Value);
        return Crc32C.Append(0, bytes);
    }

    internal static void WriteRecordHeader(Span<byte> record, RecordType type)
    {
        BinaryPrimitives.WriteInt32LittleEndian(record, record.Length);
        record[4] = (byte)type;
        record[5] = type is RecordType.Base or RecordType.First ? SnapshotVersion : Version;
        record[6..RecordHeaderBytes].Clear();
    }

    internal static uint WriteChecksum(Span<byte> record, uint before)
    {
        var checksum = Checksum(before, record);
        BinaryPrimitives.WriteUInt32LittleEndian(record[ChecksumOffset..], checksum);
        return checksum;
    }

    internal static int LengthOf(ReadOnlySpan<byte> record) => BinaryPrimitives.ReadInt32LittleEndian(record);

    internal static RecordType TypeOf(ReadOnlySpan<byte> record) => (RecordType)record[4];

    internal static byte VersionOf(ReadOnlySpan<byte> record) => record[5];

    internal static uint ChecksumOf(ReadOnlySpan<byte> record) => BinaryPrimitives.ReadUInt32LittleEndian(record[ChecksumOffset..]);

    /// <summary>Writes a segment's header and returns its checksum, on which the first batch builds.</summary>
    internal static uint WriteSegmentHeader(Span<byte> bytes, in SegmentHeader header)
    {
        bytes = bytes[..SegmentHeaderBytes];
        bytes.Clear();
        SegmentMagic.CopyTo(bytes);
        bytes[12] = Version;
        BinaryPrimitives.WriteUInt128LittleEndian(bytes[16..], header.Node.Value);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[32..], header.Number);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[40..], header.Base.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[48..], header.Previous);
        return WriteChecksum(bytes, 0);
    }

    /// <summary>Reads a segment's header; false where it is not what was written.</summary>
    internal static bool TryReadSegmentHeader(ReadOnlySpan<byte> bytes, out SegmentHeader header, out byte version, out uint checksum)
    {
        header = default;
        (version, checksum) = (0, 0);
        if (bytes.Length < SegmentHeaderBytes)
            return false;

        bytes = bytes[..SegmentHeaderBytes];
        (version, checksum) = (bytes[12], ChecksumOf(bytes));
        if (!bytes.StartsWith(SegmentMagic) || checksum != Checksum(0, bytes))
            return false;

        header = new SegmentHeader(
            new NodeId(BinaryPrimitives.ReadUInt128LittleEndian(bytes[16..])),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[32..]),
            new LogPosition(BinaryPrimitives.ReadInt64LittleEndian(bytes[40..])),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[48..]));
        return true;
    }

    /// <summary>Writes the header of a batch (its checksum field is ignored) and returns its checksum.</summary>
    internal static uint WriteBatchHeader(Span<byte> bytes, in BatchHeader header, uint seed)
    {
        bytes = bytes[..BatchHeaderBytes];
        WriteRecordHeader(bytes, RecordType.Batch);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], header.Previous);
        BatchMagic.CopyTo(bytes[MagicOffsetInBatch..]);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[24..], header.Position.Value);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[32..], header.Synced.Value);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[40..], header.Length);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[44..], header.Records);
        return WriteChecksum(bytes, seed);
    }

    /// <summary>Reads the header of a batch at the start of these bytes; false where it is not what was written at this position.</summary>
    internal static bool TryReadBatchHeader(ReadOnlySpan<byte> bytes, LogPosition position, uint seed, out BatchHeader header)
    {
        header = default;
        if (bytes.Length < BatchHeaderBytes)
            return false;

        bytes = bytes[..BatchHeaderBytes];
        if (!bytes[MagicOffsetInBatch..].StartsWith(BatchMagic) || ChecksumOf(bytes) != Checksum(seed, bytes))
            return false;

        header = new BatchHeader(
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]),
            new LogPosition(BinaryPrimitives.ReadInt64LittleEndian(bytes[24..])),
            new LogPosition(BinaryPrimitives.ReadInt64LittleEndian(bytes[32..])),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[40..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[44..]),
            ChecksumOf(bytes));
        return header.Position == position && LengthOf(bytes) == BatchHeaderBytes && TypeOf(bytes) == RecordType.Batch;
    }

    /// <summary>The offset of the first thing from here on that could be the header of a batch, or -1.</summary>
    internal static int FindBatchHeader(ReadOnlySpan<byte> bytes, int from)
    {
        if (from + BatchHeaderBytes > bytes.Length)
            return -1;
        var found = bytes[(from + MagicOffsetInBatch)..].IndexOf(BatchMagic);
        return found < 0 ? -1 : from + found;
    }

    internal static void WriteEntry(Span<byte> record, GroupId group, Entry entry)
    {
        WriteRecordHeader(record, RecordType.Entry);
        BinaryPrimitives.WriteInt32LittleEndian(record[12..], group.Value);
        record[16..20].Clear();
        record[16] = (byte)entry.Kind;
        BinaryPrimitives.WriteInt64LittleEndian(record[20..], entry.Index.Value);
        BinaryPrimitives.WriteInt64LittleEndian(record[28..], entry.Term.Value);
        BinaryPrimitives.WriteInt64LittleEndian(record[36..], entry.Stamp.Value);
        BinaryPrimitives.WriteInt64LittleEndian(record[44..], entry.WallTimeMs);
        entry.Payload.Span.CopyTo(record[EntryHeaderBytes..]);
    }

    internal static (GroupId Group, Entry Entry) ReadEntry(ReadOnlySpan<byte> record) =>
        (new GroupId(BinaryPrimitives.ReadInt32LittleEndian(record[12..])),
            new Entry(
                new LogIndex(BinaryPrimitives.ReadInt64LittleEndian(record[20..])),
                new Term(BinaryPrimitives.ReadInt64LittleEndian(record[28..])),
                new LogTime(BinaryPrimitives.ReadInt64LittleEndian(record[36..])),
                BinaryPrimitives.ReadInt64LittleEndian(record[44..]),
                (EntryKind)record[16],
                record[EntryHeaderBytes..].ToArray()));

    internal static void WriteHardState(Span<byte> record, GroupId group, HardState state)
    {
        WriteRecordHeader(record, RecordType.HardState);
        BinaryPrimitives.WriteInt32LittleEndian(record[12..], group.Value);
        record[16..20].Clear();
        BinaryPrimitives.WriteInt64LittleEndian(record[20..], state.Term.Value);
        BinaryPrimitives.WriteUInt128LittleEndian(record[28..], state.Vote.Value);
    }

    internal static void WriteBase(Span<byte> record, GroupId group, in LogBase start)
    {
        WriteRecordHeader(record, RecordType.Base);
        BinaryPrimitives.WriteInt32LittleEndian(record[12..], group.Value);
        record[16..20].Clear();
        record[16] = start.Keeps ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteInt64LittleEndian(record[20..], start.Index.Value);
        BinaryPrimitives.WriteInt64LittleEndian(record[28..], start.Term.Value);
    }

    internal static (GroupId Group, LogBase Start) ReadBase(ReadOnlySpan<byte> record) =>
        (new GroupId(BinaryPrimitives.ReadInt32LittleEndian(record[12..])),
            new LogBase(
                new LogIndex(BinaryPrimitives.ReadInt64LittleEndian(record[20..])),
                new Term(BinaryPrimitives.ReadInt64LittleEndian(record[28..])),
                record[16] != 0));

    internal static void WriteFirst(Span<byte> record, long segment)
    {
        WriteRecordHeader(record, RecordType.First);
        BinaryPrimitives.WriteInt64LittleEndian(record[12..], segment);
    }

    internal static long ReadFirst(ReadOnlySpan<byte> record) => BinaryPrimitives.ReadInt64LittleEndian(record[12..]);

    internal static (GroupId Group, HardState State) ReadHardState(ReadOnlySpan<byte> record) =>
        (new GroupId(BinaryPrimitives.ReadInt32LittleEndian(record[12..])),
            new HardState(
                new Term(BinaryPrimitives.ReadInt64LittleEndian(record[20..])),
                new NodeId(BinaryPrimitives.ReadUInt128LittleEndian(record[28..]))));
}
