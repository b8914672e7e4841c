namespace Watch.Embedded.Serialization;

/// <summary>
/// A place that holds null, an object of the declared type or of a type below it, or an object that
/// the message holds already. One byte tells which.
/// </summary>
internal sealed class SlotCodec<T>(CodecProvider provider) : Codec<T?>
    where T : class
{
    private const byte Null = 0;
    private const byte AsDeclared = 1;
    private const byte Named = 2;
    private const byte SeenBefore = 3;
    private const byte Reference = 4;

    private readonly bool _shared = typeof(T).IsSealed && provider.IsImmutable(typeof(T));
    private Codec? _own;

    /// <summary>An open type may hide a mutable one below it: only the value itself tells.</summary>
    public override bool IsShared => _shared;

    public override void Write(WireWriter writer, T? value)
    {
        if (value is null)
        {
            writer.WriteByte(Null);
            return;
        }

        var codec = CodecOf(value);
        if (codec is ReferenceTextCodec)
        {
            writer.WriteByte(Reference);
            codec.WriteObject(writer, value);
            return;
        }

        if (codec.IsTracked && writer.TryFindObject(value, out var offset))
        {
            writer.WriteByte(SeenBefore);
            writer.WriteVarint((ulong)offset);
            writer.WriteType(codec.NamedType);
            return;
        }

        WriteBody(writer, value, codec);
    }

    private static void WriteBody(WireWriter writer, T value, Codec codec)
    {
        if (codec.NamedType == typeof(T))
        {
            writer.WriteByte(AsDeclared);
        }
        else
        {
            writer.WriteByte(Named);
            writer.WriteType(codec.NamedType);
        }

        if (codec.IsTracked)
            writer.RememberObject(value);
        writer.Enter();
        codec.WriteObject(writer, value);
        writer.Leave();
    }

    public override T? Read(ref WireReader reader)
    {
        switch (reader.ReadByte())
        {
            case Null:
                return null;
            case AsDeclared:
                return ReadBody(ref reader, _own ??= provider.Get(typeof(T)));
            case Named:
                return ReadBody(ref reader, provider.Get(reader.ReadType()));
            case SeenBefore:
                var offset = reader.ReadVarint();
                var codec = provider.Get(reader.ReadType());
                return Checked(reader.ReadBackReference(offset <= int.MaxValue ? (int)offset : -1, codec));
            case Reference:
                var text = reader.ReadString() ?? throw WireReader.Malformed("a reference without text");
                return Checked(provider.ResolveReference(text, typeof(T)));
            default:
                throw WireReader.Malformed($"a {typeof(T)} cannot begin like this at byte {reader.Position - 1}");
        }
    }

    private static T ReadBody(ref WireReader reader, Codec codec)
    {
        reader.Enter();
        object value;
        if (codec.IsTracked)
        {
            var known = reader.KnownHere();
            var slot = reader.BeginObject();
            value = codec.ReadObject(ref reader);
            reader.EndObject(slot, value);
            value = known ?? value;
        }
        else
        {
            value = codec.ReadObject(ref reader);
        }

        reader.Leave();
        return Checked(value);
    }

    public override T? Copy(T? value, CopyContext context)
    {
        if (value is null)
            return null;

        var codec = provider.GetForCopy(value);
        if (codec.IsShared)
            return value;
        if (!codec.IsTracked)
            return (T)codec.CopyObject(value, context);
        if (context.TryFind(value, out var known))
            return (T)known!;

        context.Enter(provider.Limits.DepthMax);
        var copy = (T)codec.CopyObject(value, context);
        context.Leave();
        return copy;
    }

    private Codec CodecOf(object value)
    {
        var type = value.GetType();
        return type == typeof(T) ? _own ??= provider.Get(type, value) : provider.Get(type, value);
    }

    private static T Checked(object value) => value as T
        ?? throw WireReader.Malformed($"a {value.GetType()} stands where a {typeof(T)} is expected");
}
