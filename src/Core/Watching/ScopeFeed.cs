namespace Watch.Core.Watching;

/// <summary>
/// One watched scope of one bucket on this silo: how far it is complete, what is known to be missing, and who follows it. It
/// holds the facts; <see cref="WatchTable"/> acts on them.
/// </summary>
internal sealed class ScopeFeed(BucketFeeds bucket, Scope scope)
{
    private const long NotTold = long.MaxValue;

    private Few<Subscription> _subscriptions;
    private Few<FormGroup> _groups;
    private Revision _cursor;
    private long _toldBefore = NotTold;

    public BucketId Bucket => bucket.Bucket;

    /// <summary>The bucket's scopes, of which this is one.</summary>
    public BucketFeeds Siblings => bucket;

    public Scope Scope => scope;

    /// <summary>Whether a registration was answered, so that <see cref="Cursor"/> means something.</summary>
    public bool IsStarted { get; private set; }

    /// <summary>Whether its leader has been told of it, as far as this silo knows.</summary>
    public bool IsTold => _toldBefore != NotTold;

    /// <summary>
    /// Whether the last confirmed answer holds for this scope (I-P4): it had started, and its leader had been told of it, before the
    /// question, and nothing is missing.
    /// </summary>
    public bool IsCovered => IsStarted && IsTold && Wanted <= _cursor && bucket.Rules.Covers(_toldBefore, bucket.ConfirmedQuestion);

    /// <summary>
    /// Every change of the scope up to here was given to its live subscriptions. What was confirmed for the whole bucket moves it when it
    /// is looked at: a walk over all feeds for each confirmation would cost more than what happens in them (I-P4).
    /// </summary>
    public Revision Cursor => IsCovered ? Revision.Max(_cursor, bucket.Confirmed) : _cursor;

    /// <summary>No change of the scope lies after this and up to <see cref="Cursor"/>: who has this one is not behind.</summary>
    public Revision LastChange { get; private set; }

    /// <summary>The latest revision that is known to be a change of the scope, or may be one; a gap if it lies after <see cref="Cursor"/>.</summary>
    public Revision Wanted { get; private set; }

    public bool HasGap => IsStarted && Wanted > _cursor;

    /// <summary>Whether it has left the table.</summary>
    public bool IsGone { get; set; }

    /// <summary>How many of its subscriptions are on their way to be live, and do not wait for their consumers.</summary>
    public int Joining { get; private set; }

    public HistoryReader? Repair { get; set; }

    public HeldMessages? Held { get; set; }

    public RecentCommits? Recent { get; private set; }

    public Few<Subscription> Subscriptions => _subscriptions;

    /// <summary>Its subscriptions by form.</summary>
    public Few<FormGroup> Groups => _groups;

    /// <summary>The first answer: every change up to and including <paramref name="now"/> lies before this feed.</summary>
    public void Start(Revision now, Revision head)
    {
        IsStarted = true;
        _cursor = now;
        LastChange = Revision.Min(head, now);
    }

    public void Want(Revision revision)
    {
        // What is missing ends the cover of the confirmed answer; how far that had brought the scope stays (T1).
        Unchanged(Cursor);
        Wanted = Revision.Max(Wanted, revision);
    }

    /// <summary>A change was given to the live subscriptions.</summary>
    public void Changed(Revision revision) => _cursor = LastChange = revision;

    /// <summary>It is known that nothing changed up to here.</summary>
    public void Unchanged(Revision until) => _cursor = Revision.Max(Cursor, until);

    /// <summary>The leader has been told of it: questions after this one cover it.</summary>
    public void Told(long question)
    {
        if (!IsTold)
            _toldBefore = question;
    }

    /// <summary>The leader does not know it, or not any more: no question covers it until it has been told again.</summary>
    public void Untold()
    {
        _cursor = Cursor;
        _toldBefore = NotTold;
    }

    /// <summary>Whatever changed up to here cannot be had any more.</summary>
    public void Lost(Revision until)
    {
        Changed(until);
        Recent?.Restart(until);
    }

    /// <summary>The group of a form, made if there is none.</summary>
    public FormGroup GroupOf(WatchForm form)
    {
        for (var i = 0; i < _groups.Count; i++)
            if (_groups[i].Has(form))
                return _groups[i];
        var group = new FormGroup(this, form);
        _groups.Add(group);
        return group;
    }

    /// <summary>Enters a subscription, which has to join.</summary>
    public void Add(Subscription subscription)
    {
        subscription.Index = _subscriptions.Count;
        _subscriptions.Add(subscription);
        subscription.Group.Members++;
        Joining++;
    }

    /// <summary>A subscription is given another form of the same scope.</summary>
    public void ChangeForm(Subscription subscription, WatchForm form)
    {
        var isLive = subscription.State == SubscriptionState.Live;
        if (isLive)
            subscription.Group.Leave(subscription);
        var group = GroupOf(form);
        group.Members++;
        LeaveGroup(subscription);
        subscription.Group = group;
        if (isLive)
            group.Enter(subscription);
    }

    /// <summary>Takes a subscription out; the last one takes its place.</summary>
    public void Remove(Subscription subscription)
    {
        if (subscription.State == SubscriptionState.Live)
            subscription.Group.Leave(subscription);
        else if (subscription.State != SubscriptionState.Parked && !subscription.Rests)
            Joined();
        subscription.Rests = false;
        LeaveGroup(subscription);
        _subscriptions.RemoveAt(subscription.Index).Index = subscription.Index;
    }

    /// <summary>From now on the subscription is given every change as it comes.</summary>
    public void GoLive(Subscription subscription)
    {
        subscription.State = SubscriptionState.Live;
        subscription.Group.Enter(subscription);
        Joined();
    }

    /// <summary>
    /// A subscription that has to join waits for its consumer, perhaps for ever: meanwhile nothing is kept for it, and what it misses it
    /// reads from history. A silo with many such scopes would hold a full buffer for each else.
    /// </summary>
    public void Rest(Subscription subscription)
    {
        if (subscription.Rests)
            return;
        subscription.Rests = true;
        Joined();
    }

    /// <summary>Its consumer has made room.</summary>
    public void GoOn(Subscription subscription, WatchTableOptions options)
    {
        if (!subscription.Rests)
            return;
        subscription.Rests = false;
        Joining++;
        KeepRecent(options);
    }

    /// <summary>The subscription is given nothing until it joins again.</summary>
    public void Park(Subscription subscription)
    {
        subscription.Group.Leave(subscription);
        subscription.State = SubscriptionState.Parked;
    }

    /// <summary>A parked subscription has to join again.</summary>
    public void Unpark(Subscription subscription)
    {
        subscription.State = SubscriptionState.CatchingUp;
        Joining++;
    }

    /// <summary>Keeps what comes from now on for those that are joining.</summary>
    public void KeepRecent(WatchTableOptions options)
    {
        if (IsStarted && Joining > 0)
            Recent ??= new RecentCommits(LastChange, options.RecentCommitsMax, options.RecentBytesMax);
    }

    private void LeaveGroup(Subscription subscription)
    {
        var group = subscription.Group;
        if (--group.Members > 0)
            return;
        for (var i = 0; i < _groups.Count; i++)
            if (ReferenceEquals(_groups[i], group))
            {
                _groups.RemoveAt(i);
                return;
            }
    }

    private void Joined()
    {
        if (--Joining > 0)
            return;
        Recent = null;
        for (var i = 0; i < _groups.Count; i++)
            _groups[i].Forget();
    }
}
