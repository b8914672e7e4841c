// Runs the work of one activation, one item at a time, in order of arrival. It is the TaskScheduler
// of everything that an activation does: an await inside a grain resumes here, never beside another
// turn of the same activation.
//
// An item is either a Task (a continuation, or what user code started) or a Turn (a call to begin).
// A Turn becomes a task only when it is its turn, on the thread that runs it: so it begins with an
// empty execution context, and nothing of its caller's async-locals leaks in.
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Activations;

internal sealed class WorkGroup(Activation owner) : TaskScheduler, IThreadPoolWorkItem
{
    private readonly Queue<object> _queue = new();
    private bool _scheduled;

    public override int MaximumConcurrencyLevel => 1;

    public void Post(Turn turn) => Enqueue(turn);

    /// <summary>Starts asynchronous work of the runtime itself inside the group.</summary>
    public Task Post(Func<Task> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.DenyChildAttach, this).Unwrap();

    public void Execute()
    {
        var previous = ExecutionScope.Exchange(owner);
        try
        {
            for (var left = owner.Node.Environment.WorkPerSlice; ; left--)
            {
                object? item;
                lock (_queue)
                {
                    if (!_queue.TryPeek(out item))
                    {
                        _scheduled = false;
                        return;
                    }

                    if (left == 0)
                        break;
                    _queue.Dequeue();
                }

                if (!owner.Node.IsFrozen)
                    Run(item);
            }
        }
        finally
        {
            ExecutionScope.Exchange(previous);
        }

        owner.Node.Environment.Schedule(this, local: false);
    }

    protected override void QueueTask(Task task) => Enqueue(task);

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
        !taskWasPreviouslyQueued && ReferenceEquals(ExecutionScope.Current, owner) && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks()
    {
        lock (_queue)
            return [.. _queue.OfType<Task>()];
    }

    private void Enqueue(object item)
    {
        lock (_queue)
        {
            _queue.Enqueue(item);
            if (_scheduled)
                return;
            _scheduled = true;
        }

        owner.Node.Environment.Schedule(this, local: true);
    }

    private void Run(object item)
    {
        if (item is Task task)
            TryExecuteTask(task);
        else
            new Task(owner.RunTurn, item, TaskCreationOptions.DenyChildAttach).RunSynchronously(this);
    }
}
