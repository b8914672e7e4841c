using Orleans;

namespace Watch.Embedded.Serialization;

/// <summary>A foreign type, by way of a surrogate that an [RegisterConverter] class makes of it.</summary>
internal sealed class ConverterCodec<TValue, TSurrogate>(CodecProvider provider, IConverter<TValue, TSurrogate> converter) : Codec<TValue>
    where TSurrogate : struct
{
    private Codec<TSurrogate>? _surrogate;

    private Codec<TSurrogate> Surrogate => _surrogate ??= provider.Slot<TSurrogate>();

    public override bool IsTracked => !typeof(TValue).IsValueType;

    public override bool IsShared { get; } = provider.IsImmutable(typeof(TValue));

    public override void Write(WireWriter writer, TValue value) => Surrogate.Write(writer, converter.ConvertToSurrogate(in value));

    public override TValue Read(ref WireReader reader)
    {
        var place = reader.TakePlace();
        var surrogate = Surrogate.Read(ref reader);
        var value = converter.ConvertFromSurrogate(in surrogate);
        if (!typeof(TValue).IsValueType)
            reader.AnnounceAt(place, value ?? throw WireReader.Malformed($"a {typeof(TSurrogate)} gives no {typeof(TValue)}"));
        return value;
    }

    public override TValue Copy(TValue value, CopyContext context)
    {
        var surrogate = Surrogate.Copy(converter.ConvertToSurrogate(in value), context);
        var copy = converter.ConvertFromSurrogate(in surrogate);
        if (!typeof(TValue).IsValueType)
            context.RememberIfNew(value!, copy!);
        return copy;
    }
}
