namespace Watch.Client;

/// <summary>
/// Something that comes about once or never, and those who wait for it, each for a time of its own. Thread-safe. Whoever waits goes on where it
/// waited, never inside the call that ends the waiting.
/// </summary>
internal sealed class Readiness(TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly List<TaskCompletionSource> _waiting = [];
    private Exception? _failure;
    private bool _isKnown;

    /// <summary>It has come about.</summary>
    public void Succeed() => End(null);

    /// <summary>It never will. Only the first word counts.</summary>
    public void Fail(Exception failure) => End(failure);

    /// <summary>Waits for it.</summary>
    /// <exception cref="TimeoutException">It did not come about within that time.</exception>
    public async Task WaitAsync(TimeSpan timeout)
    {
        TaskCompletionSource mine;
        lock (_gate)
        {
            if (_isKnown)
            {
                if (_failure is { } failure)
                    throw failure;
                return;
            }

            mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add(mine);
        }

        using var late = time.CreateTimer(_ => mine.TrySetException(new TimeoutException($"timeout: it was not ready within {timeout}.")), null, timeout, Timeout.InfiniteTimeSpan);
        try
        {
            await mine.Task;
        }
        finally
        {
            lock (_gate)
                _waiting.Remove(mine);
        }
    }

    private void End(Exception? failure)
    {
        lock (_gate)
        {
            if (_isKnown)
                return;
            _isKnown = true;
            _failure = failure;
            foreach (var each in _waiting)
            {
                if (failure is null)
                    each.TrySetResult();
                else
                    each.TrySetException(failure);
            }
        }
    }
}
