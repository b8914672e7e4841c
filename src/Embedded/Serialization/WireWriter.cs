using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using Orleans.Serialization;

namespace Watch.Embedded.Serialization;

/// <summary>
/// Builds one message in a contiguous buffer (nested lengths are filled in afterwards) and remembers
/// where each object began. One per thread, reused.
/// </summary>
internal sealed class WireWriter
{
    private const int RetainedBytesMax = 1024 * 1024;

    [ThreadStatic]
    private static WireWriter? t_spare;

    private readonly ReferenceTable _objects = new();
    private readonly Dictionary<Type, int> _types = [];
    private byte[] _buffer = new byte[1024];
    private int _position;
    private int _depth;
    private SerializerLimits _limits = null!;
    private TypeManifest _manifest = null!;

    public int Position => _position;

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _position);

    public static WireWriter Rent(SerializerLimits limits, TypeManifest manifest)
    {
        var writer = t_spare ?? new WireWriter();
        t_spare = null;
        writer._limits = limits;
        writer._manifest = manifest;
        return writer;
    }

    public void Return()
    {
        _objects.Clear();
        if (_types.Count > 0)
            _types.Clear();
        _position = 0;
        _depth = 0;
        if (_buffer.Length > RetainedBytesMax)
            _buffer = new byte[1024];
        t_spare = this;
    }

    public void Enter()
    {
        if (++_depth > _limits.DepthMax)
            throw new SerializerException($"Objects are nested deeper than {_limits.DepthMax} levels.");
    }

    public void Leave() => _depth--;

    public void WriteByte(byte value)
    {
        Reserve(1);
        _buffer[_position++] = value;
    }

    public void WriteVarint(ulong value)
    {
        Reserve(10);
        while (value >= 0x80)
        {
            _buffer[_position++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _buffer[_position++] = (byte)value;
    }

    /// <summary>Small magnitudes of either sign become small numbers: 0, -1, 1, -2, 2 …</summary>
    public void WriteSigned(long value) => WriteVarint((ulong)((value << 1) ^ (value >> 63)));

    public void WriteFixed32(uint value)
    {
        Reserve(4);
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(_position), value);
        _position += 4;
    }

    public void WriteFixed64(ulong value)
    {
        Reserve(8);
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer.AsSpan(_position), value);
        _position += 8;
    }

    public void WriteFixed128(UInt128 value)
    {
        Reserve(16);
        BinaryPrimitives.WriteUInt128LittleEndian(_buffer.AsSpan(_position), value);
        _position += 16;
    }

    public void WriteBytes(ReadOnlySpan<byte> value)
    {
        WriteVarint((ulong)value.Length + 1);
        Reserve(value.Length);
        value.CopyTo(_buffer.AsSpan(_position));
        _position += value.Length;
    }

    public void WriteString(string? value)
    {
        if (value is null)
        {
            WriteByte(0);
            return;
        }

        var length = Encoding.UTF8.GetByteCount(value);
        WriteVarint((ulong)length + 1);
        Reserve(length);
        _position += Encoding.UTF8.GetBytes(value, _buffer.AsSpan(_position));
    }

    /// <summary>Leaves room for a length; <see cref="EndSized"/> fills it in.</summary>
    public int BeginSized()
    {
        Reserve(4);
        _position += 4;
        return _position;
    }

    public void EndSized(int start) =>
        BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(start - 4), _position - start);

    /// <summary>The type's name, or where this message has named it before.</summary>
    public void WriteType(Type type)
    {
        if (_types.TryGetValue(type, out var offset))
        {
            WriteVarint((ulong)offset + 1);
            return;
        }

        var name = _manifest.EncodedNameOf(type);
        WriteByte(0);
        _types.Add(type, _position);
        WriteBytes(name);
    }

    public bool TryFindObject(object value, out int offset) => _objects.TryFind(value, out offset);

    public void RememberObject(object value) => _objects.Add(value, _position);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Reserve(int bytes)
    {
        if (_buffer.Length - _position < bytes)
            Grow(bytes);
    }

    private void Grow(int bytes)
    {
        // Far past the limit is refused at once; the exact check is made on the finished message.
        var needed = (long)_position + bytes;
        if (needed > _limits.MessageBytesMax + 16L)
            throw new SerializerException($"A message is longer than the limit of {_limits.MessageBytesMax} bytes.");

        Array.Resize(ref _buffer, (int)Math.Min(Array.MaxLength, Math.Max(needed, _buffer.Length * 2L)));
    }
}
