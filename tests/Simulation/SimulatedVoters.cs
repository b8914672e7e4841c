using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Grains.Consensus;

namespace Watch.Simulation.Tests;

/// <summary>Makes the nodes of a simulated cluster voters.</summary>
internal static class SimulatedVoters
{
    /// <summary>Makes every node a voter of every group, one after the other.</summary>
    public static async Task MakeAllVotersAsync(this SimulatedCluster cluster)
    {
        var replicas = cluster.World.Silos
            .Select(silo => silo.Services.GetRequiredService<IReplicaServiceClient>().At(silo.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress))
            .ToList();
        foreach (var replica in replicas.Skip(1))
        {
            var node = (await replica.Describe(BucketId.Default)).Node;
            foreach (var group in new[] { GroupId.System, GroupId.Default })
            {
                await ChangeAsync(cluster, replicas[0], group, new MembershipChange(MembershipChangeKind.AddLearner, node));
                await ChangeAsync(cluster, replicas[0], group, new MembershipChange(MembershipChangeKind.Promote, node));
            }
        }
    }

    private static async Task ChangeAsync(SimulatedCluster cluster, IReplicaService leader, GroupId group, MembershipChange change)
    {
        MembershipOutcome outcome;
        while ((outcome = (await leader.ChangeMembers(group, change)).Outcome) is MembershipOutcome.TooEarly or MembershipOutcome.ChangeUnderWay or MembershipOutcome.NotCaughtUp)
            await cluster.PassAsync(TimeSpan.FromMilliseconds(1));
        Assert.Equal(MembershipOutcome.Appended, outcome);
    }
}
