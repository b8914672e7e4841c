using System.Collections.Immutable;

namespace Watch.Embedded.Serialization;

/// <summary>Shared when its elements are; otherwise the elements are copied, as they may be changed.</summary>
internal sealed class ImmutableArrayCodec<T>(CodecProvider provider) : Codec<ImmutableArray<T>>
{
    private readonly Codec<T> _element = provider.Slot<T>();
    private bool _asking;

    public override bool IsShared
    {
        get
        {
            // A struct may hold an array of itself; what asks about itself gets the careful answer.
            if (_asking)
                return false;
            _asking = true;
            var shared = _element.IsShared;
            _asking = false;
            return shared;
        }
    }

    /// <summary>A count plus one, so that the default array, which is no array, comes back as it was.</summary>
    public override void Write(WireWriter writer, ImmutableArray<T> value)
    {
        writer.WriteVarint(value.IsDefault ? 0UL : (ulong)value.Length + 1);
        if (value.IsDefault)
            return;
        foreach (var item in value)
            _element.Write(writer, item);
    }

    public override ImmutableArray<T> Read(ref WireReader reader)
    {
        if (!reader.TryReadCount(out var count))
            return default;
        var items = new T[count];
        for (var i = 0; i < count; i++)
            items[i] = _element.Read(ref reader);
        return System.Runtime.InteropServices.ImmutableCollectionsMarshal.AsImmutableArray(items);
    }

    public override ImmutableArray<T> Copy(ImmutableArray<T> value, CopyContext context)
    {
        if (value.IsDefault || IsShared)
            return value;
        var items = new T[value.Length];
        for (var i = 0; i < items.Length; i++)
            items[i] = _element.Copy(value[i], context);
        return System.Runtime.InteropServices.ImmutableCollectionsMarshal.AsImmutableArray(items);
    }
}

/// <summary>Immutable lists and sets: written as their elements, rebuilt at once when all are there.</summary>
internal abstract class RebuiltCodec<TCollection, T>(CodecProvider provider) : Codec<TCollection>
    where TCollection : class, IReadOnlyCollection<T>
{
    protected Codec<T> Element { get; } = provider.Slot<T>();

    public override bool IsTracked => true;

    public override bool IsShared => Element.IsShared;

    protected abstract TCollection Rebuild(List<T> items, TCollection? original);

    public override void Write(WireWriter writer, TCollection value)
    {
        writer.WriteVarint((ulong)value.Count);
        foreach (var item in value)
            Element.Write(writer, item);
    }

    public override TCollection Read(ref WireReader reader)
    {
        var place = reader.TakePlace();
        var count = reader.ReadCount();
        var items = new List<T>(Math.Min(count, 1024));
        for (var i = 0; i < count; i++)
            items.Add(Element.Read(ref reader));
        var collection = Rebuild(items, original: null);
        reader.AnnounceAt(place, collection);
        return collection;
    }

    public override TCollection Copy(TCollection value, CopyContext context)
    {
        var items = new List<T>(value.Count);
        foreach (var item in value)
            items.Add(Element.Copy(item, context));
        var copy = Rebuild(items, value);
        context.RememberIfNew(value, copy);
        return copy;
    }
}

internal sealed class ImmutableListCodec<T>(CodecProvider provider) : RebuiltCodec<ImmutableList<T>, T>(provider)
{
    protected override ImmutableList<T> Rebuild(List<T> items, ImmutableList<T>? original) => [.. items];
}

internal sealed class ImmutableHashSetCodec<T>(CodecProvider provider) : RebuiltCodec<ImmutableHashSet<T>, T>(provider)
{
    protected override ImmutableHashSet<T> Rebuild(List<T> items, ImmutableHashSet<T>? original) =>
        ImmutableHashSet.CreateRange(original?.KeyComparer, items);
}

internal sealed class ImmutableDictionaryCodec<TKey, TValue>(CodecProvider provider)
    : RebuiltCodec<ImmutableDictionary<TKey, TValue>, KeyValuePair<TKey, TValue>>(provider)
    where TKey : notnull
{
    protected override ImmutableDictionary<TKey, TValue> Rebuild(
        List<KeyValuePair<TKey, TValue>> items, ImmutableDictionary<TKey, TValue>? original) =>
        ImmutableDictionary.CreateRange(original?.KeyComparer, original?.ValueComparer, items);
}
