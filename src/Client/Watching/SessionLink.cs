using System.Collections.Concurrent;
using System.Collections.Immutable;
using Orleans;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>
/// One opened session: its grain, its epoch, the client's observer there, and the watches that are registered with it.
/// </summary>
/// <remarks>
/// It renews its lease, grants credit, and ends watches, all by one call at a time. It is lost, with all its watches, when a renewal fails or
/// is answered by somebody who does not know it, when a batch is malformed or out of turn, and when its server says that it stops or that
/// the lease was over. I-D1: a batch whose number was taken in is answered as before and not looked at again. I-D4: nothing of a
/// reader's runs while a batch is taken in. Locks are taken in the order link, watch; never the session's and a link's the other way round.
/// </remarks>
internal sealed class SessionLink : IWatchSessionObserver
{
    // References to observers are weak: what has not ended is held here.
    private static readonly ConcurrentDictionary<SessionLink, byte> s_alive = new();

    private readonly ClientSession _session;
    private readonly IGrainFactory _grains;
    private readonly Sessions _sessions;
    private readonly WatchClientOptions _options;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly Dictionary<long, ClientWatch> _watches = [];
    private readonly HashSet<long> _granting = [];
    private readonly HashSet<long> _left = [];
    private readonly ReadySignal _wake = new();
    private readonly CancellationTokenSource _over = new();
    private SessionAck _lastAck = new(0, []);
    private bool _isOver;
    private bool _isRenewalDue;
    private TimeSpan _patience;
    private Task _renewing = Task.CompletedTask;
    private readonly TaskCompletionSource _closed = new();

    public SessionLink(ClientSession session, IGrainFactory grains, Sessions sessions, IWatchSessionGrain grain, long epoch, WatchClientOptions options, TimeProvider time)
    {
        _session = session;
        _grains = grains;
        _sessions = sessions;
        _options = options;
        _time = time;
        Grain = grain;
        Epoch = epoch;
        Reference = grains.CreateObjectReference<IWatchSessionObserver>(this);
        s_alive[this] = 0;
    }

    public IWatchSessionGrain Grain { get; }

    public long Epoch { get; }

    public IWatchSessionObserver Reference { get; }

    /// <summary>Canceled when the link is over.</summary>
    public CancellationToken Over => _over.Token;

    /// <summary>Whether no watch is left.</summary>
    public bool IsUnused
    {
        get
        {
            lock (_gate)
                return _watches.Count == 0;
        }
    }

    /// <summary>Takes a watch that is about to be registered; false where the link is over.</summary>
    public bool TryAdd(ClientWatch watch)
    {
        lock (_gate)
        {
            if (_isOver)
                return false;
            _watches.Add(watch.Number, watch);
            watch.BelongTo(this);
            return true;
        }
    }

    /// <summary>Takes a watch out that was refused.</summary>
    public void Remove(ClientWatch watch)
    {
        lock (_gate)
        {
            _watches.Remove(watch.Number);
            _granting.Remove(watch.Number);
        }
    }

    /// <summary>A reader left: the server is told soon.</summary>
    public void Leave(ClientWatch watch)
    {
        lock (_gate)
        {
            if (!_watches.Remove(watch.Number) || _isOver)
                return;
            _granting.Remove(watch.Number);
            _left.Add(watch.Number);
        }

        _wake.Set();
    }

    /// <summary>A reader has room again: the server is told soon.</summary>
    public void Grant(ClientWatch watch)
    {
        lock (_gate)
        {
            if (_isOver || !_watches.ContainsKey(watch.Number))
                return;
            _granting.Add(watch.Number);
        }

        _wake.Set();
    }

    public Task<SessionAck> OnBatch(SessionBatch batch)
    {
        var stops = false;
        var isBroken = false;
        SessionAck ack;
        lock (_gate)
        {
            if (_isOver || batch.Epoch != Epoch || batch.Number <= _lastAck.Number)
                return Task.FromResult(batch.Number == _lastAck.Number ? _lastAck : new SessionAck(batch.Number, []));   // I-D1
            if (batch.Number == _lastAck.Number + 1)
                isBroken = !TryTakeIn(batch, out stops);
            else
                isBroken = true;
            ack = _lastAck = new SessionAck(batch.Number, TakeCredits());
        }

        if (stops || isBroken)
            _session.Lose(this, stops);
        return Task.FromResult(ack);
    }

    /// <summary>Begins to renew the lease, and to say what is to be said, until the link is over.</summary>
    /// <param name="leaseMs">How long the server keeps the session without that.</param>
    public void Begin(int leaseMs) => _renewing = RenewAsync(leaseMs);

    /// <summary>Done when nothing runs any more of a link that was ended, and the server was told if it could be.</summary>
    public Task Ended => AfterAllAsync();

    private async Task AfterAllAsync()
    {
        await _closed.Task;
        await _renewing;
    }

    private async Task RenewAsync(int leaseMs)
    {
        var third = TimeSpan.FromMilliseconds(leaseMs / 3.0);
        var period = third < _options.WatchQuiet ? third : _options.WatchQuiet;
        _patience = third;
        using var due = _time.CreateTimer(_ => BeDue(), null, period, period);
        try
        {
            while (true)
            {
                await _wake.WaitAsync(_over.Token);
                if (_over.IsCancellationRequested)
                    return;
                await TellLeftAsync();
                if (!await TryRenewAsync(wantsAll: false))
                    break;
            }
        }
        catch (Exception)
        {
            // Lost, or over, or answered by what this client cannot read: whatever it was, nobody renews the lease from here on.
            _session.Lose(this, stops: false);
            return;
        }

        _session.Lose(this, stops: false);
    }

    /// <summary>Nothing more is taken in: every watch that is still here is lost. Answers whether it was not over before.</summary>
    public bool End()
    {
        List<ClientWatch> lost;
        lock (_gate)
        {
            if (_isOver)
                return false;
            _isOver = true;
            lost = [.. _watches.Values];
            _watches.Clear();
        }

        foreach (var watch in lost)
            watch.Lose();
        _over.Cancel();
        // It ends by itself: what cannot be told is ended by the lease.
        _ = CloseAsync();
        return true;
    }

    private void BeDue()
    {
        lock (_gate)
            _isRenewalDue = true;
        _wake.Set();
    }

    private bool TryTakeIn(SessionBatch batch, out bool stops)
    {
        stops = false;
        var blocks = new BlockEvents(batch.Blocks);
        try
        {
            foreach (var step in batch.Steps)
            {
                // One that was left, or refused its last step, may have had more under way.
                if (!_watches.TryGetValue(step.Watch, out var watch) || watch.TakeIn(step, blocks, out var end))
                    continue;
                _watches.Remove(step.Watch);
                _granting.Remove(step.Watch);
                stops |= end is WatchEndReason.ServerStopping or WatchEndReason.ClientLost;
                if (end == WatchEndReason.None)
                    _left.Add(step.Watch);
            }

            return true;
        }
        catch (FormatException)
        {
            // The server sends what this client cannot read: the watches try another one.
            return false;
        }
    }

    private ImmutableArray<Credit> TakeCredits()
    {
        if (_granting.Count == 0)
            return [];
        var credits = _granting.Where(_watches.ContainsKey).Order().Select(number => _watches[number].TellCredit()).ToImmutableArray();
        _granting.Clear();
        return credits;
    }

    private async Task TellLeftAsync()
    {
        ImmutableArray<long> left;
        lock (_gate)
        {
            left = [.. _left.Order()];
            _left.Clear();
        }

        if (left.Length > 0)
            await AliveAsync(AsResult(Grain.End(Epoch, left)));
    }

    /// <summary>Renews if there is a reason to; false where the server does not know the session.</summary>
    private async Task<bool> TryRenewAsync(bool wantsAll)
    {
        ImmutableArray<Credit> credits;
        Dictionary<long, ClientWatch> before;
        lock (_gate)
        {
            credits = TakeCredits();
            if (!wantsAll && !_isRenewalDue && credits.IsEmpty)
                return true;
            _isRenewalDue = false;
            before = _watches.Where(each => each.Value.IsRegistered).ToDictionary();
        }

        var state = await AliveAsync(Grain.Renew(new SessionRenewal(Epoch, credits, wantsAll)));
        if (!state.IsKnown)
            return false;
        if (wantsAll)
            Reconcile(before, [.. state.All]);
        else if (!Agrees(state))
            return await TryRenewAsync(wantsAll: true);
        return true;
    }

    private bool Agrees(SessionState state)
    {
        lock (_gate)
        {
            var hash = 0UL;
            foreach (var number in _watches.Keys)
                hash += SessionState.HashOf(number);
            return state.Watches == _watches.Count && state.Hash == hash;
        }
    }

    /// <summary>What the server does not have any more is lost; what it has in vain is ended.</summary>
    private void Reconcile(Dictionary<long, ClientWatch> before, HashSet<long> all)
    {
        List<ClientWatch> lost = [];
        lock (_gate)
        {
            foreach (var (number, watch) in before)
            {
                // Ended watches leave this side before the server's: the last step is acknowledged first.
                if (!all.Contains(number) && _watches.Remove(number))
                    lost.Add(watch);
            }

            all.ExceptWith(_watches.Keys);
            all.ExceptWith(before.Keys);
            _left.UnionWith(all);
        }

        foreach (var watch in lost)
            watch.Lose();
        if (all.Count > 0)
            _wake.Set();
    }

    private async Task CloseAsync()
    {
        try
        {
            var closing = Grain.Close(Epoch);
            GivenUp.Observe(closing);
            await closing.WaitAsync(Farewell, _time);
        }
        catch (Exception error) when (error is WatchException || TransportErrors.IsLost(error, default))
        {
            // The silo is gone, or ends the session when nobody renews its lease.
        }
        finally
        {
            _grains.DeleteObjectReference<IWatchSessionObserver>(Reference);
            s_alive.TryRemove(this, out _);
            _closed.SetResult();
        }
    }

    // A server that lives has carried it out by then, or will: no answer is needed.
    private TimeSpan Farewell => _options.CallTimeout < _options.HedgeAfter + _options.SilencePatience ? _options.CallTimeout : _options.HedgeAfter + _options.SilencePatience;

    // Not longer than the silence that a session survives: a message that was lost must not cost all watches the rest of Orleans' own limit.
    private async Task<T> AliveAsync<T>(Task<T> call)
    {
        var alive = _sessions.WhileAliveAsync(call, Grain, Epoch, _options.HedgeAfter, _over.Token);
        GivenUp.Observe(alive);
        return await alive.WaitAsync(_patience, _time);
    }

    private static async Task<bool> AsResult(Task call)
    {
        await call;
        return true;
    }
}
