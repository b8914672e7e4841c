using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using Watch.Core;
using Watch.Grains.Publishing;

namespace Watch.Grains.Watching;

/// <summary>The dispatcher's door for other silos, and the turns in which its loop runs.</summary>
internal sealed class WatchDispatcherService(GrainId grainId, Silo silo, ILoggerFactory loggers, WatchDispatcher dispatcher)
    : GrainService(grainId, silo, loggers), IWatchDispatcherService
{
    private Task _loop = Task.CompletedTask;

    public Task Deliver(ImmutableArray<ScopeEvent> events)
    {
        dispatcher.Deliver(events);
        return Task.CompletedTask;
    }

    public Task<ImmutableArray<BucketScopes>> ScopesOf(ImmutableArray<BucketId> buckets) => Task.FromResult(dispatcher.ScopesOf(buckets));

    public Task<ImmutableArray<WatcherInfo>> Describe(WatchersQuestion question) => Task.FromResult(dispatcher.Describe(question));

    public Task<bool> EndWatch(long id) => Task.FromResult(dispatcher.EndWatch(id));

    public override async Task Start()
    {
        await base.Start();
        _loop = dispatcher.RunAsync();
    }

    public override async Task Stop()
    {
        // Grains still run: sessions carry the last notice to their clients before they go.
        dispatcher.Stop();
        await _loop;
        await base.Stop();
    }
}
