using System.Collections.Concurrent;
using System.Threading.Channels;
using Orleans;
using Watch.Core;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>
/// The watches of one client that are pushed to observers: they share a session grain, whose lease is renewed as long as there is one.
/// </summary>
/// <remarks>
/// The cluster holds a reference to a private relay, not to the caller's observer: the relay is kept alive here (references are weak),
/// drops repetitions, notices gaps by the batches' chain, and stays the same while the registration behind it is made anew.
/// A renewal that fails, or that does not name a watch any more, is a lost watch: it is registered again from its cursor, in a new
/// session, with pauses that grow. The silo ends what nobody renews.
/// </remarks>
internal sealed class PushedWatches(IGrainFactory grains, WatchClientOptions options, TimeProvider time, IWatchRandom random)
{
    public async Task<IWatchSubscription> SubscribeAsync(WatchRequest request, IWatchObserver observer, bool resume, CancellationToken cancellationToken)
    {
        var relay = new PushedWatch(grains, request, observer, resume, options, time, random);
        try
        {
            await relay.RegisterAsync(null, cancellationToken);
        }
        catch (Exception error) when (error is not WatchException && TransportErrors.IsTransport(error))
        {
            await relay.DisposeAsync();
            throw TransportErrors.OfRead(error);
        }
        catch
        {
            await relay.DisposeAsync();
            throw;
        }

        relay.KeepAlive();
        return relay;
    }
}

/// <summary>One pushed watch: the observer that the cluster calls, and the handle that the caller holds.</summary>
internal sealed class PushedWatch : IWatchObserver, IWatchSubscription
{
    // Observers are held by weak reference, so what is being watched is held here until it ends.
    private static readonly ConcurrentDictionary<PushedWatch, byte> s_alive = new();

    private readonly IGrainFactory _grains;
    private readonly WatchRequest _request;
    private readonly IWatchObserver _observer;
    private readonly bool _resume;
    private readonly WatchClientOptions _options;
    private readonly TimeProvider _time;
    private readonly IWatchRandom _random;
    private readonly Backoff _backoff;
    private readonly CancellationTokenSource _ended = new();

    // One token: "look again", written when a renewal is due, when the watch is lost, and when it ends.
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly TaskCompletionSource<WatchEndReason> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IWatchObserver _reference;
    private IWatchSessionGrain _session;
    private string _incarnation = "";
    private long _subscriptionId = -1;
    private long _cursor = -1;
    private int _released;
    private volatile bool _lost;

    public PushedWatch(IGrainFactory grains, WatchRequest request, IWatchObserver observer, bool resume, WatchClientOptions options, TimeProvider time, IWatchRandom random)
    {
        _grains = grains;
        _request = request;
        _observer = observer;
        _resume = resume;
        _options = options;
        _time = time;
        _random = random;
        _backoff = new Backoff(options, time, random);
        _session = grains.GetGrain<IWatchSessionGrain>(random.NextId());
        s_alive[this] = 0;
        _reference = grains.CreateObjectReference<IWatchObserver>(this);
    }

    public Revision Start { get; private set; }

    public Revision Cursor => new(Math.Max(0, Volatile.Read(ref _cursor)));

    public Task<WatchEndReason> Completion => _completion.Task;

    /// <summary>Registers, or registers again from a cursor in a new session.</summary>
    public async Task RegisterAsync(Revision? resumeAfter, CancellationToken cancellationToken)
    {
        var request = _request;
        if (resumeAfter is { } cursor)
        {
            _session = _grains.GetGrain<IWatchSessionGrain>(_random.NextId());
            request = request with { StartAt = cursor.Next, Incarnation = _incarnation };
        }

        var registration = await _session.Subscribe(request, _reference, cancellationToken).WaitAsync(_options.CallTimeout, _time, cancellationToken);
        _incarnation = registration.Incarnation;
        if (resumeAfter is null)
        {
            Start = registration.Start;
            // A batch can be here before its registration's answer is.
            Interlocked.CompareExchange(ref _cursor, registration.Start.Value, -1);
        }

        Volatile.Write(ref _subscriptionId, registration.SubscriptionId);
    }

    /// <summary>Starts to renew the session's lease; the loop ends with the watch.</summary>
    public void KeepAlive() => _ = RenewAsync();

    public async Task OnBatch(WatchBatch batch)
    {
        if (_completion.Task.IsCompleted)
            return;
        var cursor = Interlocked.CompareExchange(ref _cursor, batch.Previous.Value, -1);
        var end = batch.Events is [.., { Type: WatchEventType.Canceled, Reason: var reason }] ? reason : WatchEndReason.None;
        if (cursor < 0)
            cursor = batch.Previous.Value;
        if (batch.Previous.Value > cursor || (_resume && end is WatchEndReason.ServerStopping or WatchEndReason.ClientLost))
        {
            Lose();
            return;
        }

        if (batch.Revision.Value <= cursor && end == WatchEndReason.None)
            return;

        await CallAsync(batch);
        Volatile.Write(ref _cursor, Math.Max(cursor, batch.Revision.Value));
        if (end != WatchEndReason.None)
            End(end);
    }

    public async ValueTask DisposeAsync()
    {
        if (_completion.TrySetResult(WatchEndReason.Disposed) && Volatile.Read(ref _subscriptionId) >= 0)
        {
            try
            {
                await _session.Unsubscribe(Volatile.Read(ref _subscriptionId)).WaitAsync(_options.CallTimeout, _time);
            }
            catch (Exception error) when (TransportErrors.IsTransport(error))
            {
                // The silo is gone, or ends the watch when nobody renews its lease.
            }
        }

        // The renewals end by themselves; to wait for them here would deadlock a caller that disposes inside its own callback.
        _ended.Cancel();
        Release();
    }

    /// <summary>Calls the observer. Its failure ends the watch, here with the reason and, by the exception, at the silo.</summary>
    private async Task CallAsync(WatchBatch batch)
    {
        try
        {
            await _observer.OnBatch(batch).WaitAsync(GrainWatchClient.CallbackTimeout, _time);
        }
        catch (TimeoutException)
        {
            End(WatchEndReason.CallbackTimedOut);
            throw;
        }
        catch (Exception)
        {
            End(WatchEndReason.CallbackFailed);
            throw;
        }
    }

    private async Task RenewAsync()
    {
        var period = TimeSpan.FromSeconds(IWatchSessionGrain.LeaseSeconds / 3.0);
        using var due = _time.CreateTimer(_ => Wake(), null, period, period);
        while (!_ended.IsCancellationRequested)
        {
            try
            {
                if (!_lost)
                    await _wake.Reader.WaitToReadAsync(_ended.Token);
                _wake.Reader.TryRead(out _);
                if (_lost || !await IsKnownAsync())
                    await ResumeAsync();
            }
            catch (OperationCanceledException) when (_ended.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error) when (TransportErrors.IsTransport(error))
            {
                Lose();
            }
            catch (Exception)
            {
                // The server failed in a way that nobody foresaw: the watch ends rather than pretending to live.
                await TellAsync(WatchEndReason.Refused, "The server failed to renew the watch.", default);
            }
        }
    }

    /// <summary>Renews the lease; whether the session still has this watch.</summary>
    private async Task<bool> IsKnownAsync()
    {
        var known = await _session.KeepAlive().WaitAsync(_options.CallTimeout, _time, _ended.Token);
        return known.Contains(Volatile.Read(ref _subscriptionId));
    }

    private async Task ResumeAsync()
    {
        if (_completion.Task.IsCompleted)
            return;
        if (!_resume)
        {
            await TellAsync(WatchEndReason.ClientLost, "The way to the server was lost, and the watch was asked not to resume.", default);
            return;
        }

        await _backoff.PauseAsync(_ended.Token);
        _lost = false;
        try
        {
            await RegisterAsync(Cursor, _ended.Token);
            _backoff.Reset();
        }
        catch (WatchException error) when (!TransportErrors.IsTransport(error) && error.Code != WatchErrorCode.WatcherLimit)
        {
            await TellAsync(ResumingWatchStream.ReasonOf(error), error.Message, error.FirstAvailable);
        }
        catch (Exception error) when (TransportErrors.IsTransport(error) || error is WatchException)
        {
            Lose();
        }
    }

    private void Lose()
    {
        _lost = true;
        Wake();
    }

    private void Wake() => _wake.Writer.TryWrite(true);

    /// <summary>The end of a watch that no silo can tell its observer any more.</summary>
    private async Task TellAsync(WatchEndReason reason, string message, Revision firstAvailable)
    {
        try
        {
            await CallAsync(ResumingWatchStream.Ended(Cursor, reason, message, firstAvailable));
            End(reason);
        }
        catch (Exception)
        {
            // The caller's own code failed; Completion is where it is told.
            End(WatchEndReason.CallbackFailed);
        }
    }

    private void End(WatchEndReason reason)
    {
        _completion.TrySetResult(reason);
        _ended.Cancel();
        Release();
    }

    private void Release()
    {
        s_alive.TryRemove(this, out _);
        if (Interlocked.Exchange(ref _released, 1) == 0)
            _grains.DeleteObjectReference<IWatchObserver>(_reference);
    }
}
