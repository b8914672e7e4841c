using System.Buffers.Binary;

namespace Watch.Core.Keyspace;

/// <summary>
/// The bytes of a command, as they stand in the log for ever. All numbers are little-endian, all lengths 32 bits:
/// <code>
/// command   = version(1 byte, = 1) kind(1 byte) body
/// write     = kind 1: operation(1: 0 put, 1 delete) condition(1: 0 none, else ConditionKind)
///             key(length, bytes) [put: value(length, bytes)]
///             [condition ValueEquals: value(length, bytes)] [condition RevisionEquals: revision(8)]
/// compact   = kind 2: through(8) forgetThrough(8; -1 for "as through")
/// numbered  = kind 3: client(16) number(8) seen(8) oldestOpen(8), then as a write behind its kind
/// named     = kind 4: writer(length, 1 to 64 bytes of UTF-8), then kind 1 or 3 and what follows it
/// </code>
/// A new kind of command gets a new kind byte; a changed layout gets a new version, and the old one stays readable.
/// Bytes that end early, run on, or hold a number outside its range are refused whole: a command is never half understood.
/// </summary>
public static class CommandCodec
{
    private const byte Version = 1;
    private const byte WriteKind = 1;
    private const byte CompactKind = 2;
    private const byte NumberedKind = 3;
    private const byte NamedKind = 4;
    private const int NameStart = 1 + 1 + 4;
    private const int IdBytes = 16 + 8 + 8 + 8;
    private const byte NoCondition = 0;

    /// <summary>The bytes of a command.</summary>
    public static byte[] Encode(Command command)
    {
        ArgumentNullException.ThrowIfNull(command);
        return command switch
        {
            WriteCommand write => EncodeWrite(write),
            CompactCommand compact => EncodeCompact(compact),
            _ => throw new ArgumentException($"No bytes are defined for a {command.GetType().Name}.", nameof(command)),
        };
    }

    /// <summary>The command of these bytes. Key and values are copied, so the bytes may be reused.</summary>
    /// <exception cref="MalformedCommandException">The version or kind is not known here, or the bytes break the layout.</exception>
    public static Command Decode(ReadOnlySpan<byte> bytes)
    {
        var reader = new Reader(bytes);
        var version = reader.Byte("version");
        if (version != Version)
            throw new MalformedCommandException($"Command version {version} is not known; this program reads version {Version}.");

        var kind = reader.Byte("kind");
        Command command = kind switch
        {
            WriteKind or NumberedKind => DecodeWrite(ref reader, kind, writer: null),
            NamedKind => DecodeNamed(ref reader),
            CompactKind => DecodeCompact(ref reader),
            _ => throw new MalformedCommandException($"Command kind {kind} is not known."),
        };
        reader.End();
        return command;
    }

    /// <summary>Whether these are the bytes of a write with an id, which may be proposed again where its outcome is not known.</summary>
    public static bool IsNumbered(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length <= 1 || bytes[1] != NamedKind)
            return bytes.Length > 1 && bytes[1] == NumberedKind;
        if (bytes.Length <= NameStart)
            return false;
        var length = BinaryPrimitives.ReadInt32LittleEndian(bytes[2..]);
        return length is > 0 and <= WriterName.BytesMax && bytes.Length > NameStart + length && bytes[NameStart + length] == NumberedKind;
    }

    /// <summary>Whether these are the bytes of a compaction.</summary>
    public static bool IsCompaction(ReadOnlySpan<byte> bytes) => bytes.Length > 1 && bytes[1] == CompactKind;

    private static byte[] EncodeWrite(WriteCommand write)
    {
        var condition = write.Condition;
        var isPut = write.Kind == ChangeKind.Put;
        var name = WriterName.BytesOf(write.Writer);
        var size = (name.Length == 0 ? 0 : 4 + name.Length + 1) + (write.Id is null ? 0 : IdBytes) + 4 + 4 + write.Key.Length + (isPut ? 4 + write.Value.Length : 0) + condition?.Kind switch
        {
            ConditionKind.ValueEquals => 4 + condition.Value.Length,
            ConditionKind.RevisionEquals => 8,
            _ => 0,
        };

        var writer = new Writer(new byte[size]);
        var kind = write.Id is null ? WriteKind : NumberedKind;
        writer.Header(name.Length == 0 ? kind : NamedKind);
        if (name.Length > 0)
        {
            writer.Bytes(name);
            writer.Byte(kind);
        }

        if (write.Id is { } id)
            writer.Id(id);
        writer.Byte((byte)write.Kind);
        writer.Byte(condition is null ? NoCondition : (byte)condition.Kind);
        writer.Bytes(write.Key.Span);
        if (isPut)
            writer.Bytes(write.Value.Span);
        if (condition?.Kind == ConditionKind.ValueEquals)
            writer.Bytes(condition.Value.Span);
        if (condition?.Kind == ConditionKind.RevisionEquals)
            writer.Number(condition.Revision.Value);
        return writer.Done();
    }

    private static WriteCommand DecodeNamed(ref Reader reader)
    {
        if (!WriterName.TryRead(reader.Bytes("writer"), out var writer) || writer is null)
            throw new MalformedCommandException($"A writer's name has 1 to {WriterName.BytesMax} bytes of UTF-8.");
        var kind = reader.Byte("kind behind the writer");
        return kind is WriteKind or NumberedKind
            ? DecodeWrite(ref reader, kind, writer)
            : throw new MalformedCommandException($"Command kind {kind} has no writer.");
    }

    private static WriteCommand DecodeWrite(ref Reader reader, byte kind, string? writer)
    {
        WriteId? id = kind == NumberedKind ? DecodeId(ref reader) : null;
        var operation = reader.Byte("operation");
        if (operation > (byte)ChangeKind.Delete)
            throw new MalformedCommandException($"Operation {operation} is not known.");
        var conditionKind = reader.Byte("condition");
        var key = Key.Wrap(reader.Bytes("key"));
        if (key.IsEmpty)
            throw new MalformedCommandException("The key has no bytes.");
        var value = operation == (byte)ChangeKind.Put ? reader.Bytes("value") : [];
        var condition = conditionKind switch
        {
            NoCondition => null,
            (byte)ConditionKind.ValueEquals => Condition.ValueEquals(reader.Bytes("condition value")),
            (byte)ConditionKind.RevisionEquals => Condition.RevisionEquals(reader.Revision("condition revision")),
            (byte)ConditionKind.Absent => Condition.Absent,
            (byte)ConditionKind.Exists => Condition.Exists,
            _ => throw new MalformedCommandException($"Condition {conditionKind} is not known."),
        };
        return operation == (byte)ChangeKind.Put ? WriteCommand.Put(key, value, condition, id, writer) : WriteCommand.Delete(key, condition, id, writer);
    }

    private static WriteId DecodeId(ref Reader reader)
    {
        var client = new ClientId(reader.UInt128("client"));
        var number = reader.Number("number");
        var seen = new LogIndex(reader.Number("seen"));
        var id = new WriteId(client, number, seen, reader.Number("oldestOpen"));
        return id.IsValid ? id : throw new MalformedCommandException($"The id {id} has number {number}, seen index {seen} and oldest open number {id.OldestOpen}.");
    }

    private static byte[] EncodeCompact(CompactCommand compact)
    {
        // In pairs with reading: once such an entry is in the log, no replica could apply it, and none could start over it.
        Invariant.That(compact.ForgetThrough is not { } forget || forget <= compact.Through, "A compaction forgets no farther than it goes.");
        var writer = new Writer(new byte[2 + 8 + 8]);
        writer.Header(CompactKind);
        writer.Number(compact.Through.Value);
        writer.Number(compact.ForgetThrough?.Value ?? -1);
        return writer.Done();
    }

    private static CompactCommand DecodeCompact(ref Reader reader)
    {
        var through = reader.Revision("through");
        var forgetThrough = reader.Number("forgetThrough");
        return forgetThrough switch
        {
            -1 => new CompactCommand(through),
            >= 0 when forgetThrough <= through.Value => new CompactCommand(through, new Revision(forgetThrough)),
            _ => throw new MalformedCommandException($"Forgetting through {forgetThrough} lies outside 0..{through}."),
        };
    }

    private ref struct Writer(byte[] target)
    {
        private int _at;

        public void Header(byte kind)
        {
            Byte(Version);
            Byte(kind);
        }

        public void Byte(byte value) => target[_at++] = value;

        public void Number(long value)
        {
            BinaryPrimitives.WriteInt64LittleEndian(target.AsSpan(_at), value);
            _at += 8;
        }

        public void Id(in WriteId id)
        {
            BinaryPrimitives.WriteUInt128LittleEndian(target.AsSpan(_at), id.Client.Value);
            _at += 16;
            Number(id.Number);
            Number(id.Seen.Value);
            Number(id.OldestOpen);
        }

        public void Bytes(ReadOnlySpan<byte> value)
        {
            BinaryPrimitives.WriteInt32LittleEndian(target.AsSpan(_at), value.Length);
            value.CopyTo(target.AsSpan(_at + 4));
            _at += 4 + value.Length;
        }

        public readonly byte[] Done()
        {
            Invariant.That(_at == target.Length, "an encoded command has the size that was computed for it");
            return target;
        }
    }

    private ref struct Reader(ReadOnlySpan<byte> source)
    {
        private ReadOnlySpan<byte> _rest = source;

        public byte Byte(string field) => Take(1, field)[0];

        public long Number(string field) => BinaryPrimitives.ReadInt64LittleEndian(Take(8, field));

        public UInt128 UInt128(string field) => BinaryPrimitives.ReadUInt128LittleEndian(Take(16, field));

        public Revision Revision(string field)
        {
            var value = Number(field);
            return value >= 0 ? new Revision(value) : throw new MalformedCommandException($"Field '{field}' holds the negative revision {value}.");
        }

        public byte[] Bytes(string field)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(Take(4, field));
            return Take(length, field).ToArray();
        }

        public readonly void End()
        {
            if (!_rest.IsEmpty)
                throw new MalformedCommandException($"{_rest.Length} bytes follow the command's end.");
        }

        private ReadOnlySpan<byte> Take(int length, string field)
        {
            if (length < 0 || length > _rest.Length)
                throw new MalformedCommandException($"Field '{field}' wants {length} bytes where {_rest.Length} are left.");
            var taken = _rest[..length];
            _rest = _rest[length..];
            return taken;
        }
    }
}

/// <summary>Bytes that are no command this program knows; the message names what is wrong with them.</summary>
public sealed class MalformedCommandException(string message) : Exception(message);
