using System.Collections.Immutable;
using Orleans;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>
/// A client's session: one for all its watches. It is opened for the first watch and closed behind the last one.
/// </summary>
/// <remarks>
/// Whoever wants a watch stands in a queue; one call at a time registers all who stand there, at most
/// <see cref="IWatchSessionGrain.RegistrationsMax"/>, and each is answered for itself. When the session is lost, all its watches are: their
/// streams wait out one common pause and come back with their cursors, so that a thousand watches cost one more call, not a thousand.
/// Thread-safe.
/// </remarks>
internal sealed class ClientSession(IGrainFactory grains, Sessions sessions, WatchClientOptions options, TimeProvider time, IWatchRandom random, CancellationToken gone)
{
    /// <summary>A watch whose queue is to hold fewer events than this is asked for one event at a time.</summary>
    private const int SmallQueue = 64;

    private static readonly TimeSpan s_stopJitter = TimeSpan.FromMilliseconds(200);

    private readonly Lock _gate = new();
    private readonly List<Pending> _pending = [];
    // Those that have not ended: one that is lost says so to its server still.
    private readonly HashSet<SessionLink> _links = [];
    private readonly ReadySignal _wake = new();
    private readonly Backoff _backoff = new(options, time, random);
    private SessionLink? _link;
    private Task? _pausing;
    private Task _running = Task.CompletedTask;
    private bool _isRunning;
    private bool _isClosed;
    private bool _serverStopped;
    private long _numbers;

    /// <summary>Registers a watch.</summary>
    public async Task<IWatchFeed> OpenAsync(WatchRequest request, CancellationToken cancellationToken)
    {
        var pending = new Pending(() => new ClientWatch(this, request with { Watch = Interlocked.Increment(ref _numbers) }, options.CreditBytes));
        lock (_gate)
        {
            if (_isClosed)
                throw GrainWatchClient.Disposed();
            _pending.Add(pending);
            // It ends behind the last watch, and its failures are told to those who wait.
            if (!_isRunning)
                _running = OwnContext.Start(RunAsync);
            _isRunning = true;
        }

        _wake.Set();
        try
        {
            // Not WaitAsync: its hand-over would leave the caller's scheduler for the thread pool.
            await using var canceled = cancellationToken.Register(() => pending.Answer.TrySetCanceled(cancellationToken));
            return await pending.Answer.Task;
        }
        catch
        {
            lock (_gate)
                _pending.Remove(pending);
            await pending.Watch.DisposeAsync();
            throw;
        }
    }

    /// <summary>How many events a watch's reader has room for, given how many its queue is to hold.</summary>
    public int WindowOf(int? queueEventsMax) => queueEventsMax < SmallQueue ? 1 : Math.Min(options.CreditEvents, queueEventsMax ?? options.CreditEvents);

    /// <summary>Waits before watches that were lost come back: all of them together.</summary>
    public Task PauseAsync(CancellationToken cancellationToken)
    {
        Task pause;
        lock (_gate)
        {
            if (_pausing is not { IsCompleted: false })
            {
                // Nothing of it goes on in the context of the one who comes first, who may block it: all the others wait for the same pause.
                var length = _serverStopped ? s_stopJitter * random.NextFraction() : _backoff.Next();
                _pausing = Task.WhenAny(Task.Delay(length, time, gone));
            }

            _serverStopped = false;
            pause = _pausing;
        }

        return pause.WaitAsync(cancellationToken);
    }

    /// <summary>Asks something of a watch's server.</summary>
    /// <exception cref="WatchException">It was refused, or the session is lost.</exception>
    public async Task<T> CallAsync<T>(Func<SessionLink, Task<T>> call, SessionLink? link, CancellationToken cancellationToken)
    {
        if (link is null || link.Over.IsCancellationRequested)
            throw new WatchException(WatchErrorCode.Unavailable, "The way to the watch's server is lost just now.");
        try
        {
            var alive = sessions.WhileAliveAsync(call(link), link.Grain, link.Epoch, options.HedgeAfter, cancellationToken);
            GivenUp.Observe(alive);
            return await alive.WaitAsync(options.CallTimeout, time, cancellationToken);
        }
        catch (Exception error) when (error is not WatchException && TransportErrors.IsLost(error, cancellationToken))
        {
            throw TransportErrors.OfRead(error);
        }
    }

    /// <summary>Ends the session and all its watches; done when nothing of it runs any more. Nobody gets a watch of it from here on.</summary>
    public async Task CloseAsync()
    {
        SessionLink? link;
        Task running;
        lock (_gate)
        {
            _isClosed = true;
            (link, _link) = (_link, null);
            running = _running;
        }

        link?.End();
        _wake.Set();
        await running;
        Task[] ending;
        lock (_gate)
            ending = [.. _links.Select(each => each.Ended)];
        await Task.WhenAll(ending);
    }

    /// <summary>A reader left: perhaps it was the last one.</summary>
    public void LookAgain() => _wake.Set();

    /// <summary>A link is lost, and with it all its watches.</summary>
    /// <param name="link">The link.</param>
    /// <param name="stops">Whether its server said so itself.</param>
    public void Lose(SessionLink link, bool stops)
    {
        lock (_gate)
        {
            if (_link == link)
            {
                _link = null;
                _serverStopped = stops;
            }
        }

        link.End();
        _wake.Set();
    }

    private SessionLink? Link
    {
        get
        {
            lock (_gate)
                return _link;
        }
    }

    private async Task RunAsync()
    {
        while (TryNext(out var next))
        {
            if (next.Count > 0)
                await RegisterAsync(next);
            else
                await _wake.WaitAsync();
        }
    }

    /// <summary>Who is to be registered next; false where nobody is, and nobody has a watch any more: the session is closed.</summary>
    private bool TryNext(out List<Pending> next)
    {
        SessionLink? unused;
        lock (_gate)
        {
            if (_isClosed)
                _pending.ForEach(each => each.Answer.TrySetException(GrainWatchClient.Disposed()));
            if (_isClosed)
                _pending.Clear();
            next = _pending.Take(IWatchSessionGrain.RegistrationsMax).ToList();
            _pending.RemoveRange(0, next.Count);
            if (next.Count > 0 || (!_isClosed && _link?.IsUnused == false))
                return true;
            unused = _link;
            _link = null;
            _isRunning = false;
        }

        unused?.End();
        return false;
    }

    private async Task RegisterAsync(List<Pending> next)
    {
        SessionLink? link = null;
        try
        {
            link = await LinkAsync();
            var asked = next.Where(each => !each.Answer.Task.IsCompleted && link.TryAdd(each.Watch)).ToList();
            var (unanswered, stopping) = asked.Count > 0 ? await AskAsync(link, asked) : ([], []);
            Requeue([.. unanswered, .. stopping, .. next.Except(asked)]);
            if (stopping.Count == 0)
                return;
            Lose(link, stops: true);
            await PauseBeforeAnotherAsync();
        }
        catch (Exception error) when (link is not null && IsWorthAnother(error, link))
        {
            // That session is gone: they are registered with the next one, as long as they have time.
            Lose(link, stops: false);
            Requeue(next);
            await PauseBeforeAnotherAsync();
        }
        catch (Exception error)
        {
            if (link is not null)
                Lose(link, stops: false);
            foreach (var each in next)
                each.Answer.TrySetException(gone.IsCancellationRequested ? GrainWatchClient.Disposed() : error);
        }
    }

    private Task PauseBeforeAnotherAsync() =>
        new Backoff(options.WriteBackoffFirst, options.WriteBackoffMax, time, random, gone).PauseAsync(CancellationToken.None);

    private static bool IsWorthAnother(Exception error, SessionLink link) =>
        error is TimeoutException or WatchException { Code: WatchErrorCode.Unavailable } || link.Over.IsCancellationRequested;

    private void Requeue(IEnumerable<Pending> pending)
    {
        var waiting = pending.Where(each => !each.Answer.Task.IsCompleted).ToList();
        foreach (var each in waiting)
            each.BeginAnew();
        lock (_gate)
            _pending.InsertRange(0, waiting);
    }

    /// <summary>
    /// Registers them; answers with those that were not answered, and with those that were refused because the server stops, which another
    /// one may serve. A call that is lost on the way does not cost the session, which may have many watches, but those who wait behind it
    /// do not wait for longer than a call may take.
    /// </summary>
    private async Task<(List<Pending> Unanswered, List<Pending> Stopping)> AskAsync(SessionLink link, List<Pending> asked)
    {
        using var late = new CancellationTokenSource(options.CallTimeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(link.Over, late.Token);
        ImmutableArray<RegistrationReply> replies;
        try
        {
            var call = link.Grain.Register(link.Epoch, [.. asked.Select(each => each.Watch.Request)], limit.Token);
            replies = await sessions.WhileAliveAsync(call, link.Grain, link.Epoch, options.HedgeAfter, limit.Token);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !link.Over.IsCancellationRequested)
        {
            foreach (var each in asked)
                link.Leave(each.Watch);
            return (asked, []);
        }

        List<Pending> stopping = [];
        for (var at = 0; at < asked.Count; at++)
        {
            if (replies[at] is not { Registration: null, Code: WatchErrorCode.ShuttingDown })
            {
                Answer(link, asked[at], replies[at]);
                continue;
            }

            link.Remove(asked[at].Watch);
            stopping.Add(asked[at]);
        }

        return ([], stopping);
    }

    private void Answer(SessionLink link, Pending pending, RegistrationReply reply)
    {
        if (reply.Registration is { } registration)
        {
            pending.Watch.Registered(registration);
            if (!pending.Answer.TrySetResult(pending.Watch))
                link.Leave(pending.Watch);
            lock (_gate)
                _backoff.Reset();
            return;
        }

        link.Remove(pending.Watch);
        pending.Answer.TrySetException(new WatchException(reply.Code, reply.Message) { FirstAvailable = reply.FirstAvailable });
    }

    private async Task<SessionLink> LinkAsync()
    {
        if (Link is { } known)
            return known;
        // The source has a timer of its own: one that only cancelled it could still be firing when the source is gone.
        using var late = new CancellationTokenSource(options.CallTimeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(late.Token, gone);
        while (true)
        {
            var grain = await sessions.NewAsync(limit.Token);
            var link = NewLink(grain);
            try
            {
                var opened = await sessions.WhileAliveAsync(grain.Open(new SessionHello(options.WriterName, link.Epoch), link.Reference, limit.Token), grain, epoch: 0, options.HedgeAfter, limit.Token);
                lock (_gate)
                    _link = _isClosed ? throw GrainWatchClient.Disposed() : link;
                link.Begin(opened.LeaseMs);
                return link;
            }
            catch (TimeoutException) when (!limit.IsCancellationRequested)
            {
                // Its server is silent: the next session is another's.
                link.End();
            }
            catch
            {
                link.End();
                throw;
            }
        }
    }

    private SessionLink NewLink(IWatchSessionGrain grain)
    {
        var link = new SessionLink(this, grains, sessions, grain, (long)(random.NextBits() >> 1), options, time);
        lock (_gate)
            _links.Add(link);
        // It ends with the link.
        _ = ForgetAsync(link);
        return link;
    }

    private async Task ForgetAsync(SessionLink link)
    {
        await link.Ended;
        lock (_gate)
            _links.Remove(link);
    }

    /// <summary>Somebody who waits for a registration.</summary>
    private sealed class Pending(Func<ClientWatch> begin)
    {
        /// <summary>The watch as it is to be registered next.</summary>
        public ClientWatch Watch { get; private set; } = begin();

        public TaskCompletionSource<ClientWatch> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>
        /// Another session is asked. What has come from the one before is void, and has to be: a registration whose answer was lost may
        /// have begun there, at an earlier revision.
        /// </summary>
        public void BeginAnew() => Watch = begin();
    }
}
