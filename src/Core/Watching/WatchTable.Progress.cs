namespace Watch.Core.Watching;

// What shows that nothing was missed where no message comes: the question about progress, at a cost that depends on what changed.
//
//   I-P0  A question travels in the order of registrations and withdrawals, one call at a time.
//   I-P1  Its answer is a read confirmed by a majority after it came.
//   I-P2  The leader names a scope until an answer that named it with its last head is acknowledged (see DirtyScopes).
//   I-P3  Every head in an answer is wanted by its feed, whether or not that has started: what is acknowledged is never said again.
//   I-P4  A scope that an answer does not name, which is whole and agrees on the scopes, has not changed up to its revision. That holds
//         for a feed of which the leader had been told before the question was sent, once nothing is missing in it.
//   I-P5  Two that do not agree twice running are reconciled by an answer with all scopes; where those are too many for one, the leader
//         forgets them and says that it has none, so that all are registered anew.
//         A scope that has begun and that the leader is known to lack is registered until it has it: till then both do not agree,
//         whatever they have counted, for nobody else would notice that it is missing.
//   I-P6  How fresh a agreement is counts from when the question was sent, by this silo's clock.
public sealed partial class WatchTable
{
    private readonly Dictionary<BucketId, BucketAgreement> _agreements = [];
    private long _lastQuestion;

    /// <summary>A question about the progress of a bucket leaves now, in the order of registrations and withdrawals (I-P0).</summary>
    public ProgressAsk BeginProgress(BucketId bucket, long nowMs) => Agreement(bucket).Begin(bucket, ++_lastQuestion, nowMs);

    /// <summary>
    /// The answer. It finds a message that was lost and followed by none, scopes that the leader does not know (they are registered
    /// again), and scopes that it knows in vain; and where it agrees, everything else is complete up to its revision.
    /// </summary>
    /// <param name="ask">The question; an answer that comes after the question was given up, or after a later one was sent, is dropped.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="nowMs">The time.</param>
    public void Progress(ProgressAsk ask, BucketProgress answer, long nowMs)
    {
        ArgumentNullException.ThrowIfNull(answer);
        if (!_agreements.TryGetValue(ask.Bucket, out var agreement) || !agreement.End(ask.Question))
            return;

        if (answer.IsAll)
            Reconcile(ask, agreement, answer.Heads);
        foreach (var (scope, head) in answer.Heads)
            TakeIn(ask.Bucket, agreement, scope, head, answer.Revision, nowMs);
        var feeds = _feeds.GetValueOrDefault(ask.Bucket);
        agreement.Take(answer, lacksScopes: feeds?.HasUnknown == true);
        if (answer is { Agrees: true, More: false } && feeds is not null)
        {
            feeds.Confirm(ask.Question, answer.Revision, agreement.SentMs, answer.ConfirmedWallMs);
            TellAskers(ask.Bucket, ask.Question);
        }

        if (answer.More || agreement.WantsAll || answer is { IsAll: true, Agrees: false })
            Want(ask.Bucket, agreement);
        Forget(ask.Bucket, agreement);
    }

    /// <summary>A question about progress was not answered. The next one comes with the shell's next interval.</summary>
    public void ProgressFailed(ProgressAsk ask, long nowMs)
    {
        if (!_agreements.TryGetValue(ask.Bucket, out var agreement) || !agreement.End(ask.Question))
            return;
        _counters.QuestionsFailed++;
        Forget(ask.Bucket, agreement);
    }

    /// <summary>The leader was asked to forget a scope, and has, or nobody knows whether it has.</summary>
    public void Withdrawn(BucketId bucket, Scope scope)
    {
        if (!_agreements.TryGetValue(bucket, out var agreement))
            return;
        agreement.Left(scope);
        Forget(bucket, agreement);
    }

    /// <summary>One head of an answer (I-P3).</summary>
    private void TakeIn(BucketId bucket, BucketAgreement agreement, Scope scope, Revision head, Revision now, long nowMs)
    {
        if (Feed(bucket, scope) is { IsStarted: true } feed)
            Learn(feed, now, head, nowMs);
        else if (Feed(bucket, scope) is { } unstarted)
        {
            if (_rules.WantsBeforeStart)
                unstarted.Want(head);
        }
        else if (!agreement.IsLeaving(scope))
        {
            agreement.Told(scope, hasFeed: false, wasTold: false);
            _effects.Add(new WatchEffect.UnregisterScope(bucket, scope));
        }
    }

    /// <summary>All scopes that the leader has for this silo are known (I-P5): what it lacks is registered again, what it has in vain is withdrawn.</summary>
    private void Reconcile(ProgressAsk ask, BucketAgreement agreement, IReadOnlyList<ScopeHead> heads)
    {
        var named = heads.Select(each => each.Scope).ToHashSet();
        agreement.LeftUnless(named);
        if (!_feeds.TryGetValue(ask.Bucket, out var feeds))
            return;
        foreach (var feed in feeds.Scopes.Values)
        {
            var isNamed = named.Contains(feed.Scope);
            if (feed.IsTold && !isNamed)
            {
                agreement.Unknown(feed.Scope);
                feed.Untold();
                RegisterAgain(feeds.Lacks(feed));
            }
            else if (isNamed && !feed.IsTold && feed.IsStarted)
                Told(feed);
            else if (isNamed && !feed.IsTold)
                agreement.Told(feed.Scope, hasFeed: false, wasTold: false);
            else if (feeds.Unknown(feed.Scope) is { IsSet: false } unknown && unknown.AskedBehind < ask.Question)
                RegisterAgain(unknown);
        }
    }

    /// <summary>Has the shell ask about a bucket; one question that has not been sent serves all who want one.</summary>
    private void Want(BucketId bucket, BucketAgreement agreement)
    {
        if (agreement.IsWanted)
            return;
        agreement.IsWanted = true;
        _effects.Add(new WatchEffect.AskProgress(bucket));
    }

    private BucketAgreement Agreement(BucketId bucket)
    {
        if (!_agreements.TryGetValue(bucket, out var agreement))
            _agreements.Add(bucket, agreement = new BucketAgreement());
        return agreement;
    }

    /// <summary>Of a bucket that nobody watches, and of which the leader has nothing, nothing is kept.</summary>
    private void Forget(BucketId bucket, BucketAgreement agreement)
    {
        if (agreement is { Scopes: 0, UnderWay: 0, IsWanted: false } && !_feeds.ContainsKey(bucket))
            _agreements.Remove(bucket);
    }
}
