using System.Collections.Concurrent;
using System.Threading.Channels;
using Orleans;
using Watch.Core;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>
/// One watch that is pushed to an observer, whatever happens to silos and connections underneath.
/// </summary>
/// <remarks>
/// Each registration has a session grain and a <see cref="Relay"/> of its own; the cluster holds a reference to the relay, never to the
/// caller's observer. A registration is lost when a renewal of its lease fails or does not name it, when a batch proves a gap, or when
/// its silo stops: then another is made from the cursor, after a pause that grows. What a superseded relay is still told is discarded,
/// so an old session, which the silo ends when nobody renews it, cannot touch the new one. Rules:
///
///   W1  The observer is called by one relay at a time, one call at a time: every call holds the gate.
///   W2  Of a batch only what lies behind the cursor is handed on: nothing arrives twice, however batches repeat or overlap.
///   W3  A batch whose Previous lies above the cursor proves a loss: it is not handed on, and the watch resumes at its cursor.
///   W4  After the last event nothing is handed on; Completion says how the watch ended.
/// </remarks>
internal sealed class PushedWatch : IWatchSubscription
{
    // References to observers are weak, so what is being watched is held here until it ends.
    private static readonly ConcurrentDictionary<PushedWatch, byte> s_alive = new();

    private static readonly TimeSpan s_renewal = TimeSpan.FromSeconds(IWatchSessionGrain.LeaseSeconds / 3.0);

    private readonly IGrainFactory _grains;
    private readonly Sessions _sessions;
    private readonly WatchRequest _request;
    private readonly IWatchObserver _observer;
    private readonly bool _resume;
    private readonly WatchClientOptions _options;
    private readonly TimeProvider _time;
    private readonly Backoff _backoff;
    private readonly CancellationTokenSource _ended = new();

    // Waited for without a token: with one, the hand-over would leave the caller's scheduler. It is held for as long as a call takes.
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly TaskCompletionSource<WatchEndReason> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // One token: "look again", written when a renewal is due, when the watch is lost, and when it ends.
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private volatile Relay? _relay;
    private volatile bool _lost;
    private string _incarnation = "";
    private long _cursor;

    private PushedWatch(IGrainFactory grains, Sessions sessions, WatchRequest request, IWatchObserver observer, bool resume, WatchClientOptions options, TimeProvider time, IWatchRandom random)
    {
        _grains = grains;
        _sessions = sessions;
        _request = request;
        _observer = observer;
        _resume = resume;
        _options = options;
        _time = time;
        _backoff = new Backoff(options, time, random);
    }

    public Revision Start { get; private set; }

    public Revision Cursor => new(Volatile.Read(ref _cursor));

    public Task<WatchEndReason> Completion => _completion.Task;

    /// <summary>Registers a watch; effective when the task is done.</summary>
    public static async Task<IWatchSubscription> StartAsync(IGrainFactory grains, Sessions sessions, WatchRequest request, IWatchObserver observer, bool resume, WatchClientOptions options, TimeProvider time, IWatchRandom random, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var watch = new PushedWatch(grains, sessions, request, observer, resume, options, time, random);
        try
        {
            await watch.RegisterAsync(request, cancellationToken);
        }
        catch (Exception error) when (error is not WatchException && TransportErrors.IsTransport(error))
        {
            throw TransportErrors.OfRead(error);
        }

        s_alive[watch] = 0;
        // Owned by this object: the loop ends with the watch, and its failures end the watch.
        _ = watch.RenewAsync();
        return watch;
    }

    public ValueTask DisposeAsync()
    {
        End(WatchEndReason.Disposed);
        return default;
    }

    private async Task RegisterAsync(WatchRequest request, CancellationToken cancellationToken)
    {
        var relay = new Relay(this, _grains, await _sessions.NewAsync(cancellationToken));
        try
        {
            // The first batch can be here before the answer is; the relay holds it back until it knows its start.
            var registering = relay.Session.Subscribe(request, relay.Reference, cancellationToken);
            var registration = await _sessions.WhileAliveAsync(registering, relay.Session, _options.HedgeAfter, cancellationToken).WaitAsync(_options.CallTimeout, _time, cancellationToken);
            if (_relay is null && _incarnation.Length == 0)
            {
                Start = registration.Start;
                Volatile.Write(ref _cursor, registration.Start.Value);
            }

            _incarnation = registration.Incarnation;
            _relay = relay;
            relay.Registered(registration.SubscriptionId);
            // The watch may have ended meanwhile, and then whoever ended it saw only the relay before this one.
            if (_completion.Task.IsCompleted)
                relay.Release(_options.CallTimeout, _time);
        }
        catch
        {
            relay.Release(_options.CallTimeout, _time);
            throw;
        }
    }

    private async Task OnBatchAsync(Relay relay, WatchBatch batch)
    {
        await _gate.WaitAsync();
        try
        {
            if (relay != _relay || _completion.Task.IsCompleted)
                return;
            var end = EndOf(batch);
            if (batch.Previous > Cursor || (_resume && end is WatchEndReason.ServerStopping or WatchEndReason.ClientLost))
                Lose();                                                     // W3
            else if (batch.Behind(Cursor) is { } news)
                await TellAsync(news, end);                                 // W2
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Calls the observer. The gate is held (W1).</summary>
    private async Task TellAsync(WatchBatch batch, WatchEndReason end)
    {
        try
        {
            if (!await ObserverCall.ReturnsInTimeAsync(_observer, batch, _time))
            {
                End(WatchEndReason.CallbackTimedOut);
                return;
            }

            Volatile.Write(ref _cursor, Math.Max(Cursor.Value, batch.Revision.Value));
            if (end != WatchEndReason.None)
                End(end);                                                   // W4
        }
        catch (Exception)
        {
            // The caller's own code failed. It knows why, and Completion tells that this is what ended the watch.
            End(WatchEndReason.CallbackFailed);
        }
    }

    private async Task RenewAsync()
    {
        var period = s_renewal < _options.WatchQuiet ? s_renewal : _options.WatchQuiet;
        using var due = _time.CreateTimer(_ => Wake(), null, period, period);
        try
        {
            while (!_completion.Task.IsCompleted)
            {
                if (!_lost)
                    await _wake.Reader.WaitToReadAsync(_ended.Token);
                _wake.Reader.TryRead(out _);
                if (_lost || !await IsKnownAsync())
                    await ResumeAsync();
            }
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            // The watch has ended.
        }
        catch (Exception error)
        {
            // The server failed in a way that nobody foresaw: the watch ends rather than pretending to live.
            await TellEndAsync(WatchEndReason.Refused, $"The watch could not be renewed: {error.Message}", default);
        }
    }

    /// <summary>Renews the lease; whether the session still has this watch. A renewal that is lost counts as a lost watch.</summary>
    private async Task<bool> IsKnownAsync()
    {
        var relay = _relay!;
        try
        {
            var known = await _sessions.WhileAliveAsync(relay.Session.KeepAlive(), relay.Session, _options.HedgeAfter, _ended.Token);
            return known.Contains(relay.SubscriptionId);
        }
        catch (Exception error) when (TransportErrors.IsLost(error, _ended.Token))
        {
            return false;
        }
    }

    private async Task ResumeAsync()
    {
        if (!_resume)
        {
            await TellEndAsync(WatchEndReason.ClientLost, "The way to the server was lost, and the watch was asked not to resume.", default);
            return;
        }

        _lost = true;
        await _backoff.PauseAsync(_ended.Token);
        await _gate.WaitAsync();
        try
        {
            // Under the gate, so that no call of the old relay moves the cursor behind the new registration's back.
            _lost = false;
            _relay!.Release(_options.CallTimeout, _time);
            await RegisterAsync(_request with { StartAt = Cursor.Next, Incarnation = _incarnation }, _ended.Token);
            _backoff.Reset();
            return;
        }
        catch (WatchException error) when (TransportErrors.IsFinal(error))
        {
            await TellAsync(ResumingWatchStream.Ended(Cursor, ResumingWatchStream.ReasonOf(error), error.Message, error.FirstAvailable), ResumingWatchStream.ReasonOf(error));
        }
        catch (Exception error) when (TransportErrors.IsLost(error, _ended.Token) || error is WatchException)
        {
            Lose();
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>The end of a watch that no silo can tell its observer any more.</summary>
    private async Task TellEndAsync(WatchEndReason reason, string message, Revision firstAvailable)
    {
        await _gate.WaitAsync();
        try
        {
            if (!_completion.Task.IsCompleted)
                await TellAsync(ResumingWatchStream.Ended(Cursor, reason, message, firstAvailable), reason);
        }
        finally
        {
            _gate.Release();
        }
    }

    private void Lose()
    {
        _lost = true;
        Wake();
    }

    private void Wake() => _wake.Writer.TryWrite(true);

    private void End(WatchEndReason reason)
    {
        if (!_completion.TrySetResult(reason))
            return;
        _ended.Cancel();
        s_alive.TryRemove(this, out _);
        _relay?.Release(_options.CallTimeout, _time);
    }

    private static WatchEndReason EndOf(WatchBatch batch) =>
        batch.Events is [.., { Type: WatchEventType.Canceled, Reason: var reason }] ? reason : WatchEndReason.None;

    /// <summary>What the cluster calls on behalf of one registration.</summary>
    private sealed class Relay : IWatchObserver
    {
        private readonly PushedWatch _watch;
        private readonly IGrainFactory _grains;
        private readonly TaskCompletionSource _registered = new();
        private int _released;

        public Relay(PushedWatch watch, IGrainFactory grains, IWatchSessionGrain session)
        {
            _watch = watch;
            _grains = grains;
            Session = session;
            Reference = grains.CreateObjectReference<IWatchObserver>(this);
        }

        public IWatchSessionGrain Session { get; }

        public IWatchObserver Reference { get; }

        public long SubscriptionId { get; private set; } = -1;

        public void Registered(long subscriptionId)
        {
            SubscriptionId = subscriptionId;
            _registered.TrySetResult();
        }

        public async Task OnBatch(WatchBatch batch)
        {
            await _registered.Task;
            await _watch.OnBatchAsync(this, batch);
        }

        /// <summary>Ends the registration, as far as its silo can still be told; where it cannot, the lease ends it.</summary>
        public void Release(TimeSpan timeout, TimeProvider time)
        {
            if (Interlocked.Exchange(ref _released, 1) != 0)
                return;
            _registered.TrySetResult();
            _ = UnsubscribeAsync(timeout, time);
        }

        private async Task UnsubscribeAsync(TimeSpan timeout, TimeProvider time)
        {
            try
            {
                if (SubscriptionId >= 0)
                    await Session.Unsubscribe(SubscriptionId).WaitAsync(timeout, time);
            }
            catch (Exception error) when (TransportErrors.IsLost(error, default))
            {
                // The silo is gone, or ends the watch when nobody renews its lease.
            }
            finally
            {
                _grains.DeleteObjectReference<IWatchObserver>(Reference);
            }
        }
    }
}
