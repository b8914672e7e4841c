using Orleans;
using Watch.Core;
using Watch.Core.Consensus;

namespace Watch.Grains.Consensus;

/// <summary>How a <see cref="NodeId"/> travels between silos.</summary>
[GenerateSerializer, Immutable, Alias("watch.NodeId")]
internal readonly struct NodeIdSurrogate(UInt128 value)
{
    [Id(0)]
    public readonly UInt128 Value = value;
}

/// <summary>Converts a <see cref="NodeId"/> to and from its surrogate.</summary>
[RegisterConverter]
internal sealed class NodeIdConverter : IConverter<NodeId, NodeIdSurrogate>
{
    public NodeId ConvertFromSurrogate(in NodeIdSurrogate surrogate) => new(surrogate.Value);

    public NodeIdSurrogate ConvertToSurrogate(in NodeId value) => new(value.Value);
}

/// <summary>How a <see cref="GroupId"/> travels between silos.</summary>
[GenerateSerializer, Immutable, Alias("watch.GroupId")]
internal readonly struct GroupIdSurrogate(int value)
{
    [Id(0)]
    public readonly int Value = value;
}

/// <summary>Converts a <see cref="GroupId"/> to and from its surrogate.</summary>
[RegisterConverter]
internal sealed class GroupIdConverter : IConverter<GroupId, GroupIdSurrogate>
{
    public GroupId ConvertFromSurrogate(in GroupIdSurrogate surrogate) => new(surrogate.Value);

    public GroupIdSurrogate ConvertToSurrogate(in GroupId value) => new(value.Value);
}

/// <summary>How a <see cref="MembershipChange"/> travels between silos.</summary>
[GenerateSerializer, Immutable, Alias("watch.MembershipChange")]
internal readonly struct MembershipChangeSurrogate(int kind, UInt128 node)
{
    [Id(0)]
    public readonly int Kind = kind;

    [Id(1)]
    public readonly UInt128 Node = node;
}

/// <summary>Converts a <see cref="MembershipChange"/> to and from its surrogate.</summary>
[RegisterConverter]
internal sealed class MembershipChangeConverter : IConverter<MembershipChange, MembershipChangeSurrogate>
{
    public MembershipChange ConvertFromSurrogate(in MembershipChangeSurrogate surrogate) => new((MembershipChangeKind)surrogate.Kind, new NodeId(surrogate.Node));

    public MembershipChangeSurrogate ConvertToSurrogate(in MembershipChange value) => new((int)value.Kind, value.Node.Value);
}
