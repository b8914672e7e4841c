using System.Collections.Immutable;
using Orleans;
using Orleans.Runtime;
using Orleans.Runtime.Services;
using Orleans.Services;
using Watch.Core;
using Watch.Grains.Publishing;

namespace Watch.Grains.Watching;

/// <summary>Where a silo is told of changes that it watches; one per silo, addressed by silo.</summary>
[Alias("watch.IWatchDispatcherService")]
internal interface IWatchDispatcherService : IGrainService
{
    /// <summary>Takes events; they may be repeated, late, or in any order.</summary>
    [Alias("Deliver"), ResponseTimeout("00:00:02")]
    Task Deliver(ImmutableArray<ScopeEvent> events);

    /// <summary>
    /// What this silo watches of some buckets, for a leader that has just come to lead them. A bucket of which nothing is watched is left
    /// out; so are scopes beyond <see cref="WatchDispatcher.ScopesTextBytesMax"/>, which register with the next progress question.
    /// </summary>
    [Alias("ScopesOf"), ResponseTimeout("00:00:01")]
    Task<ImmutableArray<BucketScopes>> ScopesOf(ImmutableArray<BucketId> buckets);

    /// <summary>This silo's watches, for people; one more than asked for where there are more.</summary>
    [Alias("Describe"), ResponseTimeout("00:00:01")]
    Task<ImmutableArray<WatcherInfo>> Describe(WatchersQuestion question);

    /// <summary>Ends a watch for an operator; false where there is none of that number.</summary>
    [Alias("EndWatch"), ResponseTimeout("00:00:02")]
    Task<bool> EndWatch(long id);
}

/// <summary>What a silo watches of a bucket.</summary>
[GenerateSerializer, Immutable, Alias("watch.BucketScopes")]
internal sealed record BucketScopes([property: Id(0)] BucketId Bucket, [property: Id(1)] ImmutableArray<Scope> Scopes);

/// <summary>Reaches the dispatcher of a silo.</summary>
internal interface IWatchDispatcherClient : IGrainServiceClient<IWatchDispatcherService>
{
    /// <summary>The dispatcher of this silo.</summary>
    IWatchDispatcherService At(SiloAddress silo);
}

/// <inheritdoc cref="IWatchDispatcherClient"/>
internal sealed class WatchDispatcherClient(IServiceProvider services) : GrainServiceClient<IWatchDispatcherService>(services), IWatchDispatcherClient
{
    public IWatchDispatcherService At(SiloAddress silo) => GetGrainService(silo);
}
