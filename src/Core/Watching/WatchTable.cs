using System.Diagnostics.CodeAnalysis;

namespace Watch.Core.Watching;

/// <summary>
/// The dispatcher of one silo: a cursor per watched scope, and the subscriptions that follow it.
/// </summary>
/// <remarks>
/// <para>The problem: messages about a scope may be lost, repeated and reordered on their way, subscriptions come and go at any
/// moment, each with a start of its own, and each has to see the committed changes of its scope after that start in order and
/// once, or a prefix of them and then a notice that says so. History (the log) has every change but is dear to ask; messages
/// are the fast path.</para>
/// <para>The idea: every message names the revision of its scope's change before it. A scope that is complete up to its cursor L
/// drops what is at or before L, takes what continues at or before L, and holds anything else for a moment: most inversions
/// are two messages that overtook each other. If the missing one does not come, history is asked for the gap. What no later
/// message reveals, the periodic progress question does: its answer names the scope's last change.</para>
/// <para>A subscription has a cursor of its own. It is live, and takes part in every dispatch, exactly when the scope has had no
/// change after that cursor that it was not given; until then it replays history by itself, at the pace of its consumer, and
/// nobody else notices. The last piece between history and live comes from the scope's recent revisions, in one step.</para>
/// <list type="bullet">
/// <item>T1: a scope's cursor never goes back, and every change up to it was given to every subscription that was live.</item>
/// <item>T2: a live subscription is given every dispatched revision after its cursor, whole, in order; none at or before it.</item>
/// <item>T3: a subscription goes live only when no change of the scope lies after its cursor and up to the scope's.</item>
/// <item>T4: recent revisions are read only by a subscription that has everything before them.</item>
/// <item>T5: a subscription that ends leaves the table in that step, and its notice's cursor covers exactly what is queued before it.</item>
/// <item>T6: one question to history is under way per scope and per subscription at most; an answer that nobody waits for is dropped.</item>
/// </list>
/// <para>A crash loses the table and nothing else: subscribers resume elsewhere at their cursors. A new leader knows no scopes;
/// the next progress registers them again and its heads show what was missed between.</para>
/// <para>Not thread-safe: the shell serializes all calls. The table calls nothing but <see cref="Subscription.Ready"/>; what it
/// wants done it says in effects, which the shell takes after each call. Time is the shell's monotonic clock in milliseconds.</para>
/// </remarks>
public sealed partial class WatchTable
{
    private readonly WatchTableOptions _options;
    private readonly Random _random;
    private readonly Action<SubscriptionId> _roomAvailable;
    private readonly WatchRules _rules;
    private readonly Dictionary<BucketId, BucketFeeds> _feeds = [];
    private readonly Dictionary<SubscriptionId, Subscription> _subscriptions = [];
    private readonly Dictionary<FetchId, List<HistoryReader>> _reads = [];
    private readonly DueList _due = new();
    private readonly WatchCounters _counters = new();
    private List<WatchEffect> _effects = [];
    private WatchSpec? _terms;
    private long _lastSubscription;
    private long _lastFetch;
    private bool _isStopping;

    /// <summary>An empty table.</summary>
    /// <param name="options">Limits and times.</param>
    /// <param name="random">Spreads retries, so that the scopes of a silo do not all ask a new leader at once.</param>
    /// <param name="roomAvailable">
    /// Called on a consumer's thread, inside <see cref="Subscription.TryTake"/>, when a replay that waited for room can go on: it
    /// must hand the number to the thread of the table, which calls <see cref="Continue"/>, and must not throw.
    /// </param>
    /// <param name="rules">For tests that break a rule; <see cref="WatchRules.Kept"/> unless given.</param>
    public WatchTable(WatchTableOptions options, Random random, Action<SubscriptionId> roomAvailable, WatchRules? rules = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(random);
        ArgumentNullException.ThrowIfNull(roomAvailable);
        options.Validate();
        (_options, _random, _roomAvailable, _rules) = (options, random, roomAvailable, rules ?? WatchRules.Kept);
        (_repairs, _catchUps) = (new CatchUpQueue(options.RepairsInFlightMax), new CatchUpQueue(options.FetchesInFlightMax));
    }

    /// <summary>When <see cref="Tick"/> has something to do next; null while nothing is waited for.</summary>
    public long? NextDeadlineMs => _due.NextMs;

    /// <summary>Whether there are effects to take.</summary>
    public bool HasEffects => _effects.Count > 0;

    /// <summary>What the table holds and has done.</summary>
    public WatchStats Stats => _counters.Snapshot(_subscriptions.Count, _feeds.Values.Sum(feeds => feeds.Scopes.Count));

    /// <summary>The subscriptions, for people to look at. Do not change the table while walking them.</summary>
    public IReadOnlyCollection<Subscription> Subscriptions => _subscriptions.Values;

    /// <summary>The buckets of which something is watched: those to ask for progress.</summary>
    public IReadOnlyCollection<BucketId> Buckets => _feeds.Keys;

    /// <summary>Takes what the shell has to do, in order.</summary>
    public IReadOnlyList<WatchEffect> TakeEffects()
    {
        if (_effects.Count == 0)
            return [];
        var effects = _effects;
        _effects = [];
        return effects;
    }

    /// <summary>The watched scopes of a bucket: what to register with a new leader.</summary>
    public IReadOnlyList<Scope> ScopesOf(BucketId bucket) => _feeds.TryGetValue(bucket, out var feeds) ? [.. feeds.Scopes.Keys] : [];

    /// <summary>How many subscriptions follow a scope.</summary>
    public int CountOf(BucketId bucket, Scope scope) => Feed(bucket, scope)?.Subscriptions.Count ?? 0;

    /// <summary>The subscription with this number, unless it has ended.</summary>
    public bool TryGet(SubscriptionId id, [NotNullWhen(true)] out Subscription? subscription) => _subscriptions.TryGetValue(id, out subscription);

    /// <summary>
    /// Begins a watch. Its registration goes out as an effect; from the answer on it delivers.
    /// </summary>
    /// <exception cref="WatchRefusedException">The request is not valid, or this silo takes none (any more).</exception>
    public Subscription Subscribe(WatchSpec spec, long nowMs)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var form = Admit(spec);
        var feed = FeedOrNew(spec.Bucket, form.Filter.Scope);
        var subscription = new Subscription(new SubscriptionId(++_lastSubscription), TermsOf(spec), spec.Target, spec.StartAt, feed.GroupOf(form), nowMs);
        _subscriptions.Add(subscription.Id, subscription);
        _counters.Joined(spec);
        feed.Add(subscription);
        feed.KeepRecent(_options);
        Register(feed, subscription.Id);
        return subscription;
    }

    /// <summary>What a watch asks that others ask, too: the same object for one after the other that asks the same of its target.</summary>
    private WatchSpec TermsOf(WatchSpec spec)
    {
        var terms = spec with { Target = WatchTarget.Bucket, StartAt = null };
        return _terms == terms ? _terms : _terms = terms;
    }

    private WatchForm Admit(WatchSpec spec)
    {
        if (!_options.Enabled)
            throw new WatchRefusedException(WatchRefusal.WatchDisabled, "Watching is disabled by configuration.");
        if (_isStopping)
            throw new WatchRefusedException(WatchRefusal.ShuttingDown, "This silo is shutting down and takes no watchers.");
        var form = spec.Validate();
        if (spec.StaleAfterMs < _options.StaleAfterMsMin || spec.StaleAfterMs > _options.StaleAfterMsMax)
            throw new WatchRefusedException(WatchRefusal.OptionOutOfRange, $"StaleAfter is {spec.StaleAfterMs} ms: this silo allows {_options.StaleAfterMsMin} to {_options.StaleAfterMsMax}.");
        if (_subscriptions.Count >= _options.WatchersMax)
            throw new WatchRefusedException(WatchRefusal.WatcherLimitReached, $"This silo serves {_subscriptions.Count} watchers: at most {_options.WatchersMax} are allowed.");
        return form;
    }

    /// <summary>
    /// The leader's answer to <see cref="WatchEffect.RegisterScope"/>: in one confirmed read, the revision from which on this
    /// silo is told of the scope, and what history has.
    /// </summary>
    /// <param name="id">The subscription of the effect. An answer for one that has ended is dropped.</param>
    /// <param name="now">The bucket's revision: every later change of the scope names this silo.</param>
    /// <param name="compactedThrough">The revision up to which history is compacted.</param>
    /// <param name="head">The revision of the scope's last change, at most <paramref name="now"/>.</param>
    /// <param name="nowMs">The time.</param>
    public void Registered(SubscriptionId id, Revision now, Revision compactedThrough, Revision head, long nowMs)
    {
        Invariant.That(head <= now && compactedThrough <= now, "A registration's answer names nothing after its own revision.");
        if (Registrant(id) is not { } subscription)
        {
            if (AnsweredRegistration(id) is { } others)
                Learn(others, now, head, nowMs);
            return;
        }

        var feed = subscription.Feed;
        if (!feed.IsStarted)
        {
            feed.Start(now, head);
            feed.KeepRecent(_options);
        }

        AnsweredRegistration(id);
        if (subscription.State == SubscriptionState.Registering)
            Begin(subscription, now, compactedThrough, nowMs);
        if (!feed.IsGone)
            Learn(feed, now, head, nowMs);
    }

    private void Begin(Subscription subscription, Revision now, Revision compactedThrough, long nowMs)
    {
        DueList.CallOff(subscription.Retry);
        subscription.Retry = null;
        // One that has other targets since it began keeps its cursor.
        var isMoved = subscription.RegisteredAt is not null;
        var cursor = isMoved ? subscription.Cursor!.Value : subscription.StartAt?.Previous ?? now;
        if (!isMoved)
        {
            subscription.RegisteredAt = now;
            subscription.Start(cursor);
            if (subscription.Retargeted is { From: null } changed)
                subscription.Add(new WatchPart.TargetsChanged(cursor, changed.Version));
        }

        subscription.State = SubscriptionState.CatchingUp;
        BeginFreshness(subscription, nowMs);
        if (subscription.Terms.Snapshot && (isMoved || subscription.StartAt is null))
            Snapshot(subscription, isMoved ? Revision.Max(now, cursor) : now, isResync: isMoved, nowMs);
        else if (cursor < compactedThrough)
            EndCompacted(subscription, compactedThrough.Next, nowMs);
        else
            CatchUp(subscription, nowMs);
    }

    /// <summary>Ends a subscription, if it has not ended yet. Returns whether it was there.</summary>
    public bool Unsubscribe(SubscriptionId id, EndReason reason, string? message = null)
    {
        if (!_subscriptions.TryGetValue(id, out var subscription))
            return false;
        End(subscription, reason, message ?? $"The watch of {subscription.Target} ended: {Words(reason)}.");
        return true;
    }

    /// <summary>Ends every subscription. After <see cref="EndReason.ServerStopping"/> new ones are refused.</summary>
    public void EndAll(EndReason reason)
    {
        _isStopping |= reason == EndReason.ServerStopping;
        foreach (var subscription in _subscriptions.Values.ToArray())
            Unsubscribe(subscription.Id, reason);
    }

    /// <summary>A bucket was deleted: its subscriptions end, and there is no leader to tell.</summary>
    public void BucketDeleted(BucketId bucket)
    {
        _asking.Remove(bucket);
        if (!_feeds.Remove(bucket, out var feeds))
            return;
        _agreements.Remove(bucket);
        // What is answered from here on says nothing about anybody.
        foreach (var (number, _) in _registering.Where(each => each.Value.Bucket == bucket).ToList())
        {
            _registering.Remove(number);
            _aliases.Remove(number);
        }

        foreach (var feed in feeds.Scopes.Values)
        {
            feed.IsGone = true;
            Forget(feed.Repair);
            feeds.KnowsOf(feed.Scope);
            for (var i = feed.Subscriptions.Count - 1; i >= 0; i--)
                Unsubscribe(feed.Subscriptions[i].Id, EndReason.BucketDeleted);
        }
    }

    private void End(Subscription subscription, EndReason reason, string message, Key key = default, Revision? firstAvailable = null)
    {
        var feed = subscription.Feed;
        // What the scope has passed without a change for it is as good as delivered (T2), and a later cursor outlives compaction longer.
        subscription.Cursor = subscription.EffectiveCursor;
        _subscriptions.Remove(subscription.Id);
        DueList.CallOff(subscription.Retry);
        DueList.CallOff(subscription.Freshness);
        Forget(subscription.Reader);
        Forget(subscription.Snapshot);
        feed.Remove(subscription);
        _counters.Left(subscription.Terms, reason);
        subscription.End(new EndNotice { Reason = reason, Cursor = subscription.Cursor, Message = message, Key = key, FirstAvailable = firstAvailable });
        if (feed.Subscriptions.Count == 0 && !feed.IsGone)
            Remove(feed);
    }

    private void Remove(ScopeFeed feed)
    {
        feed.IsGone = true;
        Forget(feed.Repair);
        var feeds = feed.Siblings;
        feeds.Scopes.Remove(feed.Scope);
        feeds.KnowsOf(feed.Scope);
        if (feeds.Scopes.Count == 0)
        {
            // All who asked for progress are gone.
            _feeds.Remove(feed.Bucket);
            _asking.Remove(feed.Bucket);
        }

        if (feed.IsTold)
            Agreement(feed.Bucket).Leaving(feed.Scope);
        _effects.Add(new WatchEffect.UnregisterScope(feed.Bucket, feed.Scope));
    }

    private void EndCompacted(Subscription subscription, Revision firstAvailable, long nowMs)
    {
        if (subscription.Terms.Snapshot)
            Snapshot(subscription, Revision.Max(firstAvailable.Previous, subscription.Cursor!.Value), isResync: true, nowMs);
        else
            EndCompacted(subscription, firstAvailable);
    }

    private void EndCompacted(Subscription subscription, Revision firstAvailable) =>
        End(subscription, EndReason.Compacted, $"The watch of {subscription.Target} needs revision {subscription.Cursor!.Value.Next} next, but history begins at {firstAvailable}.", firstAvailable: firstAvailable);

    private ScopeFeed? Feed(BucketId bucket, Scope scope) =>
        _feeds.TryGetValue(bucket, out var feeds) && feeds.Scopes.TryGetValue(scope, out var feed) ? feed : null;

    private ScopeFeed FeedOrNew(BucketId bucket, Scope scope)
    {
        if (!_feeds.TryGetValue(bucket, out var feeds))
            _feeds.Add(bucket, feeds = new BucketFeeds(bucket, _rules, _roomAvailable));
        if (!feeds.Scopes.TryGetValue(scope, out var feed))
            feeds.Scopes.Add(scope, feed = new ScopeFeed(feeds, scope));
        return feed;
    }

    private static string Words(EndReason reason) => reason switch
    {
        EndReason.Disposed => "its owner ended it",
        EndReason.ClientLost => "its client is gone",
        EndReason.Slow => "its consumer is too slow",
        EndReason.Compacted => "history no longer has what it needs",
        EndReason.BucketDeleted => "the bucket was deleted",
        EndReason.Unauthorized => "its client may not read what it watches",
        EndReason.ServerStopping => "this silo is stopping",
        EndReason.CallbackFailed => "its callback failed",
        EndReason.CallbackTimedOut => "its callback took too long",
        EndReason.WatchDisabled => "watching was switched off",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, $"The reason is {(int)reason}: 1 to 10 are allowed."),
    };
}
