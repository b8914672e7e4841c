namespace Watch.Core.Watching;

// What a subscription that asked for it is told beside its changes: how far it is, as of when, and that nobody has confirmed that for
// longer than it allows. There is no timer and no question per watch: it is said from what the bucket's questions have confirmed.
//
//   I-P6  A subscription is complete as of a confirmed question if it is live and that question covers its scope. The time counts from
//         when the question was sent.
//   I-P7  Progress(R) is taken behind every part up to R. It is made at the take, when nothing waits before it, and never queued twice.
//   I-P8  Between Stale and the next Progress nothing claims freshness: one that is stale is told nothing until it is fresh again.
public sealed partial class WatchTable
{
    private readonly Dictionary<BucketId, List<Freshness>> _asking = [];

    /// <summary>
    /// A subscription wants to know how far it is: the bucket's leader is asked, after this, and then it is told, once, however often it asked.
    /// </summary>
    public void AskProgress(SubscriptionId id, long nowMs)
    {
        if (!_subscriptions.TryGetValue(id, out var subscription))
            return;
        var freshness = subscription.Freshness ??= new Freshness(subscription) { FreshMs = nowMs };
        if (freshness.AskedAt == long.MaxValue)
        {
            if (!_asking.TryGetValue(subscription.Terms.Bucket, out var asking))
                _asking.Add(subscription.Terms.Bucket, asking = []);
            asking.Add(freshness);
        }

        // A question that was sent before does not count: what it confirms may be older than what the asker has seen elsewhere.
        freshness.AskedAt = _lastQuestion;
        Want(subscription.Terms.Bucket, Agreement(subscription.Terms.Bucket));
    }

    /// <summary>
    /// The answer to a question confirmed a bucket: those who had asked before it are told. One in whose scope something is missing is
    /// told when the next one is confirmed, for what it needs to know is whether it has everything.
    /// </summary>
    private void TellAskers(BucketId bucket, long question)
    {
        if (!_asking.Remove(bucket, out var asking))
            return;
        var still = new List<Freshness>();
        foreach (var freshness in asking)
        {
            if (freshness.Subscription.State == SubscriptionState.Ended)
                continue;
            if (freshness.AskedAt >= question || freshness.Subscription is { State: SubscriptionState.Live, Feed.IsCovered: false } || !Tell(freshness))
                still.Add(freshness);
            else
                freshness.AskedAt = long.MaxValue;
        }

        if (still.Count > 0)
            _asking.Add(bucket, still);
    }

    /// <summary>A subscription has begun: from now on its times run.</summary>
    private void BeginFreshness(Subscription subscription, long nowMs)
    {
        var spec = subscription.Terms;
        if (subscription.Freshness is { NextMs: not Due.Never } || (spec.ProgressIntervalMs is null && spec.StaleAfterMs is null))
            return;
        var freshness = subscription.Freshness ??= new Freshness(subscription);
        freshness.FreshMs = nowMs;
        if (spec.ProgressIntervalMs is { } interval)
            freshness.TellMs = nowMs + WithJitter(interval);
        if (spec.StaleAfterMs is { } after)
            freshness.LookMs = nowMs + LookEvery(after);
        _due.Set(freshness, freshness.NextMs);
    }

    private void Act(Freshness freshness, long nowMs)
    {
        var spec = freshness.Subscription.Terms;
        if (freshness.LookMs <= nowMs)
        {
            LookWhetherStale(freshness, nowMs);
            freshness.LookMs = nowMs + LookEvery(spec.StaleAfterMs!.Value);
        }

        if (freshness.TellMs <= nowMs)
        {
            Tell(freshness);
            // A tick that was missed is not made up for.
            freshness.TellMs = Math.Max(freshness.TellMs, nowMs - spec.ProgressIntervalMs!.Value) + WithJitter(spec.ProgressIntervalMs.Value);
            freshness.TellMs = Math.Max(freshness.TellMs, nowMs + 1);
        }

        _due.Set(freshness, freshness.NextMs);
    }

    private static void LookWhetherStale(Freshness freshness, long nowMs)
    {
        freshness.Refresh();
        var silentMs = nowMs - freshness.FreshMs;
        if (silentMs < freshness.Subscription.Terms.StaleAfterMs)
        {
            if (freshness.IsStale)
                Tell(freshness);
        }
        else if (!freshness.IsStale)
        {
            (freshness.IsStale, freshness.StaleSinceMs) = (true, freshness.FreshMs);
            freshness.Subscription.Owe(new WatchPart.Stale(silentMs));
        }
    }

    /// <summary>Has a subscription told how far it is. Returns whether that was possible.</summary>
    private static bool Tell(Freshness freshness)
    {
        freshness.Refresh();
        if (freshness.Subscription.EffectiveCursor is not { } cursor || (freshness.IsStale && freshness.FreshMs <= freshness.StaleSinceMs))
            return false;
        // A snapshot says nothing about any revision before all of it was read.
        if (freshness.Subscription.State is SubscriptionState.Snapshotting or SubscriptionState.Registering)
            return false;
        freshness.IsStale = false;
        freshness.Subscription.Owe(new WatchPart.Progress(Reached(freshness.Subscription, cursor), freshness.FreshWallMs));
        return true;
    }

    /// <summary>The cursor; before a start that is to come, what has come: nobody is told of a revision that there is not.</summary>
    private static Revision Reached(Subscription subscription, Revision cursor) => subscription.IsBeforeStart(cursor)
        ? Revision.Min(cursor, Revision.Max(subscription.Feed.Cursor, subscription.Feed.Siblings.Confirmed))
        : cursor;

    private static long LookEvery(long staleAfterMs) => Math.Max(1, staleAfterMs / 4);

    private long WithJitter(long intervalMs) => _random.NextInt64(intervalMs - (intervalMs / 10), intervalMs + (intervalMs / 10) + 1);
}
