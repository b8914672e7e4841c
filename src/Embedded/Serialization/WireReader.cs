using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace Watch.Embedded.Serialization;

/// <summary>
/// Reads one message. Trusts nothing: each length is checked against what is left, so no input makes
/// it read outside the message or allocate more than a small multiple of the message's own length.
/// </summary>
internal ref struct WireReader
{
    private readonly ReadOnlySpan<byte> _data;
    private readonly SerializerLimits _limits;
    private readonly TypeManifest _manifest;
    private readonly ReadObjects _objects;
    private int _position;
    private int _depth;
    private int _pending = -1;

    public WireReader(ReadOnlySpan<byte> data, SerializerLimits limits, TypeManifest manifest, ReadObjects objects)
    {
        if (data.Length > limits.MessageBytesMax)
            throw Malformed($"it is {data.Length} bytes long, the limit is {limits.MessageBytesMax}");
        _data = data;
        _limits = limits;
        _manifest = manifest;
        _objects = objects;
    }

    public readonly int Position => _position;

    public readonly int Remaining => _data.Length - _position;

    public static MalformedMessageException Malformed(string why) => new($"Malformed message: {why}.");

    public void Enter()
    {
        if (++_depth > _limits.DepthMax)
            throw Malformed($"objects are nested deeper than {_limits.DepthMax} levels");
    }

    public void Leave() => _depth--;

    public byte ReadByte()
    {
        Require(1);
        return _data[_position++];
    }

    public ulong ReadVarint()
    {
        ulong result = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var b = ReadByte();
            if (shift == 63 && b > 1)
                break;
            result |= (ulong)(b & 0x7f) << shift;
            if (b < 0x80)
                return result;
        }

        throw Malformed($"the number at byte {_position} has more than 64 bits");
    }

    public long ReadSigned()
    {
        var value = ReadVarint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    public uint ReadFixed32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public ulong ReadFixed64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    public UInt128 ReadFixed128() => BinaryPrimitives.ReadUInt128LittleEndian(Take(16));

    /// <summary>The bytes of a <see cref="WireType.Bytes"/> value; false for null.</summary>
    public bool TryReadBytes(out ReadOnlySpan<byte> bytes)
    {
        var lengthPlusOne = ReadVarint();
        if (lengthPlusOne == 0)
        {
            bytes = default;
            return false;
        }

        bytes = Take(CheckedLength(lengthPlusOne - 1, Remaining));
        return true;

        static int CheckedLength(ulong length, int remaining) => length <= (ulong)remaining
            ? (int)length
            : throw Malformed($"a length of {length} exceeds the {remaining} bytes that are left");
    }

    public ReadOnlySpan<byte> ReadBytes() =>
        TryReadBytes(out var bytes) ? bytes : throw Malformed("bytes are missing where they must not be");

    public string? ReadString() => TryReadBytes(out var bytes) ? Encoding.UTF8.GetString(bytes) : null;

    /// <summary>A number of elements. Each takes at least a byte, so what is left bounds it.</summary>
    public int ReadCount()
    {
        var count = ReadVarint();
        return count <= (ulong)Remaining
            ? (int)count
            : throw Malformed($"{count} elements are announced and {Remaining} bytes are left");
    }

    /// <summary>A count plus one, with 0 for none at all.</summary>
    public bool TryReadCount(out int count)
    {
        var countPlusOne = ReadVarint();
        count = 0;
        if (countPlusOne == 0)
            return false;
        if (countPlusOne - 1 > (ulong)Remaining)
            throw Malformed($"{countPlusOne - 1} elements are announced and {Remaining} bytes are left");
        count = (int)(countPlusOne - 1);
        return true;
    }

    /// <summary>Where the sized value that begins here ends.</summary>
    public int ReadSizedEnd()
    {
        var length = ReadFixed32();
        return length <= (uint)Remaining
            ? _position + (int)length
            : throw Malformed($"a length of {length} exceeds the {Remaining} bytes that are left");
    }

    /// <summary>Goes to the end of a sized value, over what is not wanted.</summary>
    public void MoveTo(int end) => _position = end;

    public void Skip(WireType type)
    {
        switch (type)
        {
            case WireType.Varint: ReadVarint(); break;
            case WireType.Fixed32: Take(4); break;
            case WireType.Fixed64: Take(8); break;
            case WireType.Fixed128: Take(16); break;
            case WireType.Bytes: TryReadBytes(out _); break;
            case WireType.Sized: _position = ReadSizedEnd(); break;
            default: throw Malformed($"wire type {(int)type} at byte {_position} is unknown");
        }
    }

    public Type ReadType()
    {
        var token = ReadVarint();
        if (token == 0)
            return _manifest.Resolve(ReadBytes());
        if (token > (ulong)_position)
            throw Malformed("a type refers to a place that does not come before it");

        var resume = _position;
        _position = (int)(token - 1);
        var type = _manifest.Resolve(ReadBytes());
        _position = resume;
        return type;
    }

    /// <summary>
    /// The object whose body begins here, if a detour has made it already. The body is then read once
    /// more, only to get past it.
    /// </summary>
    public readonly object? KnownHere() =>
        _objects.HasDetours && _objects.TryFind(_position, out var known) ? known : null;

    /// <summary>Takes a place in the table of objects for the object whose body begins here.</summary>
    public int BeginObject() => _pending = _objects.Reserve(_position);

    /// <summary>Makes the new object known before its members are read, so that they can refer back to it.</summary>
    public void Announce(object instance)
    {
        if (_pending >= 0)
            _objects.Set(_pending, instance);
        _pending = -1;
    }

    /// <summary>For objects that can only be made after parts of them were read: their place, for later.</summary>
    public int TakePlace()
    {
        var place = _pending;
        _pending = -1;
        return place;
    }

    public readonly void AnnounceAt(int place, object instance)
    {
        if (place >= 0)
            _objects.Set(place, instance);
    }

    public void EndObject(int slot, object instance)
    {
        _objects.Set(slot, instance);
        _pending = -1;
    }

    /// <summary>
    /// The object whose body began at an offset. It is unknown if it stands in a member that this
    /// version of a type does not have and which was therefore stepped over: then it is read now.
    /// </summary>
    public object ReadBackReference(int offset, Codec codec)
    {
        if (offset < 0 || offset >= _position)
            throw Malformed("an object refers to a place that does not come before it");
        if (_objects.TryFind(offset, out var known))
            return known ?? throw Malformed($"the object at byte {offset} contains itself in a way that cannot be rebuilt");

        _objects.CountDetour();
        var resume = _position;
        _position = offset;
        Enter();
        var slot = BeginObject();
        var value = codec.ReadObject(ref this);
        EndObject(slot, value);
        Leave();
        _position = resume;
        return value;
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        Require(length);
        var bytes = _data.Slice(_position, length);
        _position += length;
        return bytes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Require(int bytes)
    {
        if (_data.Length - _position < bytes)
            throw Malformed($"it ends at byte {_data.Length}, {bytes} more were expected at {_position}");
    }
}
