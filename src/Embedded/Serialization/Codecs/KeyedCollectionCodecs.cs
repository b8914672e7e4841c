namespace Watch.Embedded.Serialization;

/// <summary>
/// How a hashed collection compares its keys, which has to survive the journey: a case-insensitive
/// dictionary that arrives case-sensitive is another dictionary.
/// </summary>
internal sealed class ComparerCodec<T>(CodecProvider provider)
{
    private const byte Default = 0;
    private const byte Ordinal = 1;
    private const byte OrdinalIgnoreCase = 2;
    private const byte Other = 3;

    private readonly Codec<IEqualityComparer<T>?> _other = provider.Slot<IEqualityComparer<T>?>();

    public void Write(WireWriter writer, IEqualityComparer<T> comparer)
    {
        if (ReferenceEquals(comparer, EqualityComparer<T>.Default))
            writer.WriteByte(Default);
        else if (ReferenceEquals(comparer, StringComparer.Ordinal))
            writer.WriteByte(Ordinal);
        else if (ReferenceEquals(comparer, StringComparer.OrdinalIgnoreCase))
            writer.WriteByte(OrdinalIgnoreCase);
        else
            WriteOther(writer, comparer);
    }

    public IEqualityComparer<T>? Read(ref WireReader reader) => reader.ReadByte() switch
    {
        Default => null,
        Ordinal when typeof(T) == typeof(string) => (IEqualityComparer<T>)StringComparer.Ordinal,
        OrdinalIgnoreCase when typeof(T) == typeof(string) => (IEqualityComparer<T>)StringComparer.OrdinalIgnoreCase,
        Other => _other.Read(ref reader),
        _ => throw WireReader.Malformed($"an unknown comparer of {typeof(T)}"),
    };

    private void WriteOther(WireWriter writer, IEqualityComparer<T> comparer)
    {
        writer.WriteByte(Other);
        _other.Write(writer, comparer);
    }
}

internal sealed class DictionaryCodec<TKey, TValue>(CodecProvider provider) : Codec<Dictionary<TKey, TValue>>
    where TKey : notnull
{
    private readonly ComparerCodec<TKey> _comparer = new(provider);
    private readonly Codec<TKey> _key = provider.Slot<TKey>();
    private readonly Codec<TValue> _value = provider.Slot<TValue>();

    public override bool IsTracked => true;

    public override void Write(WireWriter writer, Dictionary<TKey, TValue> value)
    {
        _comparer.Write(writer, value.Comparer);
        writer.WriteVarint((ulong)value.Count);
        foreach (var (key, item) in value)
        {
            _key.Write(writer, key);
            _value.Write(writer, item);
        }
    }

    public override Dictionary<TKey, TValue> Read(ref WireReader reader)
    {
        // The comparer may itself be a tracked object: this dictionary's place is taken up afterwards.
        var place = reader.TakePlace();
        var comparer = _comparer.Read(ref reader);
        var count = reader.ReadCount();
        var dictionary = new Dictionary<TKey, TValue>(Math.Min(count, 1024), comparer);
        reader.AnnounceAt(place, dictionary);
        for (var i = 0; i < count; i++)
        {
            var key = _key.Read(ref reader) ?? throw WireReader.Malformed("a dictionary holds the key null");
            dictionary[key] = _value.Read(ref reader);
        }

        return dictionary;
    }

    public override Dictionary<TKey, TValue> Copy(Dictionary<TKey, TValue> value, CopyContext context)
    {
        var copy = new Dictionary<TKey, TValue>(value.Count, value.Comparer);
        context.Remember(value, copy);
        foreach (var (key, item) in value)
            copy[_key.Copy(key, context)] = _value.Copy(item, context);
        return copy;
    }
}

internal sealed class HashSetCodec<T>(CodecProvider provider) : Codec<HashSet<T>>
{
    private readonly ComparerCodec<T> _comparer = new(provider);
    private readonly Codec<T> _element = provider.Slot<T>();

    public override bool IsTracked => true;

    public override void Write(WireWriter writer, HashSet<T> value)
    {
        _comparer.Write(writer, value.Comparer);
        writer.WriteVarint((ulong)value.Count);
        foreach (var item in value)
            _element.Write(writer, item);
    }

    public override HashSet<T> Read(ref WireReader reader)
    {
        var place = reader.TakePlace();
        var comparer = _comparer.Read(ref reader);
        var count = reader.ReadCount();
        var set = new HashSet<T>(Math.Min(count, 1024), comparer);
        reader.AnnounceAt(place, set);
        for (var i = 0; i < count; i++)
            set.Add(_element.Read(ref reader));
        return set;
    }

    public override HashSet<T> Copy(HashSet<T> value, CopyContext context)
    {
        var copy = new HashSet<T>(value.Count, value.Comparer);
        context.Remember(value, copy);
        foreach (var item in value)
            copy.Add(_element.Copy(item, context));
        return copy;
    }
}
