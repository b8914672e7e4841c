using Microsoft.Extensions.DependencyInjection;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Grains.Consensus;

namespace Watch.Simulation.Tests.Faults;

/// <summary>
/// The operator who decides which nodes vote: one change at a time, asked of whoever leads, looked at again before the next. A node that
/// lost its folder is another node: the old one is removed before the new one is added.
/// </summary>
internal sealed class MemberChanges(ClusterUnderTest cluster)
{
    private static readonly GroupId[] s_groups = [GroupId.System, GroupId.Default];

    /// <summary>Whether a change is under way: then no node may lose what it has synced.</summary>
    public bool IsBusy { get; private set; }

    /// <summary>Has just these nodes vote. False where that took longer than the limit: some of it may have been done.</summary>
    public async Task<bool> ReachAsync(IReadOnlyList<NodeUnderTest> voters, TimeSpan limit)
    {
        var started = cluster.World.TimeProvider.GetTimestamp();
        while (IsBusy)
            await PauseAsync();
        IsBusy = true;
        try
        {
            foreach (var group in s_groups)
            {
                while (!IsReached(group, voters))
                {
                    if (cluster.World.TimeProvider.GetElapsedTime(started) > limit)
                        return false;
                    await StepAsync(group, voters);
                    await PauseAsync();
                }
            }

            return true;
        }
        finally
        {
            IsBusy = false;
        }
    }

    private bool IsReached(GroupId group, IReadOnlyList<NodeUnderTest> voters) =>
        LeaderOf(group) is { } leader && ReplicaOf(leader, group) is { MembersCommitted: true, Members: { Learners.Length: 0 } members }
        && members.Voters.Length == voters.Count && voters.All(node => node.Id is { } id && members.Voters.Contains(id));

    private async Task StepAsync(GroupId group, IReadOnlyList<NodeUnderTest> voters)
    {
        if (LeaderOf(group) is not { Silo: { } silo } leader || ReplicaOf(leader, group) is not { MembersCommitted: true } replica)
            return;
        if (NextChange(replica.Members, voters) is not { } change)
            return;
        cluster.World.Note("members", $"{leader.Name}, group {group}: {change.Kind} {change.Node}");
        var service = silo.Services.GetRequiredService<IReplicaServiceClient>().At(silo.Address);
        var asked = silo.RunAsync(() => service.ChangeMembers(group, change));
        await Task.WhenAny(asked, silo.Ended, cluster.PassAsync(TimeSpan.FromSeconds(6)));
    }

    private static MembershipChange? NextChange(Membership present, IReadOnlyList<NodeUnderTest> voters)
    {
        var wanted = voters.Select(node => node.Id).OfType<NodeId>().ToList();
        foreach (var id in present.All.Where(id => !wanted.Contains(id)))
            return new MembershipChange(MembershipChangeKind.Remove, id);
        foreach (var id in wanted.Where(present.Learners.Contains))
            return new MembershipChange(MembershipChangeKind.Promote, id);
        foreach (var id in wanted.Where(id => !present.All.Contains(id)))
            return new MembershipChange(MembershipChangeKind.AddLearner, id);
        return null;
    }

    private NodeUnderTest? LeaderOf(GroupId group) => cluster.Nodes.FirstOrDefault(node => node.IsUp && ReplicaOf(node, group) is { LeadsWithOwnTermCommitted: true });

    private static RaftGroup? ReplicaOf(NodeUnderTest node, GroupId group) =>
        node.IsUp ? node.Silo!.Services.GetRequiredService<Replica>().Node.Groups.GetValueOrDefault(group) : null;

    private Task PauseAsync() => cluster.PassAsync(TimeSpan.FromMilliseconds(50));
}
