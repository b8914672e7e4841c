// Messages of the embedded host: how values become bytes, values again, or copies.
//
// A message is one value (or several in a row). A value is written by the codec of its declared type:
//
//   number, time, guid   varint (signed ones zigzag) or 4, 8 or 16 bytes, little-endian
//   text, bytes          varint of length + 1 (0 is null), then UTF-8 or the bytes
//   other objects        one byte: null | as declared | + type name | seen before + where | reference + text
//                        then the body
//   marked object        per level of inheritance: members in the order of their keys, then an end mark
//   member               varint(key << 3 | wire type), then the value, with its length if it has inner structure
//   collection           varint of the count, then the elements
//
// S1  A reader steps over members that it does not know; members may be added on either side first.
// S2  An object that is met twice is written once; cycles are allowed. "Where" is the offset of the
//     body in the message, so that even an object inside a skipped member can still be found.
// S3  Only types of the manifest are named, and only those with a codec are created.
// S4  No input makes a reader do more than throw a SerializerException: lengths are checked against
//     what is there, depth and the number of new types are limited.
// S5  A copy behaves like writing and reading, except that what is immutable is shared.
using System.Buffers;
using Orleans.Serialization;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Serialization;

/// <summary>Writes, reads and copies messages. Safe for use by several threads at once.</summary>
public sealed class EmbeddedSerializer : IMessageCopier
{
    private readonly TypeManifest _manifest;
    private readonly CodecProvider _provider;
    private readonly Codec<object?> _any;

    /// <summary>A serializer with the default limits.</summary>
    public EmbeddedSerializer()
        : this(new SerializerLimits())
    {
    }

    /// <summary>A serializer with limits of its own.</summary>
    public EmbeddedSerializer(SerializerLimits limits)
    {
        ArgumentNullException.ThrowIfNull(limits);
        _manifest = new TypeManifest(limits.ConstructedTypesMax);
        _provider = new CodecProvider(_manifest, limits);
        _any = _provider.Slot<object?>();
    }

    /// <summary>How references to grains and observers travel; without it they cannot.</summary>
    public IReferenceCodec? References
    {
        get => _provider.References;
        set => _provider.References = value;
    }

    /// <summary>Writes a value together with the name of its type.</summary>
    public void Write(IBufferWriter<byte> output, object? value) => Write(output, _any, value);

    /// <summary>Writes a value that will be read as a <typeparamref name="T"/>.</summary>
    public void WriteAs<T>(IBufferWriter<byte> output, T value) => Write(output, _provider.Slot<T>(), value);

    /// <summary>Writes values that will be read with the same list of declared types. CancellationToken takes no space.</summary>
    public void WriteAll(IBufferWriter<byte> output, ReadOnlySpan<Type> declared, ReadOnlySpan<object?> values)
    {
        if (declared.Length != values.Length)
            throw new ArgumentException($"{values.Length} values for {declared.Length} declared types.", nameof(values));
        var writer = WireWriter.Rent(_provider.Limits, _manifest);
        try
        {
            for (var i = 0; i < values.Length; i++)
            {
                if (declared[i] != typeof(CancellationToken))
                    _provider.Slot(declared[i]).WriteObject(writer, values[i]!);
            }

            Finish(output, writer);
        }
        finally
        {
            writer.Return();
        }
    }

    /// <summary>Reads what <see cref="Write(IBufferWriter{byte}, object?)"/> wrote.</summary>
    public object? Read(ReadOnlySpan<byte> input) => Read(input, _any);

    /// <summary>Reads what <see cref="Write(IBufferWriter{byte}, object?)"/> wrote.</summary>
    public object? Read(ReadOnlySequence<byte> input) => input.IsSingleSegment ? Read(input.FirstSpan) : Read(input.ToArray());

    /// <summary>Reads what <see cref="WriteAs{T}"/> wrote.</summary>
    public T ReadAs<T>(ReadOnlySpan<byte> input) => Read(input, _provider.Slot<T>());

    /// <summary>Reads what <see cref="WriteAll"/> wrote.</summary>
    public object?[] ReadAll(ReadOnlySpan<byte> input, ReadOnlySpan<Type> declared)
    {
        var values = new object?[declared.Length];
        var objects = ReadObjects.Rent();
        try
        {
            var reader = new WireReader(input, _provider.Limits, _manifest, objects);
            for (var i = 0; i < values.Length; i++)
            {
                if (declared[i] != typeof(CancellationToken))
                    values[i] = _provider.Slot(declared[i]).ReadObject(ref reader);
            }

            RequireEnd(reader);
            return values;
        }
        catch (Exception e) when (e is not SerializerException)
        {
            throw Wrapped(e);
        }
        finally
        {
            objects.Return();
        }
    }

    /// <summary>A deep copy; what is immutable is shared.</summary>
    public object? Copy(object? value)
    {
        if (value is null || value is CancellationToken)
            return value;
        var codec = _provider.GetForCopy(value);
        return codec.IsShared ? value : CopyWith(codec, value);
    }

    private static object CopyWith(Codec codec, object value)
    {
        var context = CopyContext.Rent();
        try
        {
            return codec.CopyObject(value, context);
        }
        finally
        {
            context.Return();
        }
    }

    private void Write<T>(IBufferWriter<byte> output, Codec<T> codec, T value)
    {
        ArgumentNullException.ThrowIfNull(output);
        var writer = WireWriter.Rent(_provider.Limits, _manifest);
        try
        {
            codec.Write(writer, value);
            Finish(output, writer);
        }
        finally
        {
            writer.Return();
        }
    }

    private void Finish(IBufferWriter<byte> output, WireWriter writer)
    {
        var written = writer.Written;
        if (written.Length > _provider.Limits.MessageBytesMax)
            throw new SerializerException($"A message of {written.Length} bytes exceeds the limit of {_provider.Limits.MessageBytesMax}.");
        output.Write(written);
    }

    private T Read<T>(ReadOnlySpan<byte> input, Codec<T> codec)
    {
        var objects = ReadObjects.Rent();
        try
        {
            var reader = new WireReader(input, _provider.Limits, _manifest, objects);
            var value = codec.Read(ref reader);
            RequireEnd(reader);
            return value;
        }
        catch (Exception e) when (e is not SerializerException)
        {
            throw Wrapped(e);
        }
        finally
        {
            objects.Return();
        }
    }

    private static void RequireEnd(in WireReader reader)
    {
        if (reader.Remaining > 0)
            throw WireReader.Malformed($"{reader.Remaining} bytes follow its end");
    }

    /// <summary>What a setter, a converter or a constructor made of bad values: still the message's fault.</summary>
    private static MalformedMessageException Wrapped(Exception e) => new($"Malformed message: {e.Message}", e);
}
