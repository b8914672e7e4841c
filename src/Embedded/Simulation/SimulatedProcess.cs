// What runs in the process of one silo of a simulated world: every turn, timer, continuation and
// arriving message of the silo passes here, so that the silo can stop between any two of them.
//
//   Running ──Freeze──► Frozen ──Thaw──► Running          what comes meanwhile waits, in order of arrival
//      └──────End───────────┴──End──► Ended               what comes later, and what waits, never happens
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Simulation;

internal sealed class SimulatedProcess(SimulationLoop loop, string name) : TaskScheduler
{
    private readonly List<IThreadPoolWorkItem> _held = [];
    private long _steps;
    private long _interruptAt = long.MaxValue;
    private Action? _interrupt;
    private bool _stepping;

    public string Name { get; } = name;

    public bool IsFrozen { get; private set; }

    public bool HasEnded { get; private set; }

    /// <summary>How many steps it has taken.</summary>
    public long Steps => _steps;

    public override int MaximumConcurrencyLevel => 1;

    public void Post(IThreadPoolWorkItem work)
    {
        if (!HasEnded)
            loop.Post(new Step(this, work));
    }

    /// <summary>Has something happen to the process after it has taken this many steps from now.</summary>
    public void InterruptAfter(long steps, Action interrupt) => (_interruptAt, _interrupt) = (_steps + steps, interrupt);

    public void Freeze()
    {
        loop.Note("freeze", Name);
        IsFrozen = true;
    }

    public void Thaw()
    {
        loop.Note("thaw", Name);
        IsFrozen = false;
        foreach (var work in _held)
            Post(work);
        _held.Clear();
    }

    public void End()
    {
        loop.Note("end", Name);
        HasEnded = true;
        _held.Clear();
        _interrupt = null;
    }

    protected override void QueueTask(Task task) => Post(new TaskStep(this, task));

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
        !taskWasPreviouslyQueued && _stepping && !HasEnded && !IsFrozen
        && ExecutionScope.Current is null && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks() => [];

    private void Run(IThreadPoolWorkItem work)
    {
        if (HasEnded)
            return;
        if (IsFrozen)
        {
            _held.Add(work);
            return;
        }

        if (++_steps >= _interruptAt && _interrupt is { } interrupt)
        {
            (_interruptAt, _interrupt) = (long.MaxValue, null);
            interrupt();
            Run(work);
            return;
        }

        var outer = _stepping;
        _stepping = true;
        try
        {
            work.Execute();
        }
        finally
        {
            _stepping = outer;
        }
    }

    private sealed class Step(SimulatedProcess process, IThreadPoolWorkItem work) : IThreadPoolWorkItem
    {
        public void Execute() => process.Run(work);

        public override string ToString() => $"{process.Name}: {work}";
    }

    private sealed class TaskStep(SimulatedProcess process, Task task) : IThreadPoolWorkItem
    {
        public void Execute() => process.TryExecuteTask(task);
    }
}
