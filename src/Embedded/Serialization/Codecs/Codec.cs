namespace Watch.Embedded.Serialization;

/// <summary>
/// Writes, reads and copies the values of one type. A codec deals with the body of a value; whether
/// there is one, of which type, and whether it was met before is the business of <see cref="SlotCodec{T}"/>.
/// </summary>
internal abstract class Codec
{
    /// <summary>The type whose name stands for these values in messages.</summary>
    public abstract Type NamedType { get; }

    public virtual WireType WireType => WireType.Sized;

    /// <summary>Values may be shared instead of copied.</summary>
    public virtual bool IsShared => false;

    /// <summary>Objects whose identity matters: a second mention refers to the first.</summary>
    public virtual bool IsTracked => false;

    public abstract void WriteObject(WireWriter writer, object value);

    public abstract object ReadObject(ref WireReader reader);

    public abstract object CopyObject(object value, CopyContext context);
}

internal abstract class Codec<T> : Codec
{
    public override Type NamedType => typeof(T);

    public abstract void Write(WireWriter writer, T value);

    public abstract T Read(ref WireReader reader);

    public abstract T Copy(T value, CopyContext context);

    public sealed override void WriteObject(WireWriter writer, object value) => Write(writer, (T)value);

    public sealed override object ReadObject(ref WireReader reader) => Read(ref reader)!;

    public sealed override object CopyObject(object value, CopyContext context) => Copy((T)value, context)!;
}

internal delegate T ReadValue<out T>(ref WireReader reader);

/// <summary>A type without inner structure: two functions, and nothing to copy.</summary>
internal sealed class SimpleCodec<T>(WireType wireType, Action<WireWriter, T> write, ReadValue<T> read) : Codec<T>
{
    public override WireType WireType => wireType;

    public override bool IsShared => true;

    public override void Write(WireWriter writer, T value) => write(writer, value);

    public override T Read(ref WireReader reader) => read(ref reader);

    public override T Copy(T value, CopyContext context) => value;
}
