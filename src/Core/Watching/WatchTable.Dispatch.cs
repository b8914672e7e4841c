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
        if (message.Revision <= feed.Cursor)
            _counters.DuplicatesDropped++;
        else if (message.Previous > feed.Cursor)
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
        for (var i = feed.Subscriptions.Count - 1; i >= 0; i--)
            if (feed.Subscriptions[i] is { State: SubscriptionState.Live } subscription && commit.Revision > subscription.Cursor)
                Offer(subscription, commit, size);
        feed.Changed(commit.Revision);
    }

    private void Offer(Subscription subscription, Commit commit, CommitSize size)
    {
        switch (subscription.Offer(commit, size))
        {
            case null:
                subscription.Cursor = commit.Revision;
                _counters.EventsOut += size.Events;
                break;
            case SlowOutcome.Cancel:
                End(subscription, EndReason.Slow, $"The watch of {subscription.Spec.Target} was canceled: revision {commit.Revision} ({size.Events} events, {subscription.BytesOf(size)} bytes) did not fit into its queue of {subscription.Spec.QueueEventsMax} events and {subscription.Spec.QueueBytesMax} bytes.", commit.Changes[0].Key);
                break;
        }
    }
}
