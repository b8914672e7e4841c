using System.Buffers;
using System.Buffers.Binary;

namespace Watch.Core.Keyspace;

/// <summary>The parts of a snapshot, in their order; docs/disk-format.md has their bytes.</summary>
internal enum SnapshotSection : byte
{
    Head = 1,
    Keys = 2,
    Changes = 3,
    Clients = 4,
    Results = 5,
}

/// <summary>What stands at the head of a snapshot, and how much of what follows.</summary>
internal sealed record SnapshotHead
{
    public required LogIndex Applied { get; init; }

    public required Revision Revision { get; init; }

    public required Revision Compacted { get; init; }

    public required Revision ForgottenThrough { get; init; }

    public LogIndex ResultHorizon { get; init; }

    public required int Keys { get; init; }

    public required int Segments { get; init; }

    public required int Changes { get; init; }

    public int Clients { get; init; }

    public int Results { get; init; }
}

/// <summary>What breaks the format of a snapshot; the message names what and where.</summary>
public sealed class MalformedSnapshotException(string message) : Exception(message);

/// <summary>Numbers and lengths that writer and reader agree on.</summary>
internal static class SnapshotFormat
{
    /// <summary>What is written.</summary>
    public const byte Version = 3;

    /// <summary>The oldest that is read: before 3 a change told of no cause, position and writer.</summary>
    public const byte OldestVersion = 2;

    /// <summary>The first that tells of them.</summary>
    public const byte WritersVersion = 3;

    public const int PieceHeaderBytes = 1 + 1 + 2 + 4;
    public const int HeadBytes = 5 * 8 + 5 * 4;
    public const int OriginBytes = 1 + 2 + 1;
    public const int VersionBytes = 4 * 8 + 4 + OriginBytes;
    public const int ChangeBytes = 1 + 8 + 8 + 4 + 4 + OriginBytes;
    public const int ClientBytes = 16 + 8 + 8;
    public const int ResultBytes = 4 + 3 * 8 + 1 + 2 * 8;
}

/// <summary>Writes the items of one piece, each at once: little-endian numbers, bytes behind their length in 32 bits.</summary>
internal ref struct SnapshotPieceWriter(IBufferWriter<byte> target)
{
    private Span<byte> _item;

    /// <summary>The bytes of the piece so far.</summary>
    public int Length { get; private set; }

    public void Begin(int number, SnapshotSection section)
    {
        Take(SnapshotFormat.PieceHeaderBytes);
        Byte(SnapshotFormat.Version);
        Byte((byte)section);
        Byte(0);
        Byte(0);
        Int(number);
    }

    public void Head(SnapshotHead head)
    {
        Take(SnapshotFormat.HeadBytes);
        Long(head.Applied.Value);
        Long(head.Revision.Value);
        Long(head.Compacted.Value);
        Long(head.ForgottenThrough.Value);
        Long(head.ResultHorizon.Value);
        Int(head.Keys);
        Int(head.Segments);
        Int(head.Changes);
        Int(head.Clients);
        Int(head.Results);
    }

    public void Key(in SavedKey key, ReadOnlySpan<Segment> newSegments, Func<Segment, Revision> headOf)
    {
        var version = key.Version;
        var writer = WriterName.BytesOf(version?.Writer);
        Take(4 + key.Entry.Text.Length + 8 + 1 + newSegments.Length * 8 + 1 + (version is null ? 0 : SnapshotFormat.VersionBytes + writer.Length + version.Value.Length));
        Bytes(key.Entry.Text.Span);
        Long(key.Head.Value);
        Byte((byte)newSegments.Length);
        foreach (var segment in newSegments)
            Long(headOf(segment).Value);
        Byte(version is null ? (byte)0 : (byte)1);
        if (version is null)
            return;
        Long(version.Revision.Value);
        Long(version.CreateRevision.Value);
        Long(version.Version);
        Long(version.CommitTimeMs);
        Origin(version, writer);
        Bytes(version.Value.Span);
    }

    public void Change(Change change)
    {
        var writer = WriterName.BytesOf(change.Writer);
        Take(SnapshotFormat.ChangeBytes + writer.Length + change.Key.Length + change.Value.Length);
        Byte((byte)change.Kind);
        Long(change.Revision.Value);
        Long(change.CommitTimeMs);
        Origin(change, writer);
        Bytes(change.Key.Span);
        Bytes(change.Value.Span);
    }

    public void Client(in SharedClient client)
    {
        Take(SnapshotFormat.ClientBytes);
        BinaryPrimitives.WriteUInt128LittleEndian(_item, client.Id.Value);
        _item = _item[16..];
        Long(client.AnsweredBelow);
        Long(client.Horizon.Value);
    }

    public void Result(ResultRecord record, int client)
    {
        Take(SnapshotFormat.ResultBytes);
        Int(client);
        Long(record.Number);
        Long(record.Index.Value);
        Long(record.Stamp.Value);
        Byte((byte)record.Status);
        Long(record.Revision.Value);
        Long((long)record.Fingerprint);
    }

    private void Take(int bytes)
    {
        Invariant.That(_item.IsEmpty, "an item of a snapshot has the size that was computed for it");
        _item = target.GetSpan(bytes)[..bytes];
        target.Advance(bytes);
        Length += bytes;
    }

    private void Origin(Change change, ReadOnlySpan<byte> writer)
    {
        Byte((byte)change.Cause);
        BinaryPrimitives.WriteUInt16LittleEndian(_item, checked((ushort)change.Position));
        _item = _item[2..];
        Byte((byte)writer.Length);
        writer.CopyTo(_item);
        _item = _item[writer.Length..];
    }

    private void Byte(byte value)
    {
        _item[0] = value;
        _item = _item[1..];
    }

    private void Int(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_item, value);
        _item = _item[4..];
    }

    private void Long(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(_item, value);
        _item = _item[8..];
    }

    private void Bytes(ReadOnlySpan<byte> value)
    {
        Int(value.Length);
        value.CopyTo(_item);
        _item = _item[value.Length..];
    }
}

/// <summary>Reads what <see cref="SnapshotPieceWriter"/> wrote, and trusts nothing.</summary>
internal ref struct SnapshotPieceReader(ReadOnlySpan<byte> piece, int number)
{
    private ReadOnlySpan<byte> _rest = piece;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    public byte Byte() => Take(1)[0];

    public int Int() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    public long Long() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    public int Count() => (int)Natural(Int());

    public long Natural() => Natural(Long());

    public Revision Revision() => new(Natural());

    public LogIndex Index() => new(Natural());

    public ClientId Client() => new(BinaryPrimitives.ReadUInt128LittleEndian(Take(16)));

    public ReadOnlySpan<byte> Bytes() => Take(Count());

    /// <summary>What made a change, its position and who wrote it.</summary>
    public (ChangeCause Cause, int Position, string? Writer) Origin(ChangeKind kind)
    {
        var cause = (ChangeCause)Byte();
        var position = BinaryPrimitives.ReadUInt16LittleEndian(Take(2));
        if (cause > ChangeCause.BucketDeleted || (cause == ChangeCause.Put && kind != ChangeKind.Put) || (cause is not (ChangeCause.Put or ChangeCause.Transaction) && kind == ChangeKind.Put))
            throw Malformed($"cause {(int)cause} is none of a change of kind {(int)kind}");
        return WriterName.TryRead(Take(Byte()), out var writer) ? (cause, position, writer) : throw Malformed("a writer's name is no text, or too long");
    }

    public bool Flag() => Byte() switch
    {
        0 => false,
        1 => true,
        var other => throw Malformed($"{other} is no flag"),
    };

    public readonly MalformedSnapshotException Malformed(string what) => new($"Piece {number} of the snapshot: {what}.");

    private readonly long Natural(long value) => value >= 0 ? value : throw Malformed($"{value} is negative");

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > _rest.Length)
            throw Malformed($"{length} bytes are wanted where {_rest.Length} are left");
        var taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }
}
