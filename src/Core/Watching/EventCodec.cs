using System.Buffers.Binary;
using System.Text;

namespace Watch.Core.Watching;

/// <summary>What a block of events is. Numbers never change.</summary>
public enum BlockKind : byte
{
    /// <summary>All that a watch gets of one revision.</summary>
    Commit = 0,

    /// <summary>A piece of that.</summary>
    Fragment = 1,

    /// <summary>Keys that were there at one revision.</summary>
    Page = 2,
}

/// <summary>A change, or a key that is there, as a block tells it.</summary>
/// <param name="Kind">Put or delete; a key that is there is a put.</param>
/// <param name="Key">The key.</param>
/// <param name="Value">The value; empty for a delete, and where values are left out.</param>
/// <param name="Previous">What is known of the value before.</param>
/// <param name="Revision">The revision of the change, or of the last put of a key that is there.</param>
/// <param name="CreateRevision">The revision in which the key came into being.</param>
/// <param name="Version">How many puts it has had.</param>
/// <param name="CommitTimeMs">The leader's wall clock at the change, in milliseconds since 1970-01-01 UTC.</param>
/// <param name="Position">The change's place in its revision.</param>
/// <param name="Cause">What made it, by number.</param>
/// <param name="Writer">Who wrote it, if that is known.</param>
public readonly record struct BlockEvent(
    ChangeKind Kind,
    Key Key,
    ReadOnlyMemory<byte> Value,
    PreviousValue Previous,
    Revision Revision,
    Revision CreateRevision,
    long Version,
    long CommitTimeMs,
    ushort Position = 0,
    byte Cause = 0,
    string? Writer = null);

/// <summary>A block, read.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Revision">Its revision.</param>
/// <param name="Events">What it tells, in order.</param>
public sealed record DecodedBlock(BlockKind Kind, Revision Revision, BlockEvent[] Events);

/// <summary>
/// The bytes of events on their way to clients. They are made once and sent to every watch that gets the same. All numbers are
/// little-endian; a length is a number in groups of seven bits, the lowest first, the highest bit set where more follow:
/// <code>
/// block = version(1 byte, = 1) kind(1: BlockKind) revision(8) count(4) count × event
/// event = kind(1: 0 put, 1 delete) flags(1) key(length, bytes) value(length, bytes) [previous value: previous(length, bytes)]
///         createRevision(8) version(8) [of a page: revision(8)] position(2) commitTimeMs(8) [cause(1)] [writer(length, UTF-8)]
/// flags = bits 0-1: PreviousState; bit 2: there is a writer; bit 3: there is a cause other than the kind's own
/// </code>
/// Bytes that end early, run on, or hold a number outside its range are refused whole.
/// </summary>
public static class EventCodec
{
    /// <summary>How many bytes a writer's name has at most.</summary>
    public const int WriterBytesMax = 64;

    private const byte Version = 1;
    private const int HeaderBytes = 1 + 1 + 8 + 4;

    // Kind, flags, two empty texts, and the numbers: what an event has at least.
    private const int EventBytesMin = 1 + 1 + 1 + 1 + 8 + 8 + 2 + 8;
    private const byte PreviousBits = 3;
    private const byte HasWriter = 4;
    private const byte HasCause = 8;

    /// <summary>The bytes of a block.</summary>
    public static byte[] Encode(BlockKind kind, Revision revision, ReadOnlySpan<BlockEvent> events)
    {
        var size = HeaderBytes;
        foreach (ref readonly var each in events)
            size += SizeOf(kind, each);

        var bytes = new byte[size];
        var writer = new Writer(bytes);
        writer.Byte(Version);
        writer.Byte((byte)kind);
        writer.Int64(revision.Value);
        writer.Int32(events.Length);
        foreach (ref readonly var each in events)
            Write(ref writer, kind, each);
        Invariant.That(writer.IsFull, "a block's size was computed before it was written");
        return bytes;
    }

    /// <summary>What these bytes tell. Values are slices of them, not copies: the bytes must not change.</summary>
    /// <exception cref="FormatException">The version is not known here, or the bytes break the layout.</exception>
    public static DecodedBlock Decode(ReadOnlyMemory<byte> bytes)
    {
        var reader = new Reader(bytes);
        var version = reader.Byte();
        if (version != Version)
            throw new FormatException($"Block version {version} is not known; this program reads version {Version}.");
        var kind = (BlockKind)reader.Byte();
        if (kind > BlockKind.Page)
            throw new FormatException($"Block kind {(byte)kind} is not known.");
        var revision = reader.Revision();
        var count = reader.Int32();
        if (count < 0 || (long)count * EventBytesMin > reader.Left)
            throw new FormatException($"A block of {bytes.Length} bytes cannot hold {count} events.");

        var events = new BlockEvent[count];
        for (var at = 0; at < count; at++)
            events[at] = ReadEvent(ref reader, kind, revision);
        if (reader.Left > 0)
            throw new FormatException($"{reader.Left} bytes follow the block.");
        return new DecodedBlock(kind, revision, events);
    }

    private static int SizeOf(BlockKind kind, in BlockEvent each) =>
        2 + SizeOf(each.Key.Length) + SizeOf(each.Value.Length) + (each.Previous.State == PreviousState.Value ? SizeOf(each.Previous.Value.Length) : 0)
        + 8 + 8 + (kind == BlockKind.Page ? 8 : 0) + 2 + 8 + (OwnCause(each) ? 0 : 1) + (each.Writer is { } name ? SizeOf(Encoding.UTF8.GetByteCount(name)) : 0);

    // The length and the bytes it counts.
    private static int SizeOf(int length)
    {
        var size = 1;
        for (var left = (uint)length >> 7; left > 0; left >>= 7)
            size++;
        return size + length;
    }

    private static bool OwnCause(in BlockEvent each) => each.Cause == (byte)each.Kind;

    private static void Write(ref Writer writer, BlockKind kind, in BlockEvent each)
    {
        writer.Byte((byte)each.Kind);
        writer.Byte((byte)((byte)each.Previous.State | (each.Writer is null ? 0 : HasWriter) | (OwnCause(each) ? 0 : HasCause)));
        writer.Text(each.Key.Span);
        writer.Text(each.Value.Span);
        if (each.Previous.State == PreviousState.Value)
            writer.Text(each.Previous.Value.Span);
        writer.Int64(each.CreateRevision.Value);
        writer.Int64(each.Version);
        if (kind == BlockKind.Page)
            writer.Int64(each.Revision.Value);
        writer.UInt16(each.Position);
        writer.Int64(each.CommitTimeMs);
        if (!OwnCause(each))
            writer.Byte(each.Cause);
        if (each.Writer is { } name)
            writer.Text(Encoding.UTF8.GetBytes(name));
    }

    private static BlockEvent ReadEvent(ref Reader reader, BlockKind kind, Revision revision)
    {
        var change = (ChangeKind)reader.Byte();
        if (change > ChangeKind.Delete)
            throw new FormatException($"Event kind {(byte)change} is not known.");
        var flags = reader.Byte();
        var state = (PreviousState)(flags & PreviousBits);
        if (state > PreviousState.Value || flags > (PreviousBits | HasWriter | HasCause))
            throw new FormatException($"Event flags {flags} are not known.");
        var key = Key.Of(reader.Text().Span);
        var value = reader.Text();
        var previous = new PreviousValue(state, state == PreviousState.Value ? reader.Text() : default);
        var create = reader.Revision();
        var version = reader.Int64();
        var own = kind == BlockKind.Page ? reader.Revision() : revision;
        var position = reader.UInt16();
        var time = reader.Int64();
        var cause = (flags & HasCause) != 0 ? reader.Byte() : (byte)change;
        if ((flags & HasCause) != 0 && cause == (byte)change)
            throw new FormatException($"Event cause {cause} is the kind's own, and is not told.");
        return new BlockEvent(change, key, value, previous, own, create, version, time, position, cause, (flags & HasWriter) != 0 ? reader.Name() : null);
    }

    private ref struct Writer(Span<byte> target)
    {
        private Span<byte> _left = target;

        public readonly bool IsFull => _left.IsEmpty;

        public void Byte(byte value)
        {
            _left[0] = value;
            _left = _left[1..];
        }

        public void UInt16(ushort value)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(_left, value);
            _left = _left[2..];
        }

        public void Int32(int value)
        {
            BinaryPrimitives.WriteInt32LittleEndian(_left, value);
            _left = _left[4..];
        }

        public void Int64(long value)
        {
            BinaryPrimitives.WriteInt64LittleEndian(_left, value);
            _left = _left[8..];
        }

        public void Text(ReadOnlySpan<byte> text)
        {
            var length = (uint)text.Length;
            for (; length >= 0x80; length >>= 7)
                Byte((byte)(length | 0x80));
            Byte((byte)length);
            text.CopyTo(_left);
            _left = _left[text.Length..];
        }
    }

    private ref struct Reader(ReadOnlyMemory<byte> source)
    {
        private static readonly UTF8Encoding s_strict = new(false, throwOnInvalidBytes: true);
        private ReadOnlyMemory<byte> _left = source;

        public readonly int Left => _left.Length;

        public byte Byte() => Take(1).Span[0];

        public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2).Span);

        public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4).Span);

        public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8).Span);

        public Revision Revision() => Int64() is >= 0 and var value ? new Revision(value) : throw new FormatException("A revision is negative.");

        public ReadOnlyMemory<byte> Text() => Take(Length());

        public string Name()
        {
            var text = Text();
            if (text.Length > WriterBytesMax)
                throw new FormatException($"A writer's name has {text.Length} bytes; at most {WriterBytesMax} are allowed.");
            try
            {
                return s_strict.GetString(text.Span);
            }
            catch (DecoderFallbackException broken)
            {
                throw new FormatException("A writer's name is not UTF-8.", broken);
            }
        }

        private int Length()
        {
            var length = 0u;
            for (var shift = 0; shift < 35; shift += 7)
            {
                var group = Byte();
                // One length has one form: no group in vain, and no bits beyond 31.
                if ((group == 0 && shift > 0) || (shift == 28 && group > 7))
                    break;
                length |= (uint)(group & 0x7F) << shift;
                if (group < 0x80)
                    return (int)length;
            }

            throw new FormatException("A length is malformed.");
        }

        private ReadOnlyMemory<byte> Take(int count)
        {
            if (count > _left.Length)
                throw new FormatException($"A block ends {count - _left.Length} bytes early.");
            var taken = _left[..count];
            _left = _left[count..];
            return taken;
        }
    }
}
