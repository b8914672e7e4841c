using System.Collections.Immutable;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Grains.Consensus;
using Watch.Grains.Diagnostics;
using Watch.Grains.Publishing;
using Watch.Interfaces;

namespace Watch.Grains.Watching;

/// <summary>
/// This silo's watches: the shell around <see cref="WatchTable"/>, which holds all rules. It serializes calls to the table, and hands
/// the table's effects to <see cref="DispatcherLoop"/>, which performs them.
/// </summary>
/// <remarks>
/// Events, registrations and ends come from many places (hubs, session grains, services of the silo); each is a short step on the table
/// under one lock, and nothing is awaited or called under it but the wake-up of a consumer, which only writes a token.
/// </remarks>
internal sealed partial class WatchDispatcher
{
    /// <summary>Bytes of scopes' texts in one answer to a new leader, at most.</summary>
    public const long ScopesTextBytesMax = 16L << 20;

    private readonly Lock _gate = new();
    private readonly WatchTable _table;
    private readonly Dictionary<SubscriptionId, TaskCompletionSource<WatchRegistration>> _registering = [];
    private readonly DispatcherLoop _loop;
    private readonly string _name;
    private readonly TimeProvider _time;
    private readonly WatchSiloOptions _options;

    private readonly NodeHealth _health;
    private readonly IHostApplicationLifetime? _host;

    public WatchDispatcher(
        LeaderLocator leaders,
        IHistorySource history,
        ILocalSiloDetails silo,
        NodeHealth health,
        IOptions<WatchSiloOptions> options,
        TimeProvider time,
        IWatchRandom random,
        ILogger<WatchDispatcher> logger,
        WatchMetrics metrics,
        IHostApplicationLifetime? host = null,
        ReplicaSeams? seams = null)
    {
        _health = health;
        _host = host;
        _time = time;
        _options = options.Value;
        _name = silo.Name;
        _loop = new DispatcherLoop(this, leaders, history, silo.SiloAddress.ToParsableString(), options.Value, time, logger);
        _table = new WatchTable(
            new WatchTableOptions
            {
                Enabled = _options.WatchEnabled,
                WatchersMax = _options.WatchersMax,
                HoldMs = (long)_options.Hold.TotalMilliseconds,
                FetchesInFlightMax = _options.FetchesInFlightMax,
                RepairsInFlightMax = _options.RepairsInFlightMax,
                FetchBytesMax = _options.FetchPageBytes,
                SnapshotBytesMax = _options.SnapshotPageBytes,
                StaleAfterMsMin = (long)(2 * _options.ProgressInterval).TotalMilliseconds,
                StaleAfterMsMax = (long)(_options.ForgetScopesAfter / 2).TotalMilliseconds,
            },
            new RandomBits(random),
            _loop.Continue,
            (seams ?? ReplicaSeams.None).Watching);
        Metrics = metrics;
        metrics.ReadFrom(() => Figures);
    }

    /// <summary>The cluster's incarnation, as of the last registration.</summary>
    internal string Incarnation { get; private set; } = "";

    /// <summary>What is told of them to whoever listens.</summary>
    public WatchMetrics Metrics { get; }

    /// <summary>What the watches are, hold and have done: it looks at each of them, and lets others have their turn in between.</summary>
    public WatchFigures Figures
    {
        get
        {
            Subscription[] all;
            lock (_gate)
                all = [.. _table.Subscriptions];
            var sum = new FiguresSum();
            for (var at = 0; at < all.Length; at += FiguresSum.Slice)
            {
                lock (_gate)
                    sum.Add(all.AsSpan(at, Math.Min(FiguresSum.Slice, all.Length - at)));
            }

            lock (_gate)
                return sum.With(_table.Stats);
        }
    }

    /// <summary>How many watches there are.</summary>
    public int Watchers
    {
        get
        {
            lock (_gate)
                return _table.Subscriptions.Count;
        }
    }

    /// <summary>The table's clock.</summary>
    internal long NowMs => (long)_time.GetElapsedTime(0).TotalMilliseconds;

    /// <summary>Starts a watch; done when it is effective.</summary>
    public async Task<ILocalWatch> SubscribeAsync(WatchRequest request, WatchOwner owner, CancellationToken cancellationToken)
    {
        var registered = new TaskCompletionSource<WatchRegistration>(TaskCreationOptions.RunContinuationsAsynchronously);
        var hash = 0UL;
        var subscription = Step(table =>
        {
            var spec = RequestTranslation.ToSpec(request, owner, _options);
            hash = RequestTranslation.HashOf(spec);
            if (request.FilterHash != 0 && request.FilterHash != hash)
                throw new WatchException(WatchErrorCode.InvalidCursor, $"The cursor is not one of a watch of {request.Target} that leaves out the same: it is another watch's.");
            var added = table.Subscribe(spec, NowMs);
            _registering.Add(added.Id, registered);
            return added;
        });

        try
        {
            // Not WaitAsync: its hand-over would leave the caller's scheduler for the thread pool.
            await using var canceled = cancellationToken.Register(() => registered.TrySetCanceled(cancellationToken));
            var registration = await registered.Task;
            if (request.Incarnation.Length > 0 && !string.Equals(request.Incarnation, registration.Incarnation, StringComparison.Ordinal))
                throw new WatchException(WatchErrorCode.IncarnationChanged, $"The watch followed cluster {request.Incarnation}, but this is cluster {registration.Incarnation}: its revisions mean nothing here.");
            return owner.Session is null ? new HostedFeed(this, subscription, hash) : new LocalWatch(this, subscription, hash);
        }
        catch
        {
            Unsubscribe(subscription.Id, EndReason.Disposed);
            throw;
        }
    }

    /// <summary>Ends a watch, if it has not ended.</summary>
    public void Unsubscribe(SubscriptionId id, EndReason reason) => Step(table =>
    {
        _registering.Remove(id);
        return table.Unsubscribe(id, reason);
    });

    /// <summary>Changes what happens when a watch's consumer is slow.</summary>
    /// <exception cref="WatchException">An option is out of its range, or the watch has ended.</exception>
    public void SetPolicy(SubscriptionId id, SlowPolicy policy, int? eventsMax, long? bytesMax)
    {
        if (!Step(table => table.SetPolicy(id, RequestTranslation.ToRule(policy), eventsMax, bytesMax, NowMs)))
            throw new WatchException(WatchErrorCode.Unavailable, "The watch has ended.");
    }

    /// <summary>Gives a watch another target.</summary>
    /// <exception cref="WatchException">The target is not valid, or the watch has ended.</exception>
    public RetargetReply Retarget(Subscription subscription, WatchTarget target, long version) => Step(table =>
    {
        var next = RequestTranslation.ToTarget(target, _options);
        var from = table.Retarget(subscription.Id, next, version, NowMs);
        return from is { } revision
            ? new RetargetReply(revision, version, RequestTranslation.HashOf(subscription.Spec with { Target = next }))
            : throw new WatchException(WatchErrorCode.Unavailable, "The watch has ended.");
    });

    /// <summary>Asks how far a watch is; one that has ended is told nothing.</summary>
    public void AskProgress(SubscriptionId id) => Step(table =>
    {
        table.AskProgress(id, NowMs);
        return true;
    });

    /// <summary>Takes events; they may be repeated, late, or in any order.</summary>
    public void Deliver(ImmutableArray<ScopeEvent> events) => Step(table =>
    {
        foreach (var each in events)
            table.Deliver(each.Bucket, new ScopeMessage(each.Scope, each.Previous, each.Revision, each.Changes.IsDefault ? null : each.Changes, each.Silos), NowMs);
        return true;
    });

    /// <summary>Performs the table's effects until every watch is told that the server stops.</summary>
    public Task RunAsync() => _loop.RunAsync();

    /// <summary>
    /// This silo's watching is broken: its silo stops, which tells every client to go elsewhere, and whoever waits here is told at once.
    /// </summary>
    public void Fail(Exception error)
    {
        List<TaskCompletionSource<WatchRegistration>> waiting;
        lock (_gate)
        {
            waiting = [.. _registering.Values];
            _registering.Clear();
        }

        foreach (var each in waiting)
            each.TrySetException(new WatchException(WatchErrorCode.ShuttingDown, "This silo's watching failed; the silo stops."));
        _health.Fail(error);
        _host?.StopApplication();
    }

    /// <summary>What is watched of some buckets, as much as one answer carries.</summary>
    public ImmutableArray<BucketScopes> ScopesOf(ImmutableArray<BucketId> buckets) => Step(table =>
    {
        var bytes = 0L;
        var told = ImmutableArray.CreateBuilder<BucketScopes>();
        foreach (var bucket in buckets)
        {
            var scopes = table.ScopesOf(bucket).TakeWhile(scope => (bytes += scope.Text.Length) <= ScopesTextBytesMax).ToImmutableArray();
            if (!scopes.IsEmpty)
                told.Add(new BucketScopes(bucket, scopes));
        }

        return told.ToImmutable();
    });

    /// <summary>The server stops: every watch ends with that reason, and no new one begins.</summary>
    public void Stop()
    {
        List<TaskCompletionSource<WatchRegistration>> waiting = [];
        var buckets = Step(table =>
        {
            var watched = table.Buckets.ToList();
            waiting.AddRange(_registering.Values);
            _registering.Clear();
            table.EndAll(EndReason.ServerStopping);
            return watched;
        });
        foreach (var each in waiting)
            each.TrySetException(new WatchException(WatchErrorCode.ShuttingDown, "The server is stopping."));
        _loop.Stop(buckets);
    }

    /// <summary>A step on the table that answers nothing.</summary>
    internal void Do(Action<WatchTable> step) => Step(table =>
    {
        step(table);
        return true;
    });

    /// <summary>A step on the table, after which the loop looks for effects if there are any.</summary>
    internal T Step<T>(Func<WatchTable, T> step)
    {
        try
        {
            T result;
            bool hasWork;
            lock (_gate)
            {
                var deadline = _table.NextDeadlineMs;
                result = step(_table);
                hasWork = _table.HasEffects || _table.NextDeadlineMs < (deadline ?? long.MaxValue);
            }

            if (hasWork)
                _loop.Wake();
            return result;
        }
        catch (InvariantViolationException broken)
        {
            _loop.Fail(broken);
            throw;
        }
        catch (WatchRefusedException refused)
        {
            // Without the cause: it is Core's, and Core's types do not travel.
            throw new WatchException(RequestTranslation.CodeOf(refused.Code), refused.Message);
        }
    }

    /// <summary>The leader's answer to the registration of a subscription.</summary>
    internal void Registered(SubscriptionId id, HeadsReply reply, Revision head)
    {
        TaskCompletionSource<WatchRegistration>? waiting = null;
        var start = Step(table =>
        {
            // One text for all watches, however many answers it came with.
            if (!string.Equals(Incarnation, reply.Incarnation, StringComparison.Ordinal))
                Incarnation = reply.Incarnation;
            // Asked before the table's step, which ends a watch at once whose start is compacted.
            var asked = table.TryGet(id, out var subscription) ? subscription.StartAt?.Previous : null;
            table.Registered(id, reply.Revision, reply.Compacted, head, NowMs);
            _registering.Remove(id, out waiting);
            return asked ?? reply.Revision;
        });
        waiting?.TrySetResult(new WatchRegistration(id.Value, start, reply.Incarnation));
    }

    /// <summary>The registration of a subscription failed. Whoever still waits for it is told; a watch that is under way tries again.</summary>
    internal void RegisterFailed(SubscriptionId id, WatchException error)
    {
        TaskCompletionSource<WatchRegistration>? waiting = null;
        Step(table =>
        {
            table.RegisterFailed(id, NowMs);
            if (_registering.Remove(id, out waiting))
                table.Unsubscribe(id, EndReason.Disposed);
            return true;
        });
        waiting?.TrySetException(error);
    }
}
