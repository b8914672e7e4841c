namespace Watch.Client;

/// <summary>How many of a client's watches are reading by themselves, so that its end can wait for them. Thread-safe.</summary>
internal sealed class RunningReaders
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _none;
    private int _count;

    /// <summary>One begins.</summary>
    public void Enter()
    {
        lock (_gate)
            _count++;
    }

    /// <summary>One has ended.</summary>
    public void Leave()
    {
        TaskCompletionSource? none = null;
        lock (_gate)
        {
            if (--_count == 0)
                none = _none;
        }

        none?.TrySetResult();
    }

    /// <summary>Done when none is left.</summary>
    public Task WhenNoneAsync()
    {
        lock (_gate)
            return _count == 0 ? Task.CompletedTask : (_none ??= new TaskCompletionSource()).Task;
    }
}
