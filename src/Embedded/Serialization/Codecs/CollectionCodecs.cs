namespace Watch.Embedded.Serialization;

/// <summary>Plain bytes, written at one stroke. Their identity matters, since they can be changed.</summary>
internal sealed class ByteArrayCodec : Codec<byte[]>
{
    public override WireType WireType => WireType.Bytes;

    public override bool IsTracked => true;

    public override void Write(WireWriter writer, byte[] value) => writer.WriteBytes(value);

    public override byte[] Read(ref WireReader reader) => reader.ReadBytes().ToArray();

    public override byte[] Copy(byte[] value, CopyContext context)
    {
        var copy = value.AsSpan().ToArray();
        context.Remember(value, copy);
        return copy;
    }
}

internal sealed class ReadOnlyMemoryCodec : Codec<ReadOnlyMemory<byte>>
{
    public override WireType WireType => WireType.Bytes;

    public override void Write(WireWriter writer, ReadOnlyMemory<byte> value) => writer.WriteBytes(value.Span);

    public override ReadOnlyMemory<byte> Read(ref WireReader reader) => reader.ReadBytes().ToArray();

    public override ReadOnlyMemory<byte> Copy(ReadOnlyMemory<byte> value, CopyContext context) => value.ToArray();
}

internal sealed class MemoryCodec : Codec<Memory<byte>>
{
    public override WireType WireType => WireType.Bytes;

    public override void Write(WireWriter writer, Memory<byte> value) => writer.WriteBytes(value.Span);

    public override Memory<byte> Read(ref WireReader reader) => reader.ReadBytes().ToArray();

    public override Memory<byte> Copy(Memory<byte> value, CopyContext context) => value.ToArray();
}

internal sealed class ArrayCodec<T>(CodecProvider provider) : Codec<T[]>
{
    private readonly Codec<T> _element = provider.Slot<T>();

    public override bool IsTracked => true;

    public override void Write(WireWriter writer, T[] value)
    {
        writer.WriteVarint((ulong)value.Length);
        foreach (var item in value)
            _element.Write(writer, item);
    }

    public override T[] Read(ref WireReader reader)
    {
        var array = new T[reader.ReadCount()];
        reader.Announce(array);
        for (var i = 0; i < array.Length; i++)
            array[i] = _element.Read(ref reader);
        return array;
    }

    public override T[] Copy(T[] value, CopyContext context)
    {
        var copy = new T[value.Length];
        context.Remember(value, copy);
        if (_element.IsShared)
        {
            value.AsSpan().CopyTo(copy);
            return copy;
        }

        for (var i = 0; i < copy.Length; i++)
            copy[i] = _element.Copy(value[i], context);
        return copy;
    }
}

/// <summary>Collections that are made empty and filled one element after another.</summary>
internal abstract class FilledCodec<TCollection, T>(CodecProvider provider) : Codec<TCollection>
    where TCollection : class, IEnumerable<T>
{
    private readonly Codec<T> _element = provider.Slot<T>();

    public override bool IsTracked => true;

    protected abstract int CountOf(TCollection value);

    protected abstract TCollection Create(int capacity);

    protected abstract void Add(TCollection collection, T item);

    public override void Write(WireWriter writer, TCollection value)
    {
        writer.WriteVarint((ulong)CountOf(value));
        foreach (var item in value)
            _element.Write(writer, item);
    }

    public override TCollection Read(ref WireReader reader)
    {
        var count = reader.ReadCount();
        var collection = Create(Math.Min(count, 1024));
        reader.Announce(collection);
        for (var i = 0; i < count; i++)
            Add(collection, _element.Read(ref reader));
        return collection;
    }

    public override TCollection Copy(TCollection value, CopyContext context)
    {
        var copy = Create(CountOf(value));
        context.Remember(value, copy);
        foreach (var item in value)
            Add(copy, _element.IsShared ? item : _element.Copy(item, context));
        return copy;
    }
}

internal sealed class ListCodec<T>(CodecProvider provider) : FilledCodec<List<T>, T>(provider)
{
    protected override int CountOf(List<T> value) => value.Count;

    protected override List<T> Create(int capacity) => new(capacity);

    protected override void Add(List<T> collection, T item) => collection.Add(item);
}

internal sealed class QueueCodec<T>(CodecProvider provider) : FilledCodec<Queue<T>, T>(provider)
{
    protected override int CountOf(Queue<T> value) => value.Count;

    protected override Queue<T> Create(int capacity) => new(capacity);

    protected override void Add(Queue<T> collection, T item) => collection.Enqueue(item);
}
