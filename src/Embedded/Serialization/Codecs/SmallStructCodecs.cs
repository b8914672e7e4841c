using System.Runtime.CompilerServices;

namespace Watch.Embedded.Serialization;

internal sealed class EnumCodec<T> : Codec<T>
    where T : struct, Enum
{
    public override WireType WireType => WireType.Varint;

    public override bool IsShared => true;

    public override void Write(WireWriter writer, T value) => writer.WriteSigned(ToInt64(value));

    public override T Read(ref WireReader reader)
    {
        var number = reader.ReadSigned();
        var value = (T)Enum.ToObject(typeof(T), number);
        return ToInt64(value) == number ? value : throw WireReader.Malformed($"{number} is no {typeof(T)}");
    }

    public override T Copy(T value, CopyContext context) => value;

    private static long ToInt64(T value) => Unsafe.SizeOf<T>() switch
    {
        1 => Unsafe.As<T, sbyte>(ref value),
        2 => Unsafe.As<T, short>(ref value),
        4 => Unsafe.As<T, int>(ref value),
        _ => Unsafe.As<T, long>(ref value),
    };
}

internal sealed class NullableCodec<T>(CodecProvider provider) : Codec<T?>
    where T : struct
{
    private readonly Codec<T> _value = provider.Slot<T>();

    public override bool IsShared => _value.IsShared;

    public override void Write(WireWriter writer, T? value)
    {
        writer.WriteByte(value.HasValue ? (byte)1 : (byte)0);
        if (value.HasValue)
            _value.Write(writer, value.GetValueOrDefault());
    }

    public override T? Read(ref WireReader reader) => reader.ReadByte() switch
    {
        0 => null,
        1 => _value.Read(ref reader),
        _ => throw WireReader.Malformed($"an optional {typeof(T)} is neither there nor absent"),
    };

    public override T? Copy(T? value, CopyContext context) =>
        value.HasValue ? _value.Copy(value.GetValueOrDefault(), context) : null;
}

/// <summary>A pair's shape is fixed for ever: its parts stand one after the other, without numbers.</summary>
internal sealed class KeyValuePairCodec<TKey, TValue>(CodecProvider provider) : Codec<KeyValuePair<TKey, TValue>>
{
    private readonly Codec<TKey> _key = provider.Slot<TKey>();
    private readonly Codec<TValue> _value = provider.Slot<TValue>();

    public override bool IsShared => _key.IsShared && _value.IsShared;

    public override void Write(WireWriter writer, KeyValuePair<TKey, TValue> value)
    {
        _key.Write(writer, value.Key);
        _value.Write(writer, value.Value);
    }

    public override KeyValuePair<TKey, TValue> Read(ref WireReader reader)
    {
        var key = _key.Read(ref reader);
        return new(key, _value.Read(ref reader));
    }

    public override KeyValuePair<TKey, TValue> Copy(KeyValuePair<TKey, TValue> value, CopyContext context) =>
        new(_key.Copy(value.Key, context), _value.Copy(value.Value, context));
}
