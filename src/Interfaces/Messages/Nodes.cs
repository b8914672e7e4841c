using System.Collections.Immutable;
using Orleans;

namespace Watch;

/// <summary>What a node is to a group.</summary>
[GenerateSerializer, Alias("watch.NodeRole")]
public enum NodeRole
{
    /// <summary>It does not belong to it.</summary>
    None = 0,

    /// <summary>It is sent the log and has no vote.</summary>
    Learner = 1,

    /// <summary>It votes.</summary>
    Voter = 2,

    /// <summary>It votes and orders the writes.</summary>
    Leader = 3,
}

/// <summary>Where a node is on its way.</summary>
[GenerateSerializer, Alias("watch.NodeStanding")]
public enum NodeStanding
{
    /// <summary>It was added and does not vote in every group yet.</summary>
    Joining = 0,

    /// <summary>It votes in every group.</summary>
    Member = 1,

    /// <summary>It is being removed.</summary>
    Leaving = 2,
}

/// <summary>A node's part in a group.</summary>
/// <param name="Group">The group: <c>system</c>, or the name of the bucket that it holds.</param>
/// <param name="Role">What the node is to it.</param>
/// <param name="Index">Up to which entry of the group's log the node knows everything to be committed; 0 where it does not answer.</param>
/// <param name="Lag">How many entries of the leader's log it lacked at about the same moment.</param>
[GenerateSerializer, Immutable, Alias("watch.NodeGroup")]
public sealed record NodeGroup(
    [property: Id(0)] string Group,
    [property: Id(1)] NodeRole Role,
    [property: Id(2)] long Index,
    [property: Id(3)] long Lag);

/// <summary>A node of the cluster.</summary>
[GenerateSerializer, Immutable, Alias("watch.ClusterNode")]
public sealed record ClusterNode
{
    /// <summary>Its name, chosen by an operator.</summary>
    [Id(0)]
    public string Name { get; init; } = "";

    /// <summary>Its number: 32 hexadecimal digits, drawn when its data folder was new. Another folder is another node.</summary>
    [Id(1)]
    public string Id { get; init; } = "";

    /// <summary>Where it is on its way.</summary>
    [Id(2)]
    public NodeStanding Standing { get; init; }

    /// <summary>The address of its silo; empty where it does not answer.</summary>
    [Id(3)]
    public string Silo { get; init; } = "";

    /// <summary>Whether its silo answered, within a second, and its replicas work: a node whose disk failed is not reachable.</summary>
    [Id(4)]
    public bool IsReachable { get; init; }

    /// <summary>The groups that it belongs to.</summary>
    [Id(5)]
    public ImmutableArray<NodeGroup> Groups { get; init; } = [];
}

/// <summary>Who leads a group.</summary>
/// <param name="Group">The group: <c>system</c>, or the name of the bucket that it holds.</param>
/// <param name="Node">The leader's name.</param>
/// <param name="Term">The term in which it leads.</param>
[GenerateSerializer, Immutable, Alias("watch.GroupLeader")]
public sealed record GroupLeader([property: Id(0)] string Group, [property: Id(1)] string Node, [property: Id(2)] long Term);

/// <summary>The nodes of the cluster, as the silos that answered described them at about one moment.</summary>
[GenerateSerializer, Immutable, Alias("watch.ClusterNodes")]
public sealed record ClusterNodes
{
    /// <summary>What the group is called that holds the catalogue; the others have the names of their buckets.</summary>
    public const string SystemGroup = "system";

    /// <summary>The cluster's incarnation; empty where nobody who answers belongs to one.</summary>
    [Id(0)]
    public string Incarnation { get; init; } = "";

    /// <summary>The nodes, by name.</summary>
    [Id(1)]
    public ImmutableArray<ClusterNode> Nodes { get; init; } = [];

    /// <summary>Who leads each group; a group is missing while nobody is known to lead it.</summary>
    [Id(2)]
    public ImmutableArray<GroupLeader> Leaders { get; init; } = [];

    /// <summary>The names of the silos that answer and hold no node of the cluster: they can be added.</summary>
    [Id(3)]
    public ImmutableArray<string> OtherSilos { get; init; } = [];

    /// <summary>Why a node that is to come or to go does not, in words; empty where all goes on, or all is done.</summary>
    [Id(4)]
    public ImmutableArray<string> Waits { get; init; } = [];

    /// <summary>Up to which entry of the system group's log the sight goes: of two, the one with the higher number is the newer.</summary>
    [Id(5)]
    public long Index { get; init; }

    /// <summary>
    /// What <see cref="IWatchCluster.WatchNodesAsync"/> looks at: who belongs to what, who leads in which term, who answers. Equal texts
    /// mean that nothing of this changed; how far logs are is no part of it.
    /// </summary>
    public string Fingerprint() => string.Join(
        '\n',
        [
            Incarnation,
            .. Nodes.Select(node => $"{node.Name} {node.Id} {node.Standing} {node.Silo} {node.IsReachable} {string.Join(' ', node.Groups.Select(each => $"{each.Group}={each.Role}"))}"),
            .. Leaders.Select(each => $"{each.Group} {each.Node} {each.Term}"),
            .. OtherSilos,
            .. Waits,
        ]);
}
