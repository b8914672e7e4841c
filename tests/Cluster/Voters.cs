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
        foreach (var silo in cluster.Silos.Skip(1))
            await cluster.Nodes.AddNodeAsync(silo.Name).WaitAsync(WatchCluster.Patience);

        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        foreach (var silo in cluster.Silos)
            foreach (var group in s_groups)
                while (await cluster.Replica(silo.SiloAddress).DescribeGroup(group) is not { MembersCommitted: true, Learners: [] } known || known.Voters.Length != cluster.Silos.Count)
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
}
