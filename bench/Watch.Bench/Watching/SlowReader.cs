using Watch.Core;

namespace Watch.Bench.Watching;

/// <summary>A reader that can be stopped, and counts what it is told after that.</summary>
internal sealed class SlowReader : IAsyncDisposable
{
    private readonly IWatchStream _stream;
    private readonly Task _reading;
    private readonly Lock _gate = new();
    private volatile TaskCompletionSource? _stopped;
    private TaskCompletionSource? _reached;
    private long _wanted = long.MaxValue;
    private bool _isOver;

    public SlowReader(IWatchStream stream)
    {
        _stream = stream;
        _reading = RunAsync();
    }

    /// <summary>How many changes it was told.</summary>
    public long Count { get; private set; }

    /// <summary>How many it was told that it was not told.</summary>
    public long Lagged { get; private set; }

    /// <summary>The number of the last put that it was told of.</summary>
    public long Last { get; private set; }

    /// <summary>Why it ended, if it has.</summary>
    public WatchEndReason End { get; private set; }

    public void Stop()
    {
        (Count, Lagged) = (0, 0);
        _stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    public void GoOn()
    {
        var stopped = _stopped;
        _stopped = null;
        stopped?.SetResult();
    }

    /// <summary>Waits until it was told of this put, or has ended, or was told how many are left out up to there.</summary>
    public Task ReachesAsync(long number)
    {
        lock (_gate)
        {
            _wanted = number;
            _reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Look();
            return _reached.Task;
        }
    }

    public async ValueTask DisposeAsync()
    {
        GoOn();
        await _stream.DisposeAsync();
        await _reading;
    }

    private async Task RunAsync()
    {
        await foreach (var batch in _stream.ReadBatchesAsync())
        {
            if (_stopped is { } stopped)
                await stopped.Task;
            lock (_gate)
            {
                foreach (var each in batch.Events)
                    Take(each);
                Look();
            }
        }

        lock (_gate)
        {
            _isOver = true;
            Look();
        }
    }

    private void Take(WatchEvent each)
    {
        if (each.Type == WatchEventType.Put)
            (Count, Last) = (Count + 1, BitConverter.ToInt64(each.Value.Span));
        else if (each.Type == WatchEventType.Lagged)
            (Lagged, Last) = (Lagged + each.Count, Math.Max(Last, each.Revision.Value));
        else if (each.Type == WatchEventType.Canceled)
            (End, _isOver) = (each.Reason, true);
    }

    private void Look()
    {
        if (Last >= _wanted || _isOver)
            _reached?.TrySetResult();
    }
}
