namespace Watch.Embedded.Serialization;

/// <summary>What codecs of marked types can do beside a codec's work: fill an object that exists already.</summary>
internal interface IMembersCodec
{
    void WriteMembers(WireWriter writer, object value);

    void ReadMembers(ref WireReader reader, object value);
}

/// <summary>
/// A type with numbered members: level by level from the base down, each member as key, wire type and
/// value, each level closed by an end mark. Members that the reader does not know are stepped over;
/// members that the writer did not know keep what the constructor gave them.
/// </summary>
internal sealed class ObjectCodec<T> : Codec<T>, IMembersCodec
{
    private readonly MemberCodec<T>[][] _levels;
    private readonly Func<T> _create = Accessors.CreateActivator<T>();
    private readonly bool _immutable;
    private bool? _shared;

    public ObjectCodec(CodecProvider provider)
    {
        _immutable = provider.IsImmutable(typeof(T));
        _levels = [.. Contract.LevelsOf(typeof(T)).Select(level => level.Select(m => CreateMember(provider, m)).ToArray())];
    }

    public override bool IsTracked => !typeof(T).IsValueType;

    public override bool IsShared => _immutable || (typeof(T).IsValueType && AllMembersShared());

    public override void Write(WireWriter writer, T value)
    {
        foreach (var level in _levels)
        {
            foreach (var member in level)
                member.Write(writer, ref value);
            writer.WriteByte((byte)WireType.End);
        }
    }

    public override T Read(ref WireReader reader)
    {
        var value = _create();
        if (!typeof(T).IsValueType)
            reader.Announce(value!);
        foreach (var level in _levels)
            ReadLevel(ref reader, level, ref value);
        return value;
    }

    public override T Copy(T value, CopyContext context)
    {
        if (IsShared)
            return value;

        // A struct's copy is there already, but for what it refers to.
        var copy = typeof(T).IsValueType ? value : _create();
        if (!typeof(T).IsValueType)
            context.Remember(value!, copy!);
        foreach (var level in _levels)
        {
            foreach (var member in level)
                member.Copy(ref value, ref copy, context);
        }

        return copy;
    }

    public void WriteMembers(WireWriter writer, object value) => Write(writer, (T)value);

    public void ReadMembers(ref WireReader reader, object value)
    {
        var owner = (T)value;
        foreach (var level in _levels)
            ReadLevel(ref reader, level, ref owner);
    }

    private static void ReadLevel(ref WireReader reader, MemberCodec<T>[] members, ref T value)
    {
        var next = 0;
        while (true)
        {
            var header = reader.ReadVarint();
            var wireType = (WireType)(header & 7);
            if (wireType == WireType.End)
                return;

            // Members come in the order of their keys, so the search never goes back.
            var key = header >> 3;
            while (next < members.Length && members[next].Key < key)
                next++;
            if (next < members.Length && members[next].Key == key)
                members[next++].Read(ref reader, wireType, ref value);
            else
                reader.Skip(wireType);
        }
    }

    private bool AllMembersShared()
    {
        if (_shared is { } known)
            return known;

        // A struct may hold itself by way of an array: while it is being asked, the answer is the careful one.
        _shared = false;
        _shared = Array.TrueForAll(_levels, level => Array.TrueForAll(level, member => member.IsShared));
        return _shared.Value;
    }

    private static MemberCodec<T> CreateMember(CodecProvider provider, ContractMember member) =>
        (MemberCodec<T>)Activator.CreateInstance(typeof(MemberCodec<,>).MakeGenericType(typeof(T), member.Type), provider, member)!;
}
