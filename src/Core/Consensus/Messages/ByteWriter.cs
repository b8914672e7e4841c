using System.Buffers.Binary;

namespace Watch.Core.Consensus.Messages;

/// <summary>Writes numbers and bytes, little-endian, into an array that grows.</summary>
internal ref struct ByteWriter(int capacity)
{
    private byte[] _bytes = new byte[capacity];
    private int _length;

    internal readonly byte[] ToArray() => _bytes.AsSpan(0, _length).ToArray();

    internal void Byte(byte value) => Take(1)[0] = value;

    internal void Flag(bool value) => Byte(value ? (byte)1 : (byte)0);

    internal void Int(int value) => BinaryPrimitives.WriteInt32LittleEndian(Take(sizeof(int)), value);

    internal void Long(long value) => BinaryPrimitives.WriteInt64LittleEndian(Take(sizeof(long)), value);

    internal void Node(NodeId node) => BinaryPrimitives.WriteUInt128LittleEndian(Take(16), node.Value);

    internal void Bytes(ReadOnlySpan<byte> value) => value.CopyTo(Take(value.Length));

    private Span<byte> Take(int bytes)
    {
        if (_bytes.Length - _length < bytes)
            Array.Resize(ref _bytes, Math.Max(_length + bytes, _bytes.Length * 2));
        _length += bytes;
        return _bytes.AsSpan(_length - bytes, bytes);
    }
}

/// <summary>Reads what <see cref="ByteWriter"/> wrote, and trusts nothing.</summary>
internal ref struct ByteReader(ReadOnlyMemory<byte> bytes)
{
    private readonly ReadOnlyMemory<byte> _bytes = bytes;
    /// <summary>No index, term or stamp (in ms) gets higher: at a million a second that takes 36,000 years.</summary>
    private const long CountedMax = 1L << 60;

    private int _at;

    internal byte Byte() => Take(1).Span[0];

    internal bool Flag() => Byte() switch
    {
        0 => false,
        1 => true,
        var other => throw new MalformedParcelException($"{other} is no flag"),
    };

    internal int Int() => BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)).Span);

    internal long Long() => BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long)).Span);

    internal readonly long Natural(long value) => value >= 0 ? value : throw new MalformedParcelException($"{value} is negative");

    internal Term Term() => new(Counted(Long()));

    internal LogIndex Index() => new(Counted(Long()));

    internal LogTime Stamp() => new(Counted(Long()));

    /// <summary>A number to which more can be added.</summary>
    private static long Counted(long value) => value is >= 0 and <= CountedMax ? value : throw new MalformedParcelException($"{value} is not between 0 and {CountedMax}");

    internal NodeId Node() => new(BinaryPrimitives.ReadUInt128LittleEndian(Take(16).Span));

    /// <summary>How many things of at least so many bytes follow.</summary>
    internal int Count(int bytesEach)
    {
        var count = Natural(Int());
        return count <= (_bytes.Length - _at) / bytesEach ? (int)count : throw new MalformedParcelException($"{count} things do not fit");
    }

    internal ReadOnlyMemory<byte> Bytes() => Take((int)Natural(Int())).ToArray();

    internal readonly void End()
    {
        if (_at != _bytes.Length)
            throw new MalformedParcelException($"{_bytes.Length - _at} bytes too many");
    }

    private ReadOnlyMemory<byte> Take(int count)
    {
        if (count > _bytes.Length - _at)
            throw new MalformedParcelException($"{count} bytes at {_at} of {_bytes.Length}");
        _at += count;
        return _bytes.Slice(_at - count, count);
    }
}
