using Watch.Core;
using Watch.Core.Consensus;

namespace Watch.Grains.Consensus;

/// <summary>What concerns the nodes of the cluster themselves: the driver does it, in the replica's turns.</summary>
internal sealed partial class ReplicaService
{
    public Task BeginNodes() => _nodes.BeginAsync();

    public Task<NodeReport> DescribeNode() => Task.FromResult(_nodes.Report());

    public Task<NodeWishReply> WishNode(NodeWishRequest request) => _nodes.WishAsync(request);

    public Task<LeaderReply> HandOver(GroupId group, NodeId to) => Task.FromResult(_nodes.HandOver(group, to));

    public Task HearRemoved(NodeId node)
    {
        _nodes.HearRemoved(node);
        return Task.CompletedTask;
    }
}
