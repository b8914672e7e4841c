namespace Watch.Core.Watching;

// Registrations that are under way. Each has a number of its own, so that its answer counts only for the scope that it was asked for: the
// subscription's, or an alias while another one is under way under that. Which feed it is about is known by the number, not by the
// subscription, which may have ended or gone to another scope when the answer comes.
public sealed partial class WatchTable
{
    private readonly Dictionary<SubscriptionId, (BucketId Bucket, Scope Scope)> _registering = [];
    private readonly Dictionary<SubscriptionId, SubscriptionId> _aliases = [];

    /// <summary>How many registrations are under way, and questions of any kind: for tests, which show that nothing stays behind.</summary>
    internal int UnderWay => _registering.Count + _aliases.Count + _reads.Count + _snapshots.Count + _abandoned.Count + _asking.Count;

    /// <summary>How much stands in the list of what is due: for tests.</summary>
    internal int DueEntries => _due.Count;

    /// <summary>
    /// The registration of a subscription did not reach the leader, or its answer did not come back; it is repeated. Call this for each
    /// <see cref="WatchEffect.RegisterScope"/> that failed, whether or not its subscription is still there.
    /// </summary>
    public void RegisterFailed(SubscriptionId id, long nowMs)
    {
        var registrant = Registrant(id);
        if (!_registering.Remove(id, out var asked))
            return;
        if (registrant is { State: SubscriptionState.Registering } subscription)
        {
            _counters.QuestionsFailed++;
            var retry = subscription.Retry ??= new RegistrationRetry(subscription);
            _due.Set(retry, nowMs + BackoffMs(retry.Failures++));
        }

        if (Feed(asked.Bucket, asked.Scope) is { } feed && feed.Siblings.Unknown(asked.Scope) is { IsSet: false } unknown)
        {
            _counters.QuestionsFailed++;
            _due.Set(unknown, nowMs + BackoffMs(unknown.Failures++));
        }
    }

    /// <summary>Has the leader told of a scope, or of what a new subscription starts with.</summary>
    private void Register(ScopeFeed feed, SubscriptionId id)
    {
        var number = NumberFor(id);
        _registering[number] = (feed.Bucket, feed.Scope);
        _effects.Add(new WatchEffect.RegisterScope(feed.Bucket, feed.Scope, number));
    }

    /// <summary>Has the leader told again of a scope that it lacks, under the number of whoever follows it now.</summary>
    private void RegisterAgain(UnknownScope unknown)
    {
        unknown.AskedBehind = _lastQuestion;
        Register(unknown.Feed, unknown.Feed.Subscriptions[0].Id);
    }

    /// <summary>A registration was answered, whether or not the subscription is still there: the leader has been told of its scope.</summary>
    /// <returns>The scope's feed, if it has begun.</returns>
    private ScopeFeed? AnsweredRegistration(SubscriptionId id)
    {
        if (!_registering.Remove(id, out var asked))
            return null;
        if (Feed(asked.Bucket, asked.Scope) is { IsStarted: true } feed)
        {
            Told(feed);
            return feed;
        }

        Agreement(asked.Bucket).Told(asked.Scope, hasFeed: false, wasTold: false);
        return null;
    }

    private void Told(ScopeFeed feed)
    {
        Agreement(feed.Bucket).Told(feed.Scope, hasFeed: true, feed.IsTold);
        feed.Told(_lastQuestion);
        feed.Siblings.KnowsOf(feed.Scope);
    }

    private SubscriptionId NumberFor(SubscriptionId id)
    {
        if (!_registering.ContainsKey(id))
            return id;
        var alias = new SubscriptionId(++_lastSubscription);
        _aliases.Add(alias, id);
        return alias;
    }

    /// <summary>Whom the answer to a registration concerns: nobody, if nothing was asked under that number, or that one has ended or has another scope by now.</summary>
    private Subscription? Registrant(SubscriptionId number)
    {
        var id = _aliases.Remove(number, out var own) ? own : number;
        return _registering.TryGetValue(number, out var asked) && _subscriptions.TryGetValue(id, out var subscription) && asked.Scope == subscription.Feed.Scope
            ? subscription
            : null;
    }
}
