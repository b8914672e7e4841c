using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Concurrency;
using Orleans.Placement;
using Orleans.Runtime;
using Watch.Interfaces;

namespace Watch.Grains.Watching;

/// <summary>
/// A watching client's place in the cluster, one for each of its watches. They are subscriptions of the silo it lives on; it only carries their batches to the client:
/// those that are pulled by answering, those that are pushed by one call at a time. It ends what its client does not keep alive: a
/// pulled watch with its enumeration, a pushed one when the observer does not answer or the lease runs out.
/// </summary>
[GrainType("watch.session")]
[PreferLocalPlacement]
[Reentrant]
internal sealed partial class WatchSessionGrain(WatchDispatcher dispatcher, TimeProvider time, ILogger<WatchSessionGrain> logger) : Grain, IWatchSessionGrain
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_lease = TimeSpan.FromSeconds(IWatchSessionGrain.LeaseSeconds);

    private readonly Dictionary<long, SubscriptionFeed> _pushed = [];
    private readonly CancellationTokenSource _deactivating = new();
    private IGrainTimer? _leaseCheck;
    private long _renewed;

    public async IAsyncEnumerable<WatchBatch> Watch(WatchRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await using var feed = await dispatcher.SubscribeAsync(request, cancellationToken);
        var registration = feed.Registration;
        yield return new WatchBatch(registration.SubscriptionId, registration.Start, registration.Start, [], registration);

        while (await feed.NextAsync(cancellationToken) is { } batch)
        {
            yield return batch;
            if (IsLast(batch))
                yield break;
        }
    }

    public async Task<WatchRegistration> Subscribe(WatchRequest request, IWatchObserver observer, CancellationToken cancellationToken)
    {
        var feed = await dispatcher.SubscribeAsync(request, cancellationToken);
        _pushed.Add(feed.Registration.SubscriptionId, feed);
        Renew();
        _leaseCheck ??= this.RegisterGrainTimer(static (session, _) => session.EndIfLeaseRanOut(), this, new GrainTimerCreationOptions(s_lease / 3, s_lease / 3) { Interleave = true });
        // The pump ends with its subscription, whose end this grain owns.
        _ = PushAsync(feed, observer);
        return feed.Registration;
    }

    public Task Unsubscribe(long subscriptionId)
    {
        if (_pushed.TryGetValue(subscriptionId, out var feed))
            feed.End(WatchEndReason.Disposed);
        return Task.CompletedTask;
    }

    public Task<ImmutableArray<long>> KeepAlive()
    {
        Renew();
        return Task.FromResult(_pushed.Keys.ToImmutableArray());
    }

    public Task Feel() => Task.CompletedTask;

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        foreach (var feed in _pushed.Values)
            feed.End(WatchEndReason.ServerStopping);
        _deactivating.Cancel();
    }

    private void Renew()
    {
        _renewed = time.GetTimestamp();
        if (_pushed.Count > 0)
            DelayDeactivation(s_lease * 2);
    }

    private Task EndIfLeaseRanOut()
    {
        if (LeaseRanOut)
            foreach (var feed in _pushed.Values)
                feed.End(WatchEndReason.ClientLost);
        return Task.CompletedTask;
    }

    private async Task PushAsync(SubscriptionFeed feed, IWatchObserver observer)
    {
        try
        {
            var last = false;
            while (!last && await feed.NextAsync(_deactivating.Token) is { } batch)
            {
                last = IsLast(batch);
                await DeliverAsync(observer, batch);
            }
        }
        catch (OperationCanceledException) when (_deactivating.IsCancellationRequested)
        {
            // The grain goes; the client notices by its next renewal and comes back elsewhere.
        }
        catch (Exception error)
        {
            // The client is gone; or the observer failed, which one of this library's never lets happen: it tells its caller by itself.
            var isGone = error is TimeoutException or OrleansException;
            if (!isGone)
                LogObserverFailed(logger, error, feed.Registration.SubscriptionId);
            feed.End(isGone ? WatchEndReason.ClientLost : WatchEndReason.CallbackFailed);
        }
        finally
        {
            await feed.DisposeAsync();
            _pushed.Remove(feed.Registration.SubscriptionId);
        }
    }

    /// <summary>
    /// Delivers a batch, again and again while the client's lease lives: a call that was lost may have arrived, and the client knows a
    /// repetition by the chain. Only the lease running out means that the client is gone.
    /// </summary>
    private async Task DeliverAsync(IWatchObserver observer, WatchBatch batch)
    {
        while (true)
        {
            try
            {
                await observer.OnBatch(batch);
                return;
            }
            catch (Exception error) when (error is TimeoutException or OrleansException && !LeaseRanOut)
            {
                await Task.Delay(s_pause, time, _deactivating.Token);
            }
        }
    }

    private bool LeaseRanOut => time.GetElapsedTime(_renewed) > s_lease;

    [LoggerMessage(Level = LogLevel.Warning, Message = "An observer failed, and its watch {Subscription} ended")]
    private static partial void LogObserverFailed(ILogger logger, Exception error, long subscription);

    private static bool IsLast(WatchBatch batch) => batch.Events is [.., { Type: WatchEventType.Canceled }];
}
