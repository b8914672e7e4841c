using Orleans;
using Orleans.Concurrency;
using Orleans.Configuration;
using Orleans.Runtime;
using Orleans.Streams;
using Orleans.Streams.Core;
using Watch.Grains.Publishing;

namespace Watch.Grains.Watching;

/// <summary>Marks the grain that receives a scope's stream; nobody calls it.</summary>
[Alias("watch.IWatchHubGrain")]
internal interface IWatchHubGrain : IGrainWithStringKey
{
}

/// <summary>
/// Receives the streams of the scopes whose text is its key, as far as this silo publishes to them, and has each event forwarded to the silos
/// that the event itself names. It answers the stream at once and keeps nothing at all: it is a stateless worker of the publisher's own silo,
/// so that a hub is never remote, never frozen while its publisher is not, and dies with nobody's events but its publisher's.
/// </summary>
[GrainType("watch.hub")]
[StatelessWorker(1, false)]
[ImplicitStreamSubscription(WatchStreams.KeyNamespace)]
[ImplicitStreamSubscription(WatchStreams.PrefixNamespace)]
[CollectionAgeLimit(Minutes = 2)]
internal sealed class WatchHubGrain(SiloForwarders forwarders)
    : Grain, IWatchHubGrain, IStreamSubscriptionObserver, IAsyncBatchObserver<ScopeEvent>
{
    // Always, however often it is asked: a worker that was collected has a successor without its observer.
    public Task OnSubscribed(IStreamSubscriptionHandleFactory handleFactory) =>
        handleFactory.Create<ScopeEvent>().ResumeAsync(this);

    public Task OnNextAsync(IList<SequentialItem<ScopeEvent>> items)
    {
        forwarders.Forward(items);
        return Task.CompletedTask;
    }

    public Task OnCompletedAsync() => Task.CompletedTask;

    // The stream says that it lost something; the chain will say what, to those who need it.
    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;
}
