namespace Watch.Client;

/// <summary>Work that outlives whoever begins it.</summary>
internal static class OwnContext
{
    /// <summary>
    /// Starts a loop that belongs to no caller: not to the synchronization context of the one who happened to need it first, who may block it
    /// or take it away, nor to what flows with that one's calls. It runs on the scheduler on which it is started.
    /// </summary>
    /// <param name="loop">The loop; it ends with its owner.</param>
    public static Task Start(Func<Task> loop)
    {
        var callers = SynchronizationContext.Current;
        var flow = ExecutionContext.IsFlowSuppressed() ? default(AsyncFlowControl?) : ExecutionContext.SuppressFlow();
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            return RunAsync(loop);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(callers);
            flow?.Undo();
        }
    }

    // Nothing of it runs before the caller has gone on: until then the caller's own context is there.
    private static async Task RunAsync(Func<Task> loop)
    {
        await Task.Yield();
        await loop();
    }
}
