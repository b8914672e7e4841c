using System.Collections.Immutable;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Grains.Consensus;

namespace Watch.Cluster.Tests;

/// <summary>Makes the nodes of a cluster voters, and says who leads.</summary>
internal static class Voters
{
    private static readonly ImmutableArray<GroupId> s_groups = [GroupId.System, GroupId.Default];

    /// <summary>Makes every silo's node a voter of every group: the node of the first silo is the only one until now.</summary>
    public static async Task MakeAllVotersAsync(this WatchCluster cluster)
    {
        var silos = cluster.Silos.Select(silo => silo.SiloAddress).ToList();
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        foreach (var silo in silos.Skip(1))
        {
            var node = (await cluster.Replica(silo).Describe(BucketId.Default)).Node;
            foreach (var group in s_groups)
            {
                await cluster.ChangeAsync(group, new MembershipChange(MembershipChangeKind.AddLearner, node), known => known.Learners.Contains(node) || known.Voters.Contains(node), patience.Token);
                await cluster.ChangeAsync(group, new MembershipChange(MembershipChangeKind.Promote, node), known => known.Voters.Contains(node), patience.Token);
            }
        }

        foreach (var silo in silos)
            foreach (var group in s_groups)
                while (await cluster.Replica(silo).DescribeGroup(group) is not { MembersCommitted: true, Learners: [] } known || known.Voters.Length != silos.Count)
                    patience.Token.ThrowIfCancellationRequested();
    }

    /// <summary>Which of the silos that run leads the default bucket.</summary>
    public static async Task<int> LeaderAsync(this WatchCluster cluster)
    {
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        while (true)
        {
            for (var at = 0; at < cluster.Silos.Count; at++)
                if ((await cluster.Replica(cluster.Silos[at].SiloAddress).Describe(BucketId.Default)).Leads)
                    return at;
            patience.Token.ThrowIfCancellationRequested();
        }
    }

    /// <summary>A silo's replica service.</summary>
    public static IReplicaService Replica(this WatchCluster cluster, SiloAddress silo) =>
        cluster.Host.GetSiloServiceProvider(silo).GetRequiredService<IReplicaServiceClient>().At(silo);

    /// <summary>Asks whoever leads until the change has committed: on a busy machine the lead may move in the middle of it, and the change with it be lost.</summary>
    private static async Task ChangeAsync(this WatchCluster cluster, GroupId group, MembershipChange change, Func<GroupDescription, bool> isDone, CancellationToken patience)
    {
        while (true)
        {
            foreach (var silo in cluster.Silos)
            {
                var replica = cluster.Replica(silo.SiloAddress);
                if (await replica.DescribeGroup(group) is { Leads: true, MembersCommitted: true } known && isDone(known))
                    return;
                await replica.ChangeMembers(group, change);
                patience.ThrowIfCancellationRequested();
            }
        }
    }
}
