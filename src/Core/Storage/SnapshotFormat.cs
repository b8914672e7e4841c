using System.Buffers.Binary;
using System.Globalization;

namespace Watch.Core.Storage;

/// <summary>
/// The bytes of a snapshot file, as docs/disk-format.md describes them: a header, chunks, a trailer, each with a checksum that builds on the
/// one before. Framed like the log's records (a checksum at offset 8 that covers all but itself).
/// </summary>
internal static class SnapshotFormat
{
    internal const byte Version = 1;
    internal const int HeaderBytes = 64;
    internal const int ChunkHeaderBytes = 12;
    internal const int TrailerBytes = 20;
    internal const int MembersBytesMax = 1 << 20;
    internal const string Suffix = ".snap";

    private static ReadOnlySpan<byte> Magic => "WATCHSNP"u8;

    /// <summary>The name of a group's snapshot at an index.</summary>
    internal static string NameOf(GroupId group, LogIndex index) =>
        string.Create(CultureInfo.InvariantCulture, $"{group.Value:d10}-{index.Value:d20}{Suffix}");

    /// <summary>The group and index in a name; null where it is none of a snapshot.</summary>
    internal static (GroupId Group, LogIndex Index)? Parse(string name)
    {
        var dash = name.IndexOf('-', StringComparison.Ordinal);
        if (dash < 0 || !name.EndsWith(Suffix, StringComparison.Ordinal)
            || !int.TryParse(name.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out var group)
            || !long.TryParse(name.AsSpan(dash + 1, name.Length - dash - 1 - Suffix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            return null;
        var parsed = (Group: new GroupId(group), Index: new LogIndex(index));
        return name == NameOf(parsed.Group, parsed.Index) ? parsed : null;
    }

    /// <summary>The header, and the checksum on which the first chunk builds.</summary>
    internal static byte[] Header(NodeId node, SnapshotInfo info, out uint checksum)
    {
        var bytes = new byte[HeaderBytes + info.Members.Length];
        Magic.CopyTo(bytes);
        bytes[12] = Version;
        BinaryPrimitives.WriteUInt128LittleEndian(bytes.AsSpan(16), node.Value);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(32), info.Group.Value);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(36), info.Members.Length);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(40), info.Index.Value);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(48), info.Term.Value);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(56), info.Stamp.Value);
        info.Members.Span.CopyTo(bytes.AsSpan(HeaderBytes));
        checksum = LogFormat.WriteChecksum(bytes, 0);
        return bytes;
    }

    /// <summary>How long the header is whose first <see cref="HeaderBytes"/> are these; null where they are none.</summary>
    internal static int? LengthOfHeader(ReadOnlySpan<byte> first)
    {
        if (first.Length < HeaderBytes || !first.StartsWith(Magic))
            return null;
        var members = BinaryPrimitives.ReadInt32LittleEndian(first[36..]);
        return members is >= 0 and <= MembersBytesMax ? HeaderBytes + members : null;
    }

    internal static byte VersionOf(ReadOnlySpan<byte> header) => header[12];

    internal static (NodeId Node, SnapshotInfo Info) ReadHeader(ReadOnlySpan<byte> header) =>
        (new NodeId(BinaryPrimitives.ReadUInt128LittleEndian(header[16..])),
            new SnapshotInfo(
                new GroupId(BinaryPrimitives.ReadInt32LittleEndian(header[32..])),
                new LogIndex(BinaryPrimitives.ReadInt64LittleEndian(header[40..])),
                new Term(BinaryPrimitives.ReadInt64LittleEndian(header[48..])),
                new LogTime(BinaryPrimitives.ReadInt64LittleEndian(header[56..])),
                header[HeaderBytes..].ToArray()));

    /// <summary>Writes a chunk with its header.</summary>
    internal static void WriteChunk(Span<byte> bytes, int number, ReadOnlySpan<byte> content, ref uint checksum)
    {
        BinaryPrimitives.WriteInt32LittleEndian(bytes, content.Length);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[4..], number);
        content.CopyTo(bytes[ChunkHeaderBytes..]);
        checksum = LogFormat.WriteChecksum(bytes, checksum);
    }

    /// <summary>The trailer: a chunk header without content, and how many bytes all chunks hold.</summary>
    internal static byte[] Trailer(int chunks, long contentBytes, uint checksum)
    {
        var bytes = new byte[TrailerBytes];
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), chunks);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(ChunkHeaderBytes), contentBytes);
        LogFormat.WriteChecksum(bytes, checksum);
        return bytes;
    }

    internal static (int Length, int Number) ReadChunkHeader(ReadOnlySpan<byte> bytes) =>
        (BinaryPrimitives.ReadInt32LittleEndian(bytes), BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]));

    internal static long ContentBytes(ReadOnlySpan<byte> trailer) => BinaryPrimitives.ReadInt64LittleEndian(trailer[ChunkHeaderBytes..]);
}
