namespace Watch.Embedded.Serialization;

/// <summary>Writes, reads and copies one member of an object.</summary>
internal abstract class MemberCodec<TOwner>(uint key)
{
    public uint Key { get; } = key;

    public abstract bool IsShared { get; }

    public abstract void Write(WireWriter writer, ref TOwner owner);

    public abstract void Read(ref WireReader reader, WireType wireType, ref TOwner owner);

    public abstract void Copy(ref TOwner from, ref TOwner to, CopyContext context);
}

internal sealed class MemberCodec<TOwner, TMember>(CodecProvider provider, ContractMember member) : MemberCodec<TOwner>(member.Key)
{
    private readonly Getter<TOwner, TMember> _get = Accessors.CreateGetter<TOwner, TMember>(member.Read);
    private readonly Setter<TOwner, TMember> _set = Accessors.CreateSetter<TOwner, TMember>(member.Write);

    // Found on first use, because the member's type may be the owner's own.
    private Codec<TMember>? _codec;

    private Codec<TMember> Codec => _codec ??= provider.Slot<TMember>();

    public override bool IsShared => member.IsImmutable || Codec.IsShared;

    public override void Write(WireWriter writer, ref TOwner owner)
    {
        var codec = Codec;
        var wireType = codec.WireType;
        writer.WriteVarint(((ulong)Key << 3) | (uint)wireType);
        if (wireType != WireType.Sized)
        {
            codec.Write(writer, _get(ref owner));
            return;
        }

        var start = writer.BeginSized();
        codec.Write(writer, _get(ref owner));
        writer.EndSized(start);
    }

    public override void Read(ref WireReader reader, WireType wireType, ref TOwner owner)
    {
        var codec = Codec;
        if (wireType != codec.WireType)
            throw Mismatch($"was written as {wireType} and is {codec.WireType} here");
        if (wireType != WireType.Sized)
        {
            _set(ref owner, codec.Read(ref reader));
            return;
        }

        var end = reader.ReadSizedEnd();
        _set(ref owner, codec.Read(ref reader));
        if (reader.Position != end)
            throw Mismatch($"ends at byte {reader.Position} and should end at {end}");
    }

    public override void Copy(ref TOwner from, ref TOwner to, CopyContext context)
    {
        var value = _get(ref from);
        _set(ref to, IsShared ? value : Codec.Copy(value, context));
    }

    private MalformedMessageException Mismatch(string how) =>
        WireReader.Malformed($"member {Key >> 1} of {typeof(TOwner)} ({member.Read.Name}) {how}");
}
