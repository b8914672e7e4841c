namespace Watch.Core.Watching;

/// <summary>Where a subscription stands in its table.</summary>
public enum SubscriptionState
{
    /// <summary>The leader has not answered its registration yet.</summary>
    Registering = 0,

    /// <summary>It reads history, and follows its scope once it has caught up.</summary>
    CatchingUp = 1,

    /// <summary>It is given every change of its scope as it comes.</summary>
    Live = 2,

    /// <summary>It has left its table.</summary>
    Ended = 3,

    /// <summary>It was too slow and gave up its queue; it reads history once its consumer asks for more.</summary>
    Parked = 4,

    /// <summary>It reads the keys of its target as they stand, before it follows their changes.</summary>
    Snapshotting = 5,
}

/// <summary>
/// One watch: a cursor and a bounded queue between the dispatcher, which fills it, and a consumer, which drains it on whatever
/// thread it likes.
/// </summary>
/// <remarks>
/// The queue is guarded by a lock, the only one in Core: it is the one place where two threads meet, and a dispatcher that had
/// to be asked for every batch would make each consumer wait for all the others. Nothing is called while the lock is held. The lock is
/// that of this object, which is nobody else's to take, and what most watches never need is made when they do: a process may have a
/// million of them that are idle.
/// Everything else is changed by the table alone, under the rule that its calls are serialized.
/// </remarks>
public sealed partial class Subscription
{
    private const long None = -1;

    private readonly long _startAt;
    private long _registeredAt = None;
    private long _cursor;
    private WatchTarget? _target;
    private SubscriptionQueue? _queue;
    // An action, or a consumer: one that is its own wake-up costs no delegate.
    private object? _ready;

    internal Subscription(SubscriptionId id, WatchSpec terms, WatchTarget target, Revision? startAt, FormGroup group, long nowMs)
    {
        (Id, Terms, Group, WhenSlow, BegunMs) = (id, terms, group, terms.WhenSlow, nowMs);
        Target = target;
        // Whatever lies before the first revision means the same as that one.
        _startAt = startAt is { } start ? Math.Max(1, start.Value) : None;
        Cursor = StartAt?.Previous;
    }

    /// <summary>Its number in the table.</summary>
    public SubscriptionId Id { get; }

    /// <summary>What it asked for when it began, with the target that it has now: made for each who asks. Read it where the table's calls are serialized.</summary>
    public WatchSpec Spec => Terms with { Target = Target, StartAt = StartAt };

    /// <summary>For people: the session of its client; null where the reader is in this process.</summary>
    public string? Session => Terms.Session;

    /// <summary>The first revision that it asked for; null for the one behind its registration.</summary>
    public Revision? StartAt => Of(_startAt);

    /// <summary>What it is about now. Read it where the table's calls are serialized.</summary>
    public WatchTarget Target
    {
        get => _target ?? WatchTarget.Of(Group.Form.Filter.Scope);
        // One that is a whole scope need not be kept: set it when the group is.
        internal set => _target = value.Kind is TargetKind.Key or TargetKind.Prefix or TargetKind.Bucket ? null : value;
    }

    /// <summary>What happens now when a live change does not fit into its queue. Read it where the table's calls are serialized.</summary>
    public SlowRule WhenSlow { get; internal set; }

    /// <summary>Where it stands. Read it where the table's calls are serialized.</summary>
    public SubscriptionState State { get; internal set; }

    /// <summary>
    /// The revision that the leader named in its answer; null until then. Without a start of its own the subscription gets
    /// everything after it and nothing at or before it. Read it where the table's calls are serialized.
    /// </summary>
    public Revision? RegisteredAt
    {
        get => Of(_registeredAt);
        internal set => _registeredAt = value?.Value ?? None;
    }

    /// <summary>
    /// The revision up to which all changes of the target are in the queue or taken; null before the start is known.
    /// Read it where the table's calls are serialized.
    /// </summary>
    public Revision? Cursor
    {
        get => Of(_cursor);
        internal set => _cursor = value?.Value ?? None;
    }

    /// <summary>How many events wait for the consumer.</summary>
    public int QueuedEvents
    {
        get
        {
            lock (Gate)
                return _queue?.Events ?? 0;
        }
    }

    /// <summary>How many bytes wait for the consumer.</summary>
    public long QueuedBytes
    {
        get
        {
            lock (Gate)
                return _queue?.Bytes ?? 0;
        }
    }

    /// <summary>How many events may wait for the consumer.</summary>
    public int QueueEventsMax
    {
        get
        {
            lock (Gate)
                return _queue?.EventsMax ?? Terms.QueueEventsMax;
        }
    }

    /// <summary>How many bytes may wait for the consumer.</summary>
    public long QueueBytesMax
    {
        get
        {
            lock (Gate)
                return _queue?.BytesMax ?? Terms.QueueBytesMax;
        }
    }

    /// <summary>How many events its policy has dropped, or let newer ones overtake.</summary>
    public long Dropped
    {
        get
        {
            lock (Gate)
                return _queue?.Dropped ?? 0;
        }
    }

    /// <summary>
    /// Called when there is something to take after there was nothing, and when the subscription ends; at once if that is so
    /// when it is set. It runs on the dispatcher's thread: it should wake the consumer and return, must not call the table, and
    /// must not throw.
    /// </summary>
    public Action? Ready
    {
        get => _ready as Action;
        set => WakeBy(value);
    }

    /// <summary>As <see cref="Ready"/>, in place of it: who is woken.</summary>
    public IWatchConsumer? Consumer
    {
        get => _ready as IWatchConsumer;
        set => WakeBy(value);
    }

    /// <summary>All that it asked for but its target and start, shared with others that asked the same.</summary>
    internal WatchSpec Terms { get; }

    /// <summary>Those of the scope that have the same form.</summary>
    internal FormGroup Group { get; set; }

    /// <summary>The scope that serves it.</summary>
    internal ScopeFeed Feed => Group.Feed;

    /// <summary>Its place among the scope's subscriptions.</summary>
    internal int Index { get; set; }

    /// <summary>Its place among the live ones of its form.</summary>
    internal int LiveIndex { get; set; }

    /// <summary>Up to where nothing of the target is missing: of a live one the scope may have passed without a change for it (T2).</summary>
    internal Revision? EffectiveCursor => State == SubscriptionState.Live ? Revision.Max(Cursor!.Value, Feed.Cursor) : Cursor;

    /// <summary>
    /// Takes what waits: parts up to both limits, at least one; or, when none waits any more, the final notice, once.
    /// Any thread may call this, one at a time.
    /// </summary>
    /// <param name="eventsMax">How many events to take at most; a revision that has more is taken whole, alone. With 0 only parts without events are taken.</param>
    /// <param name="bytesMax">How many bytes to take at most; a revision of several changes that has more is taken in fragments, a single change that has more alone.</param>
    /// <param name="items">What was taken.</param>
    /// <returns>Whether there was anything.</returns>
    public bool TryTake(int eventsMax, long bytesMax, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out WatchItems? items)
    {
        bool hasRoom;
        lock (Gate)
        {
            items = Take(eventsMax, bytesMax);
            hasRoom = RoomWanted is { } wanted && _queue is not { IsEnded: true } && HasRoom(wanted.Events, wanted.Bytes);
            if (hasRoom)
                RoomWanted = null;
        }

        if (hasRoom)
            Feed.Siblings.RoomAvailable(Id);
        return items is not null;
    }

    private WatchItems? Take(int eventsMax, long bytesMax)
    {
        if (!IsReady)
            return null;
        var queue = Queue;
        var previous = queue.Taken;
        if (queue.Take(eventsMax, bytesMax) is { Count: > 0 } parts)
            return new WatchItems { Number = ++queue.Takes, Previous = previous, Revision = queue.Taken, Parts = parts };
        if (queue.IsEmpty && OwesAny)
            return new WatchItems { Number = ++queue.Takes, Previous = previous, Parts = TakeOwed(), Revision = queue.Taken };
        return queue.TakeEnd() is { } end
            ? new WatchItems { Number = ++queue.Takes, Previous = previous, Revision = end.Cursor, Parts = [], End = end }
            : null;
    }

    /// <summary>The start is known: everything after it will come.</summary>
    internal void Start(Revision cursor)
    {
        Cursor = cursor;
        lock (Gate)
        {
            if (_queue is { } queue)
                queue.Taken = cursor;
        }
    }

    /// <summary>Adds a replayed revision if it fits.</summary>
    internal bool TryReplay(SharedCommit commit, out long dropped)
    {
        bool added, wasReady;
        lock (Gate)
        {
            (wasReady, dropped) = (IsReady, -Queue.Dropped);
            added = WhenSlow.TryReplay(Queue, commit);
            dropped += Queue.Dropped;
        }

        Tell(added && !wasReady);
        return added;
    }

    /// <summary>Adds a part that has no events.</summary>
    internal void Add(WatchPart part)
    {
        bool wasReady;
        lock (Gate)
        {
            wasReady = IsReady;
            Queue.Add(part);
            WithholdAmidSnapshot(part);
        }

        Tell(!wasReady);
    }

    /// <summary>Adds a page of a snapshot if it fits.</summary>
    internal bool TryAdd(SharedPage page)
    {
        bool added, wasReady;
        lock (Gate)
        {
            wasReady = IsReady;
            added = Queue.TryAdd(page);
        }

        Tell(added && !wasReady);
        return added;
    }

    /// <summary>Adds a live revision, or does what its policy says where it does not fit.</summary>
    /// <param name="commit">The revision.</param>
    /// <param name="before">Up to where nothing was missing before it.</param>
    /// <param name="dropped">How many events its policy left out.</param>
    internal SlowOutcome Offer(SharedCommit commit, Revision before, out long dropped)
    {
        var outcome = SlowOutcome.Kept;
        bool becameReady;
        lock (Gate)
        {
            var wasReady = IsReady;
            Queue.IsCompleteTo(before);
            dropped = -Queue.Dropped;
            if (!Queue.TryAdd(commit))
                outcome = WhenSlow.DoesNotFit(Queue, commit);
            dropped += Queue.Dropped;
            if (outcome == SlowOutcome.Park)
                Park();
            becameReady = !wasReady && IsReady;
        }

        Tell(becameReady);
        return outcome;
    }

    /// <summary>Changes policy and bounds. A live one puts what waits to the new policy at once; one that replays has what it has, and waits.</summary>
    internal SlowOutcome SetPolicy(SlowRule rule, int eventsMax, long bytesMax, out long dropped)
    {
        lock (Gate)
        {
            dropped = 0;
            WhenSlow = rule;
            Queue.SetBounds(eventsMax, bytesMax);
            if (State != SubscriptionState.Live || !Queue.IsTooFull)
                return SlowOutcome.Kept;
            dropped = -Queue.Dropped;
            var outcome = rule.IsTooMuch(Queue);
            dropped += Queue.Dropped;
            if (outcome == SlowOutcome.Park)
                Park();
            return outcome;
        }
    }

    // The consumer tells the table when it has taken what is left, which may be nothing.
    private void Park()
    {
        var cursor = Queue.Park();
        OweNoMoreThan(cursor);
        if (Feed.Siblings.Rules.ParksAtTaken)
            Cursor = cursor;
        RoomWanted = (int.MaxValue, long.MaxValue);
    }

    /// <summary>How many events and bytes can be added.</summary>
    internal (int Events, long Bytes) Room()
    {
        lock (Gate)
            return _queue is { } queue
                ? (Math.Max(1, queue.EventsMax - queue.Events), Math.Max(1, queue.BytesMax - queue.Bytes))
                : (Terms.QueueEventsMax, Terms.QueueBytesMax);
    }

    /// <summary>Puts the final notice into the slot kept for it.</summary>
    internal void End(EndNotice notice)
    {
        State = SubscriptionState.Ended;
        lock (Gate)
        {
            Queue.End(notice);
            OweNothing();
            RoomWanted = null;
        }

        Tell(true);
    }

    // Nobody else locks a subscription, and a lock of its own would be a third of what an idle one takes.
    private object Gate => this;

    // Made when the first thing comes that it has to hold.
    private SubscriptionQueue Queue => _queue ??= new SubscriptionQueue(Terms.QueueEventsMax, Terms.QueueBytesMax, Feed.Siblings.Rules) { Taken = Taken };

    // Until something was queued, what was taken is what lies before the start.
    private Revision? Taken => _queue is { } queue ? queue.Taken : StartAt?.Previous ?? RegisteredAt;

    private bool HasRoom(int events, long bytes) => _queue?.HasRoomToReplay(events, bytes) ?? true;

    private static Revision? Of(long revision) => revision == None ? null : new Revision(revision);

    private void WakeBy(object? ready)
    {
        bool isReady;
        lock (Gate)
        {
            _ready = ready;
            isReady = IsReady;
        }

        Tell(isReady);
    }

    private void Tell(bool isReady)
    {
        if (!isReady)
            return;
        switch (_ready)
        {
            case IWatchConsumer consumer:
                consumer.Wake();
                break;
            case Action ready:
                ready();
                break;
        }
    }
}
