// The one thread of a simulated world: what is ready, which of it runs next, and what happens when
// nothing is ready any more.
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Simulation;

internal sealed class SimulationLoop : TaskScheduler
{
    private const int TraceTail = 60;

    private readonly List<IThreadPoolWorkItem> _ready = [];
    private readonly List<string> _trace;
    private readonly int _seed;
    private int _thread;
    private long _steps;
    private Exception? _violation;

    public SimulationLoop(int seed, List<string> trace)
    {
        _seed = seed;
        _trace = trace;
        Random = new Random(seed);
        Time = new VirtualTime(this);
    }

    public Random Random { get; }

    public VirtualTime Time { get; }

    /// <summary>Whether anybody reads the trace: making it costs more than all the rest.</summary>
    public bool IsTracing { get; set; } = true;

    public long Steps => _steps;

    public override int MaximumConcurrencyLevel => 1;

    public void Post(IThreadPoolWorkItem work)
    {
        if (_thread == 0 || Environment.CurrentManagedThreadId == _thread)
            _ready.Add(work);
        else
            _violation = new InvalidOperationException(
                $"Work reached the simulation from another thread ({work}): something left the scheduler.");
    }

    public void Note(string kind, object subject)
    {
        if (IsTracing)
            _trace.Add(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Time.Elapsed.TotalMilliseconds,12:F3} {kind,-8} {subject}"));
    }

    /// <summary>Runs a scenario on a thread of its own, which starts with an empty execution context.</summary>
    public void Run(Func<Task> scenario, long stepLimit)
    {
        Exception? failure = null;
        var thread = new Thread(() => failure = RunHere(scenario, stepLimit)) { IsBackground = true, Name = "simulation" };
        thread.UnsafeStart();
        thread.Join();
        if (failure is not null)
            throw new SimulationException(Describe(failure.Message), failure);
    }

    protected override void QueueTask(Task task) => Post(new TaskItem(this, task));

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
        !taskWasPreviouslyQueued && Environment.CurrentManagedThreadId == _thread
        && ExecutionScope.Current is null && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks() => [.. _ready.OfType<TaskItem>().Select(i => i.Task)];

    private Exception? RunHere(Func<Task> scenario, long stepLimit)
    {
        _thread = Environment.CurrentManagedThreadId;
        try
        {
            var running = Task.Factory.StartNew(scenario, CancellationToken.None, TaskCreationOptions.DenyChildAttach, this).Unwrap();
            return RunUntil(running, stepLimit);
        }
        catch (Exception e)
        {
            return e;    // Run throws it on the caller's thread
        }
        finally
        {
            _thread = 0;
        }
    }

    private Exception? RunUntil(Task running, long stepLimit)
    {
        for (var last = _steps + stepLimit; !running.IsCompleted; _steps++)
        {
            if (Volatile.Read(ref _violation) is { } violation)
                return violation;
            if (_steps >= last)
                return new InvalidOperationException($"The scenario has not ended after {stepLimit} steps.");
            if (_ready.Count > 0)
                TakeReady().Execute();
            else if (!Time.AdvanceToNext())
                return new InvalidOperationException("Deadlock: nothing is ready, no timer is set, and the scenario has not ended.");
        }

        return running.Exception?.InnerException ?? (running.IsCanceled ? new OperationCanceledException() : null);
    }

    private IThreadPoolWorkItem TakeReady()
    {
        var index = _ready.Count == 1 ? 0 : Random.Next(_ready.Count);
        var work = _ready[index];
        _ready[index] = _ready[^1];
        _ready.RemoveAt(_ready.Count - 1);
        return work;
    }

    private string Describe(string what) =>
        $"Seed {_seed}: {what}{Environment.NewLine}{string.Join(Environment.NewLine, _trace.TakeLast(TraceTail))}";

    private sealed class TaskItem(SimulationLoop loop, Task task) : IThreadPoolWorkItem
    {
        public Task Task { get; } = task;

        public void Execute() => loop.TryExecuteTask(Task);
    }
}

/// <summary>A scenario failed or did not end; the message holds the seed and the end of the trace.</summary>
public sealed class SimulationException : Exception
{
    public SimulationException(string message, Exception innerException) : base(message, innerException) { }
}
