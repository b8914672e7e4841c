using System.Collections.Immutable;
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
/// Receives the streams of the scopes whose text is its key, and forwards each event to the silos that the event itself names. It
/// answers the stream at once and keeps nothing that matters: per silo one forward is in flight and a bounded number of events wait;
/// what does not fit is dropped, and noticed there by the chain. So a frozen silo delays no other, and a hub that dies takes only hints
/// with it.
/// </summary>
[GrainType("watch.hub")]
[StatelessWorker(1, false)]
[ImplicitStreamSubscription(WatchStreams.KeyNamespace)]
[ImplicitStreamSubscription(WatchStreams.PrefixNamespace)]
[CollectionAgeLimit(Minutes = 2)]
internal sealed class WatchHubGrain(WatchDispatcher local, IWatchDispatcherClient dispatchers, ILocalSiloDetails silo)
    : Grain, IWatchHubGrain, IStreamSubscriptionObserver, IAsyncBatchObserver<ScopeEvent>
{
    private const int WaitingEventsMax = 1024;

    private readonly Dictionary<string, Forwarder> _forwarders = new(StringComparer.Ordinal);

    public Task OnSubscribed(IStreamSubscriptionHandleFactory handleFactory) =>
        handleFactory.Create<ScopeEvent>().ResumeAsync(this);

    public Task OnNextAsync(IList<SequentialItem<ScopeEvent>> items)
    {
        foreach (var item in items)
            foreach (var target in item.Item.Silos)
                ForwarderOf(target).Add(item.Item);
        foreach (var each in _forwarders.Values)
            each.SendNext();
        return Task.CompletedTask;
    }

    public Task OnCompletedAsync() => Task.CompletedTask;

    // The stream says that it lost something; the chain will say what, to those who need it.
    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;

    private Forwarder ForwarderOf(string target)
    {
        if (!_forwarders.TryGetValue(target, out var forwarder))
        {
            var address = SiloAddress.FromParsableString(target);
            var isLocal = address.Equals(silo.SiloAddress);
            _forwarders.Add(target, forwarder = new Forwarder(isLocal ? null : dispatchers.At(address), local));
        }

        return forwarder;
    }

    /// <summary>The way to one silo.</summary>
    private sealed class Forwarder(IWatchDispatcherService? remote, WatchDispatcher local)
    {
        private readonly List<ScopeEvent> _waiting = [];
        private bool _sending;

        public void Add(ScopeEvent scopeEvent)
        {
            if (_waiting.Count < WaitingEventsMax)
                _waiting.Add(scopeEvent);
        }

        public void SendNext()
        {
            if (_sending || _waiting.Count == 0)
                return;
            var batch = _waiting.ToImmutableArray();
            _waiting.Clear();
            if (remote is null)
            {
                local.Deliver(batch);
                return;
            }

            _sending = true;
            // Not awaited, so that no silo waits for another; it ends by itself within the call's timeout and then sends what waits.
            _ = SendAsync(remote, batch);
        }

        private async Task SendAsync(IWatchDispatcherService target, ImmutableArray<ScopeEvent> batch)
        {
            try
            {
                await target.Deliver(batch);
            }
            catch (Exception error) when (error is TimeoutException or OrleansException)
            {
                // The silo is gone or frozen. What it missed it finds by the chain when it is back.
            }
            finally
            {
                _sending = false;
                SendNext();
            }
        }
    }
}
