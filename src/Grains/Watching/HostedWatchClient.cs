using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;
using Orleans;
using Watch.Client;
using Watch.Core;
using Watch.Grains.Consensus;

namespace Watch.Grains.Watching;

/// <summary>
/// The client of a service hosted in a silo: reads and writes go through the same grains, watches come straight from the silo's own
/// dispatcher, through the subscription's queue, without any call. So do reads of a key that the silo's own replica may answer.
/// </summary>
internal sealed class HostedWatchClient(IGrainFactory grains, WatchDispatcher dispatcher, OwnReplica own, IOptions<WatchSiloOptions> limits, IOptions<WatchClientOptions> options, TimeProvider time, IWatchRandom random)
    : GrainWatchClient(grains, options.Value, time, random, isOutside: false)
{
    // What the grain would refuse is left to it.
    private protected override bool TryGetHere(Key key, ReadPolicy policy, [NotNullWhen(true)] out GetResult? result)
    {
        result = null;
        return policy.Kind is ReadKind.Lease or ReadKind.Eventual or ReadKind.AtLeast && !key.IsEmpty && key.Length <= limits.Value.KeyBytesMax
            && own.TryGet(BucketId.Default, key, policy, out result);
    }

    private protected override async Task<IWatchFeed> OpenFeedAsync(WatchRequest request, CancellationToken cancellationToken) =>
        (HostedFeed)await dispatcher.SubscribeAsync(request, new WatchOwner("in process", null), cancellationToken);
}
