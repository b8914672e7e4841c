using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Runtime;
using Orleans.Streams;
using Watch.Grains.Diagnostics;
using Watch.Grains.Publishing;

namespace Watch.Grains.Watching;

/// <summary>
/// The ways from this silo's hubs to the dispatchers of all silos, shared by all hubs: a thousand scopes that change at once are one call per
/// silo, not a thousand.
/// </summary>
/// <remarks>
/// FW1  To one silo there is one call under way. What comes meanwhile waits, bounded in events and bytes; beyond it the oldest is dropped and
///      counted, and the silo notices by the chain. So a frozen silo delays no other and holds no more than that.
/// FW2  Other silos are told before this one: telling this one can mean handing an event to thousands of watchers.
/// FW3  A silo that membership declares dead is forgotten with all that waits for it.
/// FW4  Per scope, what is forwarded keeps the order in which it came.
/// Any thread; a call's answer is taken in where the call was begun, in a hub's turn.
/// </remarks>
internal sealed partial class SiloForwarders(
    Action<ImmutableArray<ScopeEvent>> deliverHere,
    IWatchDispatcherClient dispatchers,
    IClusterMembershipService membership,
    ILocalSiloDetails silo,
    IOptions<WatchSiloOptions> options,
    WatchMetrics metrics,
    ILogger<SiloForwarders> logger)
{
    /// <summary>How many bytes of events one call carries, about: one event may go beyond it.</summary>
    public const int CallBytesMax = 4 << 20;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Forwarder> _forwarders = new(StringComparer.Ordinal);
    private readonly string _own = silo.SiloAddress.ToParsableString();
    private MembershipVersion _seen = MembershipVersion.MinValue;
    private long _dropped;

    /// <summary>How many events were dropped since the start, for each silo that was not told.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>How many silos there is a way to.</summary>
    public int Silos
    {
        get
        {
            lock (_gate)
                return _forwarders.Count;
        }
    }

    /// <summary>Tells every silo that the events name, this one last; it waits for none of them.</summary>
    public void Forward(IList<SequentialItem<ScopeEvent>> items)
    {
        ForgetDead();
        List<Forwarder>? idle = null;
        lock (_gate)
        {
            foreach (var item in items)
            {
                foreach (var target in item.Item.Silos)
                {
                    if (!string.Equals(target, _own, StringComparison.Ordinal) && WayTo(target) is { } way && way.Add(item.Item))
                        (idle ??= []).Add(way);
                }
            }
        }

        // It ends by itself, within the calls' timeout, and handles its own failures.
        foreach (var each in idle ?? [])
            _ = each.SendAsync();
        if (OwnOf(items) is { IsEmpty: false } own)
            deliverHere(own);
    }

    private ImmutableArray<ScopeEvent> OwnOf(IList<SequentialItem<ScopeEvent>> items)
    {
        var own = ImmutableArray.CreateBuilder<ScopeEvent>(items.Count);
        foreach (var item in items)
        {
            if (item.Item.Silos.Contains(_own))
                own.Add(item.Item);
        }

        return own.Count == items.Count ? own.MoveToImmutable() : own.ToImmutable();
    }

    private Forwarder? WayTo(string target)
    {
        if (_forwarders.TryGetValue(target, out var forwarder))
            return forwarder;
        var address = SiloAddress.FromParsableString(target);
        if (membership.CurrentSnapshot.GetSiloStatus(address) == SiloStatus.Dead)
            return null;
        _forwarders.Add(target, forwarder = new Forwarder(this, address, dispatchers.At(address)));
        return forwarder;
    }

    private void ForgetDead()
    {
        var members = membership.CurrentSnapshot;
        lock (_gate)
        {
            if (members.Version == _seen)
                return;
            _seen = members.Version;
            foreach (var (name, each) in _forwarders.Where(each => members.GetSiloStatus(each.Value.Silo) == SiloStatus.Dead).ToList())
            {
                _forwarders.Remove(name);
                each.Clear();
            }
        }
    }

    private void CountDropped(int events)
    {
        Interlocked.Add(ref _dropped, events);
        metrics.Dropped(DropPlace.Forwarder, events);
    }

    /// <summary>The way to one silo. Its queue is guarded by the owner's gate.</summary>
    private sealed class Forwarder(SiloForwarders owner, SiloAddress silo, IWatchDispatcherService target)
    {
        private readonly Queue<ScopeEvent> _waiting = new();
        private long _bytes;
        private bool _sending;

        public SiloAddress Silo { get; } = silo;

        /// <summary>Adds an event; true where nobody sends yet, and the caller has to.</summary>
        public bool Add(ScopeEvent scopeEvent)
        {
            var limits = owner.Limits;
            var bytes = scopeEvent.CountBytes();
            var dropped = 0;
            while (_waiting.Count > 0 && (_waiting.Count >= limits.ForwardEventsMax || _bytes + bytes > limits.ForwardBytesMax))
            {
                _bytes -= _waiting.Dequeue().CountBytes();
                dropped++;
            }

            if (dropped > 0)
                owner.CountDropped(dropped);
            _waiting.Enqueue(scopeEvent);
            _bytes += bytes;
            return !_sending && (_sending = true);
        }

        public void Clear()
        {
            if (_waiting.Count > 0)
                owner.CountDropped(_waiting.Count);
            _waiting.Clear();
            _bytes = 0;
        }

        public async Task SendAsync()
        {
            while (Next() is { IsEmpty: false } batch)
            {
                try
                {
                    await target.Deliver(batch);
                }
                catch (Exception error)
                {
                    // The silo is gone, or frozen, or did not understand: whatever it is, what it missed it finds by the chain.
                    owner.CountDropped(batch.Length);
                    LogFailed(owner.Logger, Silo, batch.Length, error);
                }
            }
        }

        /// <summary>What the next call carries; nothing, and then nobody sends any more.</summary>
        private ImmutableArray<ScopeEvent> Next()
        {
            lock (owner._gate)
            {
                var batch = ImmutableArray.CreateBuilder<ScopeEvent>();
                var bytes = 0;
                while (_waiting.TryPeek(out var next) && next.CountBytes() is var size && (batch.Count == 0 || bytes + size <= CallBytesMax))
                {
                    bytes += size;
                    batch.Add(_waiting.Dequeue());
                }

                _bytes -= bytes;
                _sending = batch.Count > 0;
                return batch.DrainToImmutable();
            }
        }
    }

    private WatchSiloOptions Limits { get; } = options.Value;

    private ILogger Logger { get; } = logger;

    [LoggerMessage(Level = LogLevel.Debug, Message = "Silo {Silo} was not told of {Events} events; it will read them from history")]
    private static partial void LogFailed(ILogger logger, SiloAddress silo, int events, Exception error);
}
