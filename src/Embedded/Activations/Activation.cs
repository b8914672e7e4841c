// An activation: one living instance of a grain, or a grain service.
//
//   New ──first turn──► Activating ──OnActivateAsync──► Valid ──Deactivate──► Deactivating ──► Gone
//                            └────────── failed ───────────────────────────────────────────────►
//
// A1  Code of the instance runs only on Work, one piece at a time.
// A2  Before Valid and after it, turns wait. When the activation is gone, those that waited are sent
//     on their way again: they find, or make, its successor.
// A3  While a turn is under way, another begins only if the rules let it interleave (MayRun).
// A4  Deactivating goes on only when no turn is under way any more.
using Orleans;
using Orleans.Runtime;
using Watch.Embedded.Calls;
using Watch.Embedded.Runtime;
using Watch.Embedded.Streams;

namespace Watch.Embedded.Activations;

internal sealed class Activation : ExecutionScope
{
    private enum Stage
    {
        New,
        Activating,
        Valid,
        Deactivating,
        Gone,
    }

    private readonly Lock _gate = new();
    private readonly Queue<Turn> _waiting = new();
    private readonly List<GrainTimer> _timers = [];
    private Stage _stage;
    private int _running;
    private int _blocking;          // turns under way that do not interleave with everything
    private int _blockingWrites;    // those of them that are not read-only
    private long _lastUse;
    private long _notCollectedBefore;
    private DeactivationReason? _endReason;
    private bool _isKilled;
    private AsyncEnumerableExtension? _sequences;
    private StreamConsumerExtension? _streams;

    public Activation(SiloNode silo, GrainId id, GrainClass grainClass)
    {
        Silo = silo;
        Id = id;
        Class = grainClass;
        Work = new WorkGroup(this);
        RunTurn = turn => ((Turn)turn!).Run(this);
        Context = new GrainContext(this);
        _lastUse = silo.Environment.TimeProvider.GetTimestamp();
    }

    public SiloNode Silo { get; }

    public override Node Node => Silo;

    public GrainId Id { get; }

    public GrainClass Class { get; }

    public WorkGroup Work { get; }

    public GrainContext Context { get; }

    /// <summary>What a turn's task runs; made once.</summary>
    public Action<object?> RunTurn { get; }

    public object? Instance => Context.GrainInstance;

    public static Activation Of(IGrainContext context) => ((GrainContext)context).Activation;

    public bool IsIdle
    {
        get
        {
            lock (_gate)
                return _running == 0 && _waiting.Count == 0;
        }
    }

    public int Load
    {
        get
        {
            lock (_gate)
                return _running + _waiting.Count;
        }
    }

    /// <summary>Takes on a turn: begins it, or keeps it until it may begin. False: gone, ask for another activation.</summary>
    public bool TryReceive(Turn turn)
    {
        var begin = false;
        var activate = false;
        lock (_gate)
        {
            if (_stage == Stage.Gone)
                return false;
            if (_stage == Stage.Valid && MayRun(turn))
            {
                NoteBegun(turn);
                begin = true;
            }
            else
            {
                _waiting.Enqueue(turn);
                activate = _stage == Stage.New;
                if (activate)
                    _stage = Stage.Activating;
            }
        }

        if (begin)
            Work.Post(turn);
        else if (activate)
            _ = Work.Post(ActivateAsync);
        return true;
    }

    /// <summary>A turn is over; the next ones may begin.</summary>
    public void TurnEnded(Turn turn)
    {
        lock (_gate)
        {
            _running--;
            if (!turn.AlwaysInterleave)
            {
                _blocking--;
                if (!turn.ReadOnly)
                    _blockingWrites--;
            }

            if (turn.CountsAsUse)
                _lastUse = Silo.Environment.TimeProvider.GetTimestamp();
        }

        Pump();
    }

    /// <summary>Ends the activation once nothing is under way (A4).</summary>
    public void Deactivate(DeactivationReason reason)
    {
        lock (_gate)
        {
            if (_endReason is not null || _stage is Stage.Gone)
                return;
            _endReason = reason;
            if (_stage != Stage.Valid)
                return;    // ActivateAsync will look at the reason
            _stage = Stage.Deactivating;
        }

        Pump();
    }

    /// <summary>Ends the activation without its knowing: none of its code that says goodbye runs (simulation).</summary>
    public void Kill()
    {
        lock (_gate)
            _isKilled = true;
        Deactivate(new(DeactivationReasonCode.RuntimeRequested, "The activation was killed."));
    }

    public void DelayCollection(TimeSpan delay)
    {
        var time = Silo.Environment.TimeProvider;
        lock (_gate)
        {
            _notCollectedBefore = delay == TimeSpan.MaxValue || delay == Timeout.InfiniteTimeSpan
                ? long.MaxValue
                : time.GetTimestamp() + (long)(delay.TotalSeconds * time.TimestampFrequency);
        }
    }

    /// <summary>Whether the activation has been idle for its collection age.</summary>
    public bool IsCollectable(TimeSpan defaultAge)
    {
        var age = Class.CollectionAge ?? defaultAge;
        var time = Silo.Environment.TimeProvider;
        lock (_gate)
        {
            return _stage == Stage.Valid && _running == 0 && _waiting.Count == 0 && age != TimeSpan.MaxValue
                && time.GetTimestamp() >= _notCollectedBefore && time.GetElapsedTime(_lastUse) >= age;
        }
    }

    public IGrainTimer StartTimer(Func<CancellationToken, Task> callback, GrainTimerCreationOptions options)
    {
        var timer = new GrainTimer(this, callback, options);
        lock (_gate)
            _timers.Add(timer);
        return timer;
    }

    public void Forget(GrainTimer timer)
    {
        lock (_gate)
            _timers.Remove(timer);
    }

    /// <summary>The object that a method is called on: the instance, or an extension of the activation.</summary>
    public object TargetOf(MethodDescriptor method)
    {
        if (method.Interface.Type == typeof(IAsyncEnumerableExtension))
            return _sequences ??= new AsyncEnumerableExtension(this);
        if (method.Interface.Type == typeof(IStreamConsumerExtension))
            return _streams ??= new StreamConsumerExtension(this);
        return Instance!;
    }

    /// <summary>Begins an activation whose instance exists already: a grain service.</summary>
    public void Adopt(object instance)
    {
        Context.GrainInstance = instance;
        lock (_gate)
            _stage = Stage.Valid;
        Pump();
    }

    private bool MayRun(Turn turn) => _blocking == 0 || Class.Reentrant || turn.AlwaysInterleave
        || (turn.ReadOnly && _blockingWrites == 0);

    private void NoteBegun(Turn turn)
    {
        _running++;
        if (turn.AlwaysInterleave)
            return;
        _blocking++;
        if (!turn.ReadOnly)
            _blockingWrites++;
    }

    // Begins what waits and may begin now, or goes on with deactivating.
    private void Pump()
    {
        while (true)
        {
            Turn? next;
            lock (_gate)
            {
                if (_stage == Stage.Deactivating)
                {
                    if (_running > 0)
                        return;
                    _running = 1;    // nobody else begins the end
                    break;
                }

                if (_stage != Stage.Valid || !_waiting.TryPeek(out next) || !MayRun(next))
                    return;
                _waiting.Dequeue();
                NoteBegun(next);
            }

            Work.Post(next);
        }

        _ = Work.Post(DeactivateAsync);
    }

    private async Task ActivateAsync()
    {
        try
        {
            Context.CreateInstance();
            using var limit = new CancellationTokenSource(Silo.Collection.ActivationTimeout, Silo.Environment.TimeProvider);
            await ((IGrainBase)Instance!).OnActivateAsync(limit.Token);
        }
        catch (Exception e)
        {
            Log.ActivationFailed(Silo.Logger, Id, e);
            await End(e);
            return;
        }

        lock (_gate)
        {
            _lastUse = Silo.Environment.TimeProvider.GetTimestamp();
            _stage = _endReason is null ? Stage.Valid : Stage.Deactivating;
        }

        Pump();
    }

    private async Task DeactivateAsync()
    {
        foreach (var timer in TakeTimers())
            timer.Dispose();
        if (_isKilled)
        {
            await End(null);
            return;
        }

        try
        {
            if (_sequences is not null)
                await _sequences.DisposeAllAsync();
            using var limit = new CancellationTokenSource(Silo.Collection.DeactivationTimeout, Silo.Environment.TimeProvider);
            if (Instance is IGrainBase grain)
                await grain.OnDeactivateAsync(_endReason!.Value, limit.Token);
        }
        catch (Exception e)
        {
            Log.DeactivationFailed(Silo.Logger, Id, e);
        }

        await End(null);
    }

    private async Task End(Exception? failure)
    {
        try
        {
            if (!_isKilled)
                await Context.DisposeInstanceAsync();
        }
        catch (Exception e)
        {
            Log.DeactivationFailed(Silo.Logger, Id, e);
        }

        Turn[] left;
        lock (_gate)
        {
            _stage = Stage.Gone;
            left = [.. _waiting];
            _waiting.Clear();
        }

        Silo.Activations.Remove(this);
        Context.NoteDeactivated();
        foreach (var turn in left)
        {
            if (failure is null)
                turn.Reroute(Silo);
            else
                turn.Reject(failure);
        }
    }

    private GrainTimer[] TakeTimers()
    {
        lock (_gate)
            return [.. _timers];
    }
}
