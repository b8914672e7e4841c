using System.Collections.Immutable;
using Orleans;
using Orleans.Runtime;
using Orleans.Runtime.Services;
using Orleans.Services;
using Watch.Grains.Publishing;

namespace Watch.Grains.Watching;

/// <summary>Where a silo is told of changes that it watches; one per silo, addressed by silo.</summary>
[Alias("watch.IWatchDispatcherService")]
internal interface IWatchDispatcherService : IGrainService
{
    /// <summary>Takes events; they may be repeated, late, or in any order.</summary>
    [Alias("Deliver"), ResponseTimeout("00:00:02")]
    Task Deliver(ImmutableArray<ScopeEvent> events);
}

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
