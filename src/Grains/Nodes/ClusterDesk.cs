using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Runtime;
using Watch.Core;
using Watch.Grains.Consensus;

namespace Watch.Grains.Nodes;

/// <summary>Asks all silos about the cluster's nodes, and takes wishes to whoever leads the system group.</summary>
internal sealed class ClusterDesk(IReplicaServiceClient replicas, IClusterMembershipService membership, ILocalSiloDetails local, IOptions<WatchSiloOptions> options, TimeProvider time)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    /// <summary>What all active silos say; who does not answer within a second is left out.</summary>
    public async Task<ClusterSight> LookAsync()
    {
        var silos = membership.CurrentSnapshot.Members.Values
            .Where(each => each.Status == SiloStatus.Active)
            .Select(each => each.SiloAddress)
            .Order()
            .ToList();
        // Every question handles its own failure, so they are simply awaited one behind the other: they were all asked at once.
        var asked = silos.Select(AskAsync).ToList();
        var answers = new List<(SiloAddress, NodeReport)>();
        for (var at = 0; at < asked.Count; at++)
        {
            if (await asked[at] is { } report)
                answers.Add((silos[at], report));
        }

        return new ClusterSight(answers, local.SiloAddress);
    }

    /// <summary>Has a wish recorded; asked again, of whoever leads then, until that is certain.</summary>
    /// <returns>Up to which entry of the system group's log it is recorded.</returns>
    /// <exception cref="WatchException">The wish is refused, or nobody leads.</exception>
    public async Task<long> WishAsync(NodeWishRequest request, CancellationToken cancellationToken = default)
    {
        var started = time.GetTimestamp();
        var mayBeDone = false;
        while (true)
        {
            if ((await LookAsync()).LeaderOf(GroupId.System) is { } leader)
            {
                try
                {
                    var reply = await replicas.At(leader.Silo).WishNode(request);
                    if (reply.Refusal is null)
                    {
                        if (reply.Error == 0)
                            return reply.Index;
                        // A refusal is the truth only while no earlier question may have been heard.
                        throw mayBeDone ? Unknown(request, reply.Message) : new WatchException((WatchErrorCode)reply.Error, reply.Message);
                    }
                }
                catch (Exception error) when (IsLost(error))
                {
                    mayBeDone = true;
                }
            }

            if (time.GetElapsedTime(started) >= options.Value.LeaderTimeout)
            {
                throw mayBeDone
                    ? Unknown(request, "Asking again is harmless.")
                    : new WatchException(WatchErrorCode.NoQuorum, $"No leader of the system group answered within {options.Value.LeaderTimeout}.");
            }

            await Task.Delay(s_pause, time, cancellationToken);
        }
    }

    public static bool IsLost(Exception error) => error is TimeoutException or OrleansException;

    private static WatchException Unknown(NodeWishRequest request, string then) => new(
        WatchErrorCode.OutcomeUnknown, $"The leader was lost while the wish for node '{request.Name}' was being recorded; it may have been or not. {then}");

    private async Task<NodeReport?> AskAsync(SiloAddress silo)
    {
        try
        {
            return await replicas.At(silo).DescribeNode();
        }
        catch (Exception error) when (IsLost(error))
        {
            return null;
        }
    }
}
