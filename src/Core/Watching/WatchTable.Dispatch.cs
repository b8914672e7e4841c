namespace Watch.Core.Watching;

// The fast path: messages in, revisions into queues.
public sealed partial class WatchTable
{
    /// <summary>A message came. It may be late, early, repeated, or of a scope that nobody watches any more.</summary>
    public void Deliver(BucketId bucket, ScopeMessage message, long nowMs)
    {
        ArgumentNullException.ThrowIfNull(message);
        Invariant.That(message.Previous < message.Revision, "A message's chain goes forward.");
        Invariant.That(message.Changes is not { Count: 0 }, "A message of a revision has its changes, or says that they are too large.");
        if (Feed(bucket, message.Scope) is not { } feed)
        {
            _counters.UnwatchedDropped++;
            return;
        }

        if (!feed.IsStarted)
        {
            Hold(feed, message);
            return;
        }

        Accept(feed, message);
        if (!feed.IsGone)
            Settle(feed, nowMs, waitMs: message.Changes is null && message.Previous <= feed.Cursor ? 0 : _options.HoldMs);
    }

    /// <summary>A confirmed read says that at <paramref name="now"/> the scope's last change was <paramref name="head"/>.</summary>
    private void Learn(ScopeFeed feed, Revision now, Revision head, long nowMs)
    {
        if (head > feed.Cursor)
            feed.Want(head);
        else
            feed.Unchanged(now);
        Settle(feed, nowMs, _options.HoldMs);
    }

    /// <summary>The chain rule, for one message.</summary>
    private void Accept(ScopeFeed feed, ScopeMessage message)
    {
        if (_rules.IsLate(message.Revision, feed.Cursor))
            _counters.DuplicatesDropped++;
        else if (_rules.IsEarly(message.Previous, feed.Cursor))
            Hold(feed, message);
        else if (message.Changes is null)
            feed.Want(message.Revision);
        else
            Dispatch(feed, new Commit(message.Revision, message.Changes), CommitSize.Of(message.Changes));
    }

    private void Hold(ScopeFeed feed, ScopeMessage message)
    {
        if (feed.Held?.Contains(message.Revision) == true)
        {
            _counters.DuplicatesDropped++;
            return;
        }

        // Before the first answer this may turn out to lie behind the start; then it is no gap.
        feed.Want(message.Previous);
        var held = feed.Held ??= new HeldMessages(_options.HeldMessagesMax, _options.HeldBytesMax);
        if (message.Changes is not null && held.TryAdd(message, CommitSize.Of(message.Changes)))
            _counters.MessagesHeld++;
        else
            feed.Want(message.Revision);
    }

    /// <summary>Takes the held messages that have become usable, and sees to what is still missing.</summary>
    private void Settle(ScopeFeed feed, long nowMs, long waitMs)
    {
        while (!feed.IsGone && feed.Held?.TakeNext(feed.Cursor) is { } message)
            Accept(feed, message);
        if (feed.IsGone)
            return;
        if (feed.Held is { Count: 0 })
            feed.Held = null;
        if (feed.HasGap)
            SeeToGap(feed, nowMs, waitMs);
        else if (feed.Repair is { InFlight: null } repair)
        {
            DueList.CallOff(repair);
            repair.Failures = 0;
        }
    }

    /// <summary>Gives a revision to all that are live, and moves the scope's cursor.</summary>
    private void Dispatch(ScopeFeed feed, Commit commit, CommitSize size)
    {
        Invariant.That(commit.Revision > feed.Cursor, "T1: a scope's cursor never goes back.");
        _counters.EventsIn += size.Events;
        feed.Recent?.Add(commit, size);

        // Backwards, since one that ends leaves its place to the last. The cursor moves after all of them: one that ends here
        // was given everything before this revision and nothing of it (T5).
        var before = feed.Cursor;
        for (var i = feed.Groups.Count - 1; i >= 0; i--)
            Dispatch(feed.Groups[i], commit, before, isLast: feed.Joining == 0);
        feed.Changed(commit.Revision);
    }

    private void Dispatch(FormGroup group, Commit commit, Revision before, bool isLast)
    {
        if (group.Live.Count == 0)
            return;
        var made = group.Of(commit);
        // Counted without a look at each of them: those whom a change does not concern cost nothing.
        _counters.EventsFiltered += (long)(commit.Changes.Count - (made?.Events ?? 0)) * group.Live.Count;
        if (made is not { } shared)
            return;
        for (var i = group.Live.Count - 1; i >= 0; i--)
            if (group.Live[i] is var subscription && commit.Revision > subscription.Cursor)
                Offer(subscription, shared, before);
        if (isLast)
            group.Forget();
    }

    private void Offer(Subscription subscription, SharedCommit commit, Revision before)
    {
        var outcome = subscription.Offer(commit, Revision.Max(subscription.Cursor!.Value, before), out var dropped);
        _counters.EventsDropped += dropped;
        if (outcome is SlowOutcome.Kept or SlowOutcome.Dropped)
        {
            subscription.Cursor = commit.Revision;
            _counters.EventsOut += outcome == SlowOutcome.Kept ? commit.Events : 0;
            return;
        }

        Act(subscription, outcome, $"revision {commit.Revision} ({commit.Events} events, {commit.Bytes} bytes) did not fit into", commit.Changes[0].Key);
    }

    /// <summary>Does what the policy of a live subscription left to the table.</summary>
    private void Act(Subscription subscription, SlowOutcome outcome, string problem, Key key)
    {
        if (outcome == SlowOutcome.Park)
        {
            subscription.Feed.Park(subscription);
            _counters.Parked++;
        }
        else if (outcome == SlowOutcome.Cancel)
            End(subscription, EndReason.Slow, $"The watch of {subscription.Target} was canceled: {problem} its queue of {subscription.QueueEventsMax} events and {subscription.QueueBytesMax} bytes.", key);
    }

    /// <summary>Changes what happens when a live change does not fit into a subscription's queue, and its bounds. Smaller bounds put what waits to the new policy at once.</summary>
    /// <param name="id">The subscription. One that has ended is left alone.</param>
    /// <param name="rule">The policy from now on.</param>
    /// <param name="eventsMax">How many events may wait; null leaves that as it is.</param>
    /// <param name="bytesMax">How many bytes may wait; null leaves that as it is.</param>
    /// <param name="nowMs">The time.</param>
    /// <returns>Whether it was there.</returns>
    /// <exception cref="WatchRefusedException">A bound is out of range; nothing was changed.</exception>
    public bool SetPolicy(SubscriptionId id, SlowRule rule, int? eventsMax, long? bytesMax, long nowMs)
    {
        ArgumentNullException.ThrowIfNull(rule);
        if (!_subscriptions.TryGetValue(id, out var subscription))
            return false;
        var (events, bytes) = (eventsMax ?? subscription.QueueEventsMax, bytesMax ?? subscription.QueueBytesMax);
        WatchSpec.ValidateQueue(events, bytes);
        var waits = subscription.QueuedEvents;
        var outcome = subscription.SetPolicy(rule, events, bytes, out var dropped);
        _counters.EventsDropped += dropped;
        Act(subscription, outcome, $"{waits} events waited when its policy was changed, more than", default);
        return true;
    }

    /// <summary>The consumer of a parked subscription asks for more: it reads history from where it was parked.</summary>
    private void Unpark(Subscription subscription, long nowMs)
    {
        subscription.Feed.Unpark(subscription);
        subscription.Feed.KeepRecent(_options);
        CatchUp(subscription, nowMs);
    }

    /// <summary>Puts a revision of history or of the recent ones into a queue, if it fits: as much of it as the subscription's form delivers.</summary>
    private bool TryReplay(Subscription subscription, Commit commit)
    {
        if (subscription.Group.Of(commit) is { } shared)
        {
            if (!subscription.TryReplay(shared, out var dropped))
                return false;
            _counters.EventsDropped += dropped;
            _counters.EventsOut += shared.Events;
        }

        subscription.Cursor = commit.Revision;
        return true;
    }
}
