using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Concurrency;
using Orleans.Placement;
using Orleans.Runtime;
using Watch.Core;
using Watch.Grains.Watching.Sessions;
using Watch.Interfaces;

namespace Watch.Grains.Watching;

/// <summary>
/// A watching client's place in the cluster. Its watches are subscriptions of the silo it lives on; it carries what they have to the client
/// (<see cref="SessionPump"/>) and ends them when the client does not renew its lease.
/// </summary>
[GrainType("watch.session")]
[PreferLocalPlacement]
[Reentrant]
internal sealed partial class WatchSessionGrain(WatchDispatcher dispatcher, ILocalSiloDetails silo, IOptions<WatchSiloOptions> options, TimeProvider time, ILogger<WatchSessionGrain> logger) : Grain, IWatchSessionGrain
{
    private readonly TimeSpan _lease = options.Value.SessionLease;
    private readonly int _watchesMax = options.Value.WatchesPerSessionMax;
    private readonly CancellationTokenSource _deactivating = new();
    private readonly Dictionary<long, Registering> _registering = [];
    private SessionPump? _pump;
    private string _client = "";
    private long _epoch;
    private IGrainTimer? _leaseCheck;
    private long _renewed;

    public Task<SessionOpened> Open(SessionHello hello, IWatchSessionObserver observer, CancellationToken cancellationToken)
    {
        if (hello.Version != 1)
            throw new WatchException(WatchErrorCode.InvalidOption, $"Version {hello.Version} of the session's messages is not known here; this server knows 1.");
        if (_pump is null || _epoch != hello.Epoch)
        {
            _pump?.EndAll(WatchEndReason.Disposed);
            Begin(hello, observer);
        }

        Renew();
        return Task.FromResult(new SessionOpened("", silo.Name, (int)_lease.TotalMilliseconds));
    }

    public async Task<ImmutableArray<RegistrationReply>> Register(long epoch, ImmutableArray<WatchRequest> requests, CancellationToken cancellationToken)
    {
        if (requests.IsDefaultOrEmpty || requests.Length > IWatchSessionGrain.RegistrationsMax)
            throw new WatchException(WatchErrorCode.InvalidOption, $"{(requests.IsDefault ? 0 : requests.Length)} watches were to be registered at once; 1 to {IWatchSessionGrain.RegistrationsMax} are allowed.");
        var pump = PumpOf(epoch);
        Renew();
        var answers = requests.Select(request => RegisterAsync(pump, request, cancellationToken)).ToList();
        var replies = ImmutableArray.CreateBuilder<RegistrationReply>(answers.Count);
        foreach (var answer in answers)
            replies.Add(await answer);
        return replies.DrainToImmutable();
    }

    public Task<RetargetReply> Retarget(long epoch, long watch, WatchTarget target, long version) =>
        Task.FromResult(WatchOf(epoch, watch).Retarget(target, version));

    public Task SetPolicy(long epoch, long watch, SlowPolicy policy, int? queueEventsMax, long? queueBytesMax)
    {
        WatchOf(epoch, watch).SetPolicy(policy, queueEventsMax, queueBytesMax);
        return Task.CompletedTask;
    }

    public Task AskProgress(long epoch, ImmutableArray<long> watches)
    {
        var pump = PumpOf(epoch);
        foreach (var number in watches)
        {
            if (pump.Watches.TryGetValue(number, out var watch))
                watch.Watch.AskProgress();
        }

        return Task.CompletedTask;
    }

    public async Task End(long epoch, ImmutableArray<long> watches)
    {
        if (_pump is not { } pump || epoch != _epoch)
            return;
        foreach (var number in watches)
        {
            if (_registering.TryGetValue(number, out var registering))
                registering.IsLeft = true;
            await pump.RemoveAsync(number);
        }
    }

    public Task<SessionState> Renew(SessionRenewal renewal)
    {
        if (_pump is not { } pump || renewal.Epoch != _epoch)
            return Task.FromResult(new SessionState(false, 0, 0, []));
        Renew();
        pump.Grant(renewal.Credits);
        var hash = 0UL;
        foreach (var number in pump.Watches.Keys)
            hash += SessionState.HashOf(number);
        return Task.FromResult(new SessionState(true, pump.Watches.Count, hash, renewal.WantsAll ? [.. pump.Watches.Keys] : []));
    }

    public async Task Close(long epoch)
    {
        if (_pump is not { } pump || epoch != _epoch)
            return;
        _pump = null;
        foreach (var number in pump.Watches.Keys.ToList())
            await pump.RemoveAsync(number);
        pump.EndAll(WatchEndReason.Disposed);
        DeactivateOnIdle();
    }

    public Task Feel(long epoch)
    {
        if (epoch != 0)
            PumpOf(epoch);
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _pump?.EndAll(WatchEndReason.ServerStopping);
        _deactivating.Cancel();
        return Task.CompletedTask;
    }

    private bool IsLeaseOver => time.GetElapsedTime(_renewed) > _lease;

    private void Begin(SessionHello hello, IWatchSessionObserver observer)
    {
        _epoch = hello.Epoch;
        _client = hello.Client;
        _pump = new SessionPump(hello.Epoch, observer, () => IsLeaseOver, dispatcher.Metrics, time, _deactivating.Token);
        _leaseCheck ??= this.RegisterGrainTimer(static (session, _) => session.EndIfLeaseIsOver(), this, new GrainTimerCreationOptions(_lease / 3, _lease / 3) { Interleave = true });
        // It ends with the session, whose end this grain owns.
        _ = RunAsync(_pump);
    }

    private void Renew()
    {
        _renewed = time.GetTimestamp();
        DelayDeactivation(_lease * 2);
    }

    private Task EndIfLeaseIsOver()
    {
        if (IsLeaseOver && _pump is { } pump)
        {
            // Unknown from here on; who watches is told, if that is still possible.
            _pump = null;
            pump.EndAll(WatchEndReason.ClientLost);
        }

        return Task.CompletedTask;
    }

    private async Task RunAsync(SessionPump pump)
    {
        dispatcher.Metrics.Sessions(1);
        try
        {
            await pump.RunAsync();
        }
        catch (Exception error) when (error is TimeoutException or OrleansException or OperationCanceledException)
        {
            // The client is gone, or this grain goes; a client that lives notices by its next renewal and comes back elsewhere.
        }
        catch (Exception error)
        {
            LogObserverFailed(logger, error, _client);
        }
        finally
        {
            dispatcher.Metrics.Sessions(-1);
            if (_pump == pump)
                _pump = null;
        }
    }

    private async Task<RegistrationReply> RegisterAsync(SessionPump pump, WatchRequest request, CancellationToken cancellationToken)
    {
        if (pump.Watches.TryGetValue(request.Watch, out var known))
            return new RegistrationReply(request.Watch, known.Watch.Registration, default, "", default);
        if (pump.Watches.Count + _registering.Count >= _watchesMax)
            return new RegistrationReply(request.Watch, null, WatchErrorCode.WatcherLimit, $"The session has {_watchesMax} watches, as many as one can have.", default);
        var registering = new Registering();
        if (!_registering.TryAdd(request.Watch, registering))
            return new RegistrationReply(request.Watch, null, WatchErrorCode.Busy, $"Watch {request.Watch} is being registered.", default);
        try
        {
            var watch = await dispatcher.SubscribeAsync(request, new WatchOwner(_client, this.GetPrimaryKeyString()), cancellationToken);
            if (registering.IsLeft || _pump != pump)
                await watch.DisposeAsync();
            else
                pump.Add(new SessionWatch(request.Watch, watch, request.CreditEvents, request.CreditBytes));
            return new RegistrationReply(request.Watch, watch.Registration, default, "", default);
        }
        catch (WatchException refused)
        {
            return new RegistrationReply(request.Watch, null, refused.Code, refused.Message, refused.FirstAvailable);
        }
        finally
        {
            _registering.Remove(request.Watch);
        }
    }

    private SessionPump PumpOf(long epoch) => _pump is { } pump && epoch == _epoch
        ? pump
        : throw new WatchException(WatchErrorCode.Unavailable, "The session is not known here (any more): open another.");

    private ILocalWatch WatchOf(long epoch, long number) => PumpOf(epoch).Watches.TryGetValue(number, out var watch)
        ? watch.Watch
        : throw new WatchException(WatchErrorCode.Unavailable, $"The session has no watch {number} (any more).");

    [LoggerMessage(Level = LogLevel.Warning, Message = "A session of client '{Client}' failed, and its watches ended here")]
    private static partial void LogObserverFailed(ILogger logger, Exception error, string client);

    /// <summary>A watch that the leader is still asked about.</summary>
    private sealed class Registering
    {
        /// <summary>Whether its client left it meanwhile.</summary>
        public bool IsLeft { get; set; }
    }
}
