namespace Watch.Client;

/// <summary>A call of a caller's observer.</summary>
internal static class ObserverCall
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(IWatchObserver.CallbackSeconds);

    /// <summary>
    /// Hands a batch on. False when the observer took longer than it may, and is left to itself; what it throws within that time is
    /// thrown here, a <see cref="TimeoutException"/> of its own included.
    /// </summary>
    public static ValueTask<bool> ReturnsInTimeAsync(IWatchObserver observer, WatchBatch batch, TimeProvider time)
    {
        var call = observer.OnBatch(batch);
        return call.IsCompletedSuccessfully ? new ValueTask<bool>(true) : WaitAsync(call, time);
    }

    private static async ValueTask<bool> WaitAsync(Task call, TimeProvider time)
    {
        var limited = call.WaitAsync(s_limit, time);
        await GivenUp.Quietly(limited);
        if (!call.IsCompleted)
        {
            GivenUp.Observe(call);
            return false;
        }

        await call;
        return true;
    }
}
