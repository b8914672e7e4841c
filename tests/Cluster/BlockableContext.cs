namespace Watch.Cluster.Tests;

/// <summary>A context that runs what it is given on the scheduler on which it was made, until its thread does not come back to it any more.</summary>
internal sealed class BlockableContext : SynchronizationContext
{
    private readonly TaskScheduler _scheduler = TaskScheduler.Current;

    /// <summary>Whether nothing of it runs any more.</summary>
    public bool IsBlocked { get; set; }

    public override void Post(SendOrPostCallback d, object? state)
    {
        if (!IsBlocked)
            _ = Task.Factory.StartNew(() => Begin(() => Run(d, state)), CancellationToken.None, TaskCreationOptions.None, _scheduler);
    }

    /// <summary>Begins something in this context.</summary>
    public T Begin<T>(Func<T> begin)
    {
        var before = Current;
        SetSynchronizationContext(this);
        try
        {
            return begin();
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }

    private static bool Run(SendOrPostCallback d, object? state)
    {
        d(state);
        return true;
    }
}
