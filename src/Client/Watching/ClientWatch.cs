using System.Collections.Immutable;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>
/// One registration of one watch of a session: what arrived of it and its reader has not taken yet, bounded by the credit it granted.
/// </summary>
/// <remarks>
/// I-D2: steps have consecutive numbers from 1 and form a chain; whatever else arrives gives the registration up. I-D4: credit is granted
/// when something is handed to the reader, not when it arrives; the pieces of a revision that is larger than the credit count as handed
/// over, for without the rest the reader can have none of it. Nothing is taken before the reader first waits, so that the queue of a watch
/// that nobody reads holds as much as it says; where that is little, nothing is ever taken ahead of the reader: credit for one event is
/// granted when it waits. The session writes, one reader reads; both on any thread.
/// </remarks>
internal sealed class ClientWatch(ClientSession session, WatchRequest request, long windowBytes) : IWatchFeed
{
    private readonly Lock _gate = new();
    private readonly Queue<Arrived> _arrived = [];
    private Arrived? _news;
    private volatile IWatchConsumer? _consumer;
    private WatchRegistration? _registration;
    private volatile SessionLink? _link;
    private List<WatchEvent>? _pieces;
    private Revision? _cursor;
    private long _steps;
    private long _takenEvents;
    private long _takenBytes;
    private long _toldEvents;
    private long _toldBytes;
    private int _window = session.WindowOf(request.QueueEventsMax);
    private bool _isOver;
    private bool _hasBegun;

    /// <summary>The client's number of it.</summary>
    public long Number => request.Watch;

    /// <summary>What is asked for.</summary>
    public WatchRequest Request => request;

    /// <summary>Whether the server has answered its registration.</summary>
    public bool IsRegistered => Volatile.Read(ref _registration) is not null;

    public WatchRegistration Registration => _registration ?? throw new InvalidOperationException("The watch is not registered yet.");

    /// <summary>It is about to be registered there.</summary>
    public void BelongTo(SessionLink link) => _link = link;

    /// <summary>The server has answered.</summary>
    public void Registered(WatchRegistration registration) => Volatile.Write(ref _registration, registration);

    /// <summary>Nothing more comes: the reader gets what is here, and then that the way was lost.</summary>
    public void Lose()
    {
        lock (_gate)
            _isOver = true;
        _consumer?.Wake();
    }

    /// <summary>Takes a step in. False where it does not follow the last one, or where it was the last.</summary>
    /// <exception cref="FormatException">A block is malformed.</exception>
    public bool TakeIn(WatchStep step, BlockEvents blocks, out WatchEndReason end)
    {
        var (events, handed, isWhole) = Read(step, blocks, out end);
        lock (_gate)
        {
            if (_isOver || step.Number != _steps + 1 || (_cursor is { } cursor && step.Previous != cursor))
            {
                _isOver = true;
                _consumer?.Wake();
                return false;
            }

            _steps++;
            _cursor = step.Revision;
            if (isWhole)
                Arrive(new Arrived(step, events, handed.Events, handed.Bytes));
            else
                (_takenEvents, _takenBytes) = (_takenEvents + handed.Events, _takenBytes + handed.Bytes);
            _isOver = end != WatchEndReason.None;
        }

        _consumer?.Wake();
        if (!isWhole && TakesNothingAhead)
            Ask();
        else if (!isWhole)
            GrantIfDue();
        return end == WatchEndReason.None;
    }

    public IWatchConsumer? Consumer
    {
        set
        {
            bool isReady;
            lock (_gate)
            {
                _consumer = value;
                isReady = _isOver || _arrived.Count > 0 || _news is not null;
            }

            if (isReady)
                value?.Wake();
        }
    }

    public bool TryNext(out WatchBatch? batch)
    {
        Arrived next;
        bool isOver;
        lock (_gate)
        {
            isOver = _isOver;
            if (TryLeave(out next))
                (_takenEvents, _takenBytes) = (_takenEvents + next.EventCount, _takenBytes + next.Bytes);
        }

        batch = null;
        if (next.Step is { } step)
        {
            GrantIfDue();
            batch = new WatchBatch(Registration.SubscriptionId, step.Previous, step.Revision, next.Events, Number: step.Number);
            return true;
        }

        if (!isOver)
            Ask();
        return isOver;
    }

    /// <summary>What the reader has room for, in all since the registration; the server is told now.</summary>
    public Credit TellCredit()
    {
        lock (_gate)
        {
            _toldEvents = _takenEvents;
            _toldBytes = _takenBytes;
            return new Credit(Number, _takenEvents + _window, _takenBytes + windowBytes);
        }
    }

    public Task<RetargetReply> RetargetAsync(WatchTarget target, long version, CancellationToken cancellationToken) =>
        session.CallAsync(link => link.Grain.Retarget(link.Epoch, Number, target, version), _link, cancellationToken);

    public async Task SetPolicyAsync(SlowPolicy policy, int? eventsMax, long? bytesMax, CancellationToken cancellationToken)
    {
        await session.CallAsync(link => AsResult(link.Grain.SetPolicy(link.Epoch, Number, policy, eventsMax, bytesMax)), _link, cancellationToken);
        if (eventsMax is null)
            return;
        // What was granted stays granted: a smaller window holds when that is used up.
        bool isWider;
        lock (_gate)
        {
            var window = session.WindowOf(eventsMax);
            isWider = _hasBegun && window > _window;
            _window = window;
        }

        if (isWider)
            _link?.Grant(this);
    }

    public Task AskProgressAsync(CancellationToken cancellationToken) =>
        session.CallAsync(link => AsResult(link.Grain.AskProgress(link.Epoch, [Number])), _link, cancellationToken);

    public ValueTask DisposeAsync()
    {
        Lose();
        _link?.Leave(this);
        session.LookAgain();
        return default;
    }

    /// <summary>One more is here. How far the watch is needs no credit: while its reader takes nothing, only the last word of it is kept.</summary>
    private void Arrive(in Arrived next)
    {
        if (IsNews(next.Events))
        {
            _news = _news?.Step is { } before ? next with { Step = next.Step! with { Previous = before.Previous } } : next;
            return;
        }

        if (_news is { } news)
            _arrived.Enqueue(news);
        _news = null;
        _arrived.Enqueue(next);
    }

    private bool TryLeave(out Arrived next)
    {
        if (_arrived.TryDequeue(out next))
            return true;
        next = _news.GetValueOrDefault();
        var hasNews = _news is not null;
        _news = null;
        return hasNews;
    }

    private static bool IsNews(ImmutableArray<WatchEvent> events)
    {
        foreach (var each in events)
        {
            if (each.Type is not (WatchEventType.Progress or WatchEventType.Stale))
                return false;
        }

        return true;
    }

    private static async Task<bool> AsResult(Task call)
    {
        await call;
        return true;
    }

    private bool TakesNothingAhead => _window == 1;

    /// <summary>The reader waits.</summary>
    private void Ask()
    {
        lock (_gate)
        {
            if (_isOver || (_hasBegun && (!TakesNothingAhead || _toldEvents == _takenEvents)))
                return;
            _hasBegun = true;
        }

        _link?.Grant(this);
    }

    private void GrantIfDue()
    {
        bool isDue;
        lock (_gate)
            isDue = !_isOver && !TakesNothingAhead && (_takenEvents - _toldEvents >= (_window + 1) / 2 || _takenBytes - _toldBytes >= windowBytes / 2);
        if (isDue)
            _link?.Grant(this);
    }

    /// <summary>A step's events, and what they count for; not whole while a revision's last piece has not come.</summary>
    private (ImmutableArray<WatchEvent> Events, (long Events, long Bytes) Handed, bool IsWhole) Read(WatchStep step, BlockEvents blocks, out WatchEndReason end)
    {
        end = WatchEndReason.None;
        long count = 0, bytes = 0;
        ImmutableArray<WatchEvent>.Builder? several = null;
        ImmutableArray<WatchEvent> single = [];
        foreach (var part in step.Parts)
        {
            if (part.Kind is StepKind.Events or StepKind.Fragment or StepKind.LastFragment or StepKind.SnapshotItems)
            {
                var (_, events, length) = blocks.Of(part.Block);
                count += events.Length;
                bytes += length;
                if (part.Kind == StepKind.Fragment)
                    (_pieces ??= []).AddRange(events);
                else if (part.Kind == StepKind.LastFragment && _pieces is { } pieces)
                    Append([.. pieces, .. events]);
                else
                    Append(events);
                if (part.Kind == StepKind.LastFragment)
                    _pieces = null;
            }
            else
            {
                var marker = StepEvents.Of(part, step.Revision);
                end = marker.Reason;
                Append([marker]);
            }
        }

        var all = several?.DrainToImmutable() ?? single;
        return (all, (count, bytes), all.Length > 0 || step.Revision > step.Previous);

        // What a step is most often, one revision, is handed on as it was read: every watch of it shares the array.
        void Append(ImmutableArray<WatchEvent> more)
        {
            if (single.IsEmpty && several is null)
            {
                single = more;
                return;
            }

            several ??= single.ToBuilder();
            several.AddRange(more);
        }
    }

    private readonly record struct Arrived(WatchStep? Step, ImmutableArray<WatchEvent> Events, long EventCount, long Bytes);
}
