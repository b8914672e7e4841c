namespace Watch.Core.Watching;

// The sure path: what messages did not bring is read from history, for a scope with a gap or for a subscription that is behind.
public sealed partial class WatchTable
{
    /// <summary>Does what has become due: asks history about gaps that did not close by themselves, repeats what failed.</summary>
    public void Tick(long nowMs)
    {
        while (_due.TakeDue(nowMs) is { } due)
        {
            switch (due)
            {
                case SnapshotReader reader:
                    GoOn(reader, nowMs);
                    break;
                case HistoryReader { Subscription: { } subscription }:
                    CatchUp(subscription, nowMs);
                    break;
                case HistoryReader { Feed: var feed }:
                    if (feed.HasGap)
                        Want(feed.Repair!);
                    break;
                case Freshness freshness:
                    Act(freshness, nowMs);
                    break;
                case RegistrationRetry { Subscription: var subscription }:
                    Register(subscription.Feed, subscription.Id);
                    break;
                case UnknownScope unknown:
                    RegisterAgain(unknown);
                    break;
            }
        }
    }

    /// <summary>The consumer of a subscription has made room for more replay.</summary>
    public void Continue(SubscriptionId id, long nowMs)
    {
        if (_subscriptions.TryGetValue(id, out var parked) && parked.State == SubscriptionState.Parked)
            Unpark(parked, nowMs);
        else if (_subscriptions.TryGetValue(id, out var subscription) && subscription is { State: SubscriptionState.CatchingUp, Reader: not { InFlight: not null } and not { IsSet: true } and not { IsQueued: true } })
            CatchUp(subscription, nowMs);
        else if (subscription is { State: SubscriptionState.Snapshotting, Snapshot: { InFlight: null, IsSet: false, IsQueued: false } reader })
            GoOn(reader, nowMs);
    }

    /// <summary>History's answer.</summary>
    /// <param name="id">The question. An answer that nobody waits for any more is dropped.</param>
    /// <param name="piece">What it has; the rest is asked for in pieces if it is short.</param>
    /// <param name="nowMs">The time.</param>
    public void Fetched(FetchId id, HistoryPiece piece, long nowMs)
    {
        ArgumentNullException.ThrowIfNull(piece);
        if (Answered(id) is not { } readers)
            return;

        Invariant.That(piece.Left > 0 || piece.Commits.Count == 0 || piece.Commits[^1].Revision <= piece.Reached, "History's answer reaches its own last revision.");
        var commits = readers[0].Complete(piece);
        foreach (var reader in readers)
            reader.Share(readers[0]);
        Together(() =>
        {
            if (commits is null)
            {
                Backoff(readers, nowMs);
                return;
            }

            foreach (var reader in readers)
                reader.Failures = 0;
            if (readers[0].Subscription is not null)
                Replay(readers, commits, piece.Reached, nowMs);
            else
                Repair(readers[0].Feed, commits, piece.Reached, nowMs);
        });
    }

    /// <summary>History could not be asked, or did not answer in time; the question is repeated after a while.</summary>
    public void FetchFailed(FetchId id, long nowMs)
    {
        if (Answered(id) is { } readers)
            Backoff(readers, nowMs);
        Serve();
    }

    /// <summary>History does not reach back to the question's start any more.</summary>
    /// <param name="id">The question. An answer that nobody waits for any more is dropped.</param>
    /// <param name="firstAvailable">The earliest revision of which history has the changes.</param>
    /// <param name="nowMs">The time.</param>
    public void FetchCompacted(FetchId id, Revision firstAvailable, long nowMs)
    {
        Together(() =>
        {
            if (Answered(id) is not { } readers)
                return;
            // All of them asked behind the same revision.
            if (firstAvailable.Previous <= readers[0].After)
            {
                Backoff(readers, nowMs);
                return;
            }

            foreach (var reader in readers)
                if (reader.Subscription is { } subscription)
                    EndCompacted(subscription, firstAvailable, nowMs);
                else
                    Lose(reader.Feed, firstAvailable, nowMs);
        });
    }

    /// <summary>Those who get an answer together join the line before anybody asks on, so that they stay together.</summary>
    private void Together(Action answer)
    {
        _isAnswering = true;
        try
        {
            answer();
        }
        finally
        {
            // Whatever went wrong with one of them, the line goes on for everybody else.
            _isAnswering = false;
            Serve();
        }
    }

    /// <summary>Who asked, one at least; null where nobody waits for the answer any more.</summary>
    private List<HistoryReader>? Answered(FetchId id)
    {
        if (!_reads.Remove(id, out var readers))
        {
            EndAbandoned(id.Value);
            return null;
        }

        foreach (var reader in readers)
            reader.InFlight = null;
        Line(readers[0]).Ended();
        return readers;
    }

    /// <summary>Changes that messages did not bring, for everyone who is live.</summary>
    private void Repair(ScopeFeed feed, IReadOnlyList<Commit> commits, Revision reached, long nowMs)
    {
        var before = feed.Cursor;
        for (var i = 0; i < commits.Count && !feed.IsGone; i++)
            if (commits[i].Revision > feed.Cursor)
                Dispatch(feed, commits[i], CommitSize.Of(commits[i].Changes));
        if (feed.Cursor > before)
            _counters.GapsRepaired++;
        if (feed.IsGone)
            return;

        feed.Unchanged(reached);
        Settle(feed, nowMs, waitMs: 0);
    }

    /// <summary>Changes that the scope missed are gone: all who needed them end, those who start later stay.</summary>
    private void Lose(ScopeFeed feed, Revision firstAvailable, long nowMs)
    {
        // Messages may have closed the gap while the answer was under way.
        if (firstAvailable.Previous > feed.Cursor && feed.HasGap)
        {
            for (var i = feed.Subscriptions.Count - 1; i >= 0; i--)
                if (feed.Subscriptions[i] is { State: SubscriptionState.Live } subscription && subscription.Cursor < firstAvailable.Previous)
                    EndCompactedAt(subscription, firstAvailable, nowMs);
            if (feed.IsGone)
                return;
            feed.Lost(firstAvailable.Previous);
        }

        Settle(feed, nowMs, waitMs: 0);
    }

    private void EndCompactedAt(Subscription subscription, Revision firstAvailable, long nowMs)
    {
        subscription.Cursor = Revision.Max(subscription.Cursor!.Value, subscription.Feed.Cursor);
        EndCompacted(subscription, firstAvailable, nowMs);
    }

    /// <summary>A piece of history for those who asked for it together, as far as their queues take it. Each revision is made once for all of a form.</summary>
    private void Replay(List<HistoryReader> readers, IReadOnlyList<Commit> commits, Revision reached, long nowMs)
    {
        var refused = new Commit?[readers.Count];
        foreach (var commit in commits)
            for (var i = 0; i < readers.Count; i++)
                if (refused[i] is null && readers[i].Subscription is { } subscription && commit.Revision > subscription.Cursor && !TryReplay(subscription, commit))
                    refused[i] = commit;
        for (var i = 0; i < readers.Count; i++)
            EndReplay(readers[i], readers[i].Subscription!, refused[i], reached, nowMs);
    }

    private void EndReplay(HistoryReader reader, Subscription subscription, Commit? refused, Revision reached, long nowMs)
    {
        if (refused is not null)
        {
            reader.TakenWhole = 0;
            WaitForRoom(subscription, refused, nowMs);
            return;
        }

        reader.TakenWhole = TakesAllThatIsRead(subscription) ? 0 : reader.TakenWhole + 1;
        subscription.Cursor = Revision.Max(subscription.Cursor!.Value, reached);
        CatchUp(subscription, nowMs);
    }

    /// <summary>Brings a subscription as far as it can get now: live, if nothing lies between; else on its way through history.</summary>
    private void CatchUp(Subscription subscription, long nowMs)
    {
        var feed = subscription.Feed;
        feed.GoOn(subscription, _options);
        if (feed.Recent is { } recent && subscription.Cursor >= recent.From)
            foreach (var (commit, _) in recent.After(subscription.Cursor.Value))
                if (!TryReplay(subscription, commit))
                {
                    WaitForRoom(subscription, commit, nowMs);
                    return;
                }

        // Live, a change that does not fit is put to the slow policy. So it goes live with room in its queue only: that a replay
        // filled it says nothing about the consumer.
        if (!subscription.HasRoomOrWaits(1, 1))
        {
            feed.Rest(subscription);
            return;
        }

        if (_rules.MayGoLive(subscription.Cursor!.Value, feed.LastChange))
        {
            subscription.Reader = null;
            feed.GoLive(subscription);
        }
        else
        {
            Want(subscription.Reader ??= new HistoryReader(feed, subscription));
        }
    }

    private void WaitForRoom(Subscription subscription, Commit commit, long nowMs)
    {
        // The consumer may have drained the queue since it refused: then it will tell nobody, and there is room now.
        if (subscription.Group.Of(commit) is { } shared && subscription.HasRoomOrWaits(shared.Events, shared.Bytes))
            CatchUp(subscription, nowMs);
        else
            subscription.Feed.Rest(subscription);
    }

    private void SeeToGap(ScopeFeed feed, long nowMs, long waitMs)
    {
        var reader = feed.Repair ??= new HistoryReader(feed, null);
        if (reader.InFlight is not null || reader.IsQueued || reader is { Failures: > 0, IsSet: true })
            return;
        if (waitMs == 0)
            Want(reader);
        else if (!reader.IsSet)
            _due.Set(reader, nowMs + waitMs);
    }

    // One question failed, however many asked it together.
    private void Backoff(IReadOnlyList<Reading> readers, long nowMs)
    {
        _counters.QuestionsFailed++;
        foreach (var reader in readers)
            Again(reader, nowMs);
    }

    private void Again(Reading reader, long nowMs)
    {
        if (reader is not HistoryReader { Subscription: null, Feed.HasGap: false })
            _due.Set(reader, nowMs + BackoffMs(reader.Failures++));
        else
            reader.Failures = 0;
    }

    private long BackoffMs(int failures)
    {
        var mostMs = Math.Min(_options.RetryMaxMs, _options.RetryMinMs << Math.Min(failures, 20));
        return _random.NextInt64((mostMs + 1) / 2, mostMs + 1);
    }
}
