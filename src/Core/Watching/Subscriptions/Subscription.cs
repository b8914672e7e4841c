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
/// to be asked for every batch would make each consumer wait for all the others. Nothing is called while the lock is held.
/// Everything else is changed by the table alone, under the rule that its calls are serialized.
/// </remarks>
public sealed partial class Subscription
{
    private readonly Lock _lock = new();
    private readonly SubscriptionQueue _queue;
    private readonly Action<SubscriptionId> _roomAvailable;
    // An action, or a consumer: one that is its own wake-up costs no delegate.
    private object? _ready;
    private long _takes;
    private (int Events, long Bytes)? _roomWanted;

    internal Subscription(SubscriptionId id, WatchSpec spec, ScopeFeed feed, FormGroup group, Action<SubscriptionId> roomAvailable)
    {
        (Id, Spec, Feed, Group, _roomAvailable) = (id, spec, feed, group, roomAvailable);
        (WhenSlow, Target) = (spec.WhenSlow, spec.Target);
        _queue = new SubscriptionQueue(spec.QueueEventsMax, spec.QueueBytesMax, feed.Siblings.Rules);
        Cursor = _queue.Taken = spec.StartAt?.Previous;
    }

    /// <summary>Its number in the table.</summary>
    public SubscriptionId Id { get; }

    /// <summary>What it asked for when it began.</summary>
    public WatchSpec Spec { get; }

    /// <summary>What it is about now. Read it where the table's calls are serialized.</summary>
    public WatchTarget Target { get; internal set; }

    /// <summary>What happens now when a live change does not fit into its queue. Read it where the table's calls are serialized.</summary>
    public SlowRule WhenSlow { get; internal set; }

    /// <summary>Where it stands. Read it where the table's calls are serialized.</summary>
    public SubscriptionState State { get; internal set; }

    /// <summary>
    /// The revision that the leader named in its answer; null until then. Without a start of its own the subscription gets
    /// everything after it and nothing at or before it. Read it where the table's calls are serialized.
    /// </summary>
    public Revision? RegisteredAt { get; internal set; }

    /// <summary>
    /// The revision up to which all changes of the target are in the queue or taken; null before the start is known.
    /// Read it where the table's calls are serialized.
    /// </summary>
    public Revision? Cursor { get; internal set; }

    /// <summary>How many events wait for the consumer.</summary>
    public int QueuedEvents
    {
        get
        {
            lock (_lock)
                return _queue.Events;
        }
    }

    /// <summary>How many bytes wait for the consumer.</summary>
    public long QueuedBytes
    {
        get
        {
            lock (_lock)
                return _queue.Bytes;
        }
    }

    /// <summary>How many events may wait for the consumer.</summary>
    public int QueueEventsMax
    {
        get
        {
            lock (_lock)
                return _queue.EventsMax;
        }
    }

    /// <summary>How many bytes may wait for the consumer.</summary>
    public long QueueBytesMax
    {
        get
        {
            lock (_lock)
                return _queue.BytesMax;
        }
    }

    /// <summary>How many events its policy has dropped, or let newer ones overtake.</summary>
    public long Dropped
    {
        get
        {
            lock (_lock)
                return _queue.Dropped;
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

    /// <summary>The scope that serves it.</summary>
    internal ScopeFeed Feed { get; set; }

    /// <summary>Those of the scope that have the same form.</summary>
    internal FormGroup Group { get; set; }

    /// <summary>The last change of its targets, if there was one.</summary>
    internal Retargeted? Retargeted { get; set; }

    /// <summary>Its place among the scope's subscriptions.</summary>
    internal int Index { get; set; }

    /// <summary>Its place among the live ones of its form.</summary>
    internal int LiveIndex { get; set; }

    /// <summary>Whether it has to join, but waits for its consumer: no recent revisions are kept for it.</summary>
    internal bool Rests { get; set; }

    /// <summary>Up to where nothing of the target is missing: of a live one the scope may have passed without a change for it (T2).</summary>
    internal Revision? EffectiveCursor => State == SubscriptionState.Live ? Revision.Max(Cursor!.Value, Feed.Cursor) : Cursor;

    /// <summary>Its reading of history, from the first time it needs one.</summary>
    internal HistoryReader? Reader { get; set; }

    /// <summary>Its reading of the keys as they are, while it does.</summary>
    internal SnapshotReader? Snapshot { get; set; }

    /// <summary>Its attempts to register, from the first failure.</summary>
    internal RegistrationRetry? Retry { get; set; }

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
        lock (_lock)
        {
            items = Take(eventsMax, bytesMax);
            hasRoom = _roomWanted is { } wanted && !_queue.IsEnded && _queue.HasRoomToReplay(wanted.Events, wanted.Bytes);
            if (hasRoom)
                _roomWanted = null;
        }

        if (hasRoom)
            _roomAvailable(Id);
        return items is not null;
    }

    private WatchItems? Take(int eventsMax, long bytesMax)
    {
        var previous = _queue.Taken;
        if (_queue.Take(eventsMax, bytesMax) is { Count: > 0 } parts)
            return new WatchItems { Number = ++_takes, Previous = previous, Revision = _queue.Taken, Parts = parts };
        if (_queue.IsEmpty && (_progress is not null || _stale is not null))
            return new WatchItems { Number = ++_takes, Previous = previous, Parts = TakeOwed(), Revision = _queue.Taken };
        return _queue.TakeEnd() is { } end
            ? new WatchItems { Number = ++_takes, Previous = previous, Revision = end.Cursor, Parts = [], End = end }
            : null;
    }

    /// <summary>The start is known: everything after it will come.</summary>
    internal void Start(Revision cursor)
    {
        Cursor = cursor;
        lock (_lock)
            _queue.Taken = cursor;
    }

    /// <summary>Adds a replayed revision if it fits.</summary>
    internal bool TryReplay(SharedCommit commit)
    {
        bool added, wasReady;
        lock (_lock)
        {
            wasReady = IsReady;
            added = WhenSlow.TryReplay(_queue, commit);
        }

        Tell(added && !wasReady);
        return added;
    }

    /// <summary>Adds a part that has no events.</summary>
    internal void Add(WatchPart part)
    {
        bool wasReady;
        lock (_lock)
        {
            wasReady = IsReady;
            _queue.Add(part);
        }

        Tell(!wasReady);
    }

    /// <summary>Adds a page of a snapshot if it fits.</summary>
    internal bool TryAdd(SharedPage page)
    {
        bool added, wasReady;
        lock (_lock)
        {
            wasReady = IsReady;
            added = _queue.TryAdd(page);
        }

        Tell(added && !wasReady);
        return added;
    }

    /// <summary>Adds a live revision, or does what its policy says where it does not fit.</summary>
    /// <param name="commit">The revision.</param>
    /// <param name="before">Up to where nothing was missing before it.</param>
    internal SlowOutcome Offer(SharedCommit commit, Revision before)
    {
        var outcome = SlowOutcome.Kept;
        bool becameReady;
        lock (_lock)
        {
            var wasReady = IsReady;
            _queue.IsCompleteTo(before);
            if (!_queue.TryAdd(commit))
                outcome = WhenSlow.DoesNotFit(_queue, commit);
            if (outcome == SlowOutcome.Park)
                Park();
            becameReady = !wasReady && IsReady;
        }

        Tell(becameReady);
        return outcome;
    }

    /// <summary>Changes policy and bounds. A live one puts what waits to the new policy at once; one that replays has what it has, and waits.</summary>
    internal SlowOutcome SetPolicy(SlowRule rule, int eventsMax, long bytesMax)
    {
        lock (_lock)
        {
            WhenSlow = rule;
            _queue.SetBounds(eventsMax, bytesMax);
            if (State != SubscriptionState.Live || !_queue.IsTooFull)
                return SlowOutcome.Kept;
            var outcome = rule.IsTooMuch(_queue);
            if (outcome == SlowOutcome.Park)
                Park();
            return outcome;
        }
    }

    // The consumer tells the table when it has taken what is left, which may be nothing.
    private void Park()
    {
        var cursor = _queue.Park();
        OweNoMoreThan(cursor);
        if (Feed.Siblings.Rules.ParksAtTaken)
            Cursor = cursor;
        _roomWanted = (int.MaxValue, long.MaxValue);
    }

    /// <summary>Whether replay can go on now. If not, the table is told once the consumer has made room for this much.</summary>
    internal bool HasRoomOrWaits(int events, long bytes)
    {
        lock (_lock)
        {
            var hasRoom = _queue.HasRoomToReplay(events, bytes);
            _roomWanted = hasRoom ? null : (events, bytes);
            return hasRoom;
        }
    }

    /// <summary>What waits, all at one moment.</summary>
    internal QueueLook Look()
    {
        lock (_lock)
            return new QueueLook(_queue.Taken, _queue.Events, _queue.Bytes, _queue.OldestWallMs, _roomWanted is not null);
    }

    /// <summary>How many events and bytes can be added.</summary>
    internal (int Events, long Bytes) Room()
    {
        lock (_lock)
            return (Math.Max(1, _queue.EventsMax - _queue.Events), Math.Max(1, _queue.BytesMax - _queue.Bytes));
    }

    /// <summary>Puts the final notice into the slot kept for it.</summary>
    internal void End(EndNotice notice)
    {
        State = SubscriptionState.Ended;
        lock (_lock)
        {
            _queue.End(notice);
            (_progress, _stale) = (null, null);
            _roomWanted = null;
        }

        Tell(true);
    }

    private void WakeBy(object? ready)
    {
        bool isReady;
        lock (_lock)
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

/// <summary>A subscription's queue at one moment.</summary>
internal readonly record struct QueueLook(Revision? Taken, int Events, long Bytes, long? OldestWallMs, bool WaitsForRoom);
