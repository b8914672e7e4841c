using System.Collections.Immutable;
using Orleans;
using Watch.Core;
using Watch.Core.Consensus;

namespace Watch.Grains.Consensus;

/// <summary>What concerns the nodes of the cluster themselves.</summary>
internal partial interface IReplicaService
{
    /// <summary>Starts looking after the cluster's nodes. Called once, by the silo itself, after <see cref="Begin"/>.</summary>
    [Alias("BeginNodes"), ResponseTimeout("00:01:00")]
    Task BeginNodes();

    /// <summary>Who this node is, what it knows of the cluster's nodes, and where its replicas are; answered by every node at any time.</summary>
    [Alias("DescribeNode"), ResponseTimeout("00:00:01")]
    Task<NodeReport> DescribeNode();

    /// <summary>
    /// Records that a node is to come or to go, or refuses. Answered by the leader of the system group, when the wish has committed; that it
    /// is fulfilled shows in <see cref="DescribeNode"/>. Asking again is harmless, however late (W4).
    /// </summary>
    [Alias("WishNode"), ResponseTimeout("00:00:10")]
    Task<NodeWishReply> WishNode(NodeWishRequest request);

    /// <summary>Hands leadership of a group over to another voter. Answered when that has begun.</summary>
    [Alias("HandOver"), ResponseTimeout("00:00:02")]
    Task<LeaderReply> HandOver(GroupId group, NodeId to);

    /// <summary>Tells a node that it was removed from the cluster.</summary>
    [Alias("HearRemoved"), ResponseTimeout("00:00:02")]
    Task HearRemoved(NodeId node);
}

/// <summary>A wish of <see cref="NodeWish"/>.</summary>
/// <param name="Name">The node's name.</param>
/// <param name="Leaves">Whether it is to go; else it is to come.</param>
/// <param name="Force">Record it though it cannot be fulfilled now.</param>
/// <param name="Id">The number of the node that is to go; empty, or null from a silo that does not know of it, for none.</param>
[GenerateSerializer, Immutable, Alias("watch.NodeWishRequest")]
internal sealed record NodeWishRequest([property: Id(0)] string Name, [property: Id(1)] bool Leaves, [property: Id(2)] bool Force, [property: Id(3)] string? Id = "")
{
    /// <summary>Up to which entry of the system group's log its teller had seen the catalogue; 0, of a silo that does not say, counts as nothing seen.</summary>
    [Id(4)]
    public long Seen { get; init; }
}

/// <summary>What became of a wish.</summary>
[GenerateSerializer, Immutable, Alias("watch.NodeWishReply")]
internal sealed record NodeWishReply : LeaderReply
{
    /// <summary>Why nothing was recorded, as the number of a <see cref="WatchErrorCode"/>; 0 where it was.</summary>
    [Id(0)]
    public int Error { get; init; }

    /// <summary>That in words.</summary>
    [Id(1)]
    public string Message { get; init; } = "";

    /// <summary>Up to which entry of the system group's log the wish is recorded.</summary>
    [Id(2)]
    public long Index { get; init; }
}

/// <summary>A node of the catalogue.</summary>
/// <param name="Node">Its number.</param>
/// <param name="Name">Its name.</param>
/// <param name="IsLeaving">Whether it is to belong to no group any more.</param>
[GenerateSerializer, Immutable, Alias("watch.NamedNode")]
internal sealed record NamedNode([property: Id(0)] NodeId Node, [property: Id(1)] string Name, [property: Id(2)] bool IsLeaving);

/// <summary>One replica.</summary>
/// <param name="Group">Its group.</param>
/// <param name="Name">The name of the bucket, or <c>system</c>.</param>
/// <param name="About">What it knows.</param>
[GenerateSerializer, Immutable, Alias("watch.NamedGroup")]
internal sealed record NamedGroup([property: Id(0)] GroupId Group, [property: Id(1)] string Name, [property: Id(2)] GroupDescription About);

/// <summary>What a node says of itself and of the cluster.</summary>
[GenerateSerializer, Immutable, Alias("watch.NodeReport")]
internal sealed record NodeReport
{
    /// <summary>Its number.</summary>
    [Id(0)]
    public NodeId Node { get; init; }

    /// <summary>Its name.</summary>
    [Id(1)]
    public string Name { get; init; } = "";

    /// <summary>The incarnation of its cluster; empty for none.</summary>
    [Id(2)]
    public string Incarnation { get; init; } = "";

    /// <summary>The nodes of its catalogue.</summary>
    [Id(3)]
    public ImmutableArray<NamedNode> Nodes { get; init; } = [];

    /// <summary>The numbers of the nodes that its catalogue knows to be removed.</summary>
    [Id(4)]
    public ImmutableArray<NodeId> Removed { get; init; } = [];

    /// <summary>Its replicas.</summary>
    [Id(5)]
    public ImmutableArray<NamedGroup> Groups { get; init; } = [];

    /// <summary>What its driver, if it has one, waits for.</summary>
    [Id(6)]
    public ImmutableArray<string> Waits { get; init; } = [];

    /// <summary>Why its replicas do nothing though its silo answers; empty where they work.</summary>
    [Id(7)]
    public string Unavailable { get; init; } = "";

    /// <summary>Up to which entry of the system group's log its catalogue goes.</summary>
    [Id(8)]
    public long CatalogueIndex { get; init; }
}
