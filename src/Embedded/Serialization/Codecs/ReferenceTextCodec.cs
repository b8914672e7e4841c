namespace Watch.Embedded.Serialization;

/// <summary>References to grains and observers: text on the wire, shared within the process.</summary>
internal sealed class ReferenceTextCodec(CodecProvider provider) : Codec<object>
{
    public override bool IsShared => true;

    public override void Write(WireWriter writer, object value) => writer.WriteString(provider.FormatReference(value));

    public override object Read(ref WireReader reader) =>
        throw WireReader.Malformed("a reference stands where none can be");

    public override object Copy(object value, CopyContext context) => value;
}
