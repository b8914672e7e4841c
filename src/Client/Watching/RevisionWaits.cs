using Watch.Core;

namespace Watch.Client;

/// <summary>Those who wait until a reader, or a view, is at a revision. Thread-safe; nobody goes on inside a call of this class.</summary>
internal sealed class RevisionWaits
{
    private readonly Lock _gate = new();
    private readonly List<(Revision Revision, TaskCompletionSource Done)> _waiting = [];
    private WatchException? _end;
    private Revision _reached;
    private volatile bool _any;

    /// <summary>It is there.</summary>
    public void Reached(Revision revision)
    {
        // Nobody waits most of the time: this is called for every event.
        lock (_gate)
        {
            if (revision <= _reached)
                return;
            _reached = revision;
            if (!_any)
                return;
            foreach (var (wanted, done) in _waiting)
            {
                if (wanted <= revision)
                    done.TrySetResult();
            }
        }
    }

    /// <summary>It will never be anywhere else.</summary>
    public void End(WatchException why)
    {
        lock (_gate)
        {
            _end ??= why;
            foreach (var (_, done) in _waiting)
                done.TrySetException(_end);
        }
    }

    /// <summary>Waits for a revision.</summary>
    /// <exception cref="WatchException">It ended before.</exception>
    public async Task WaitAsync(Revision revision, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (revision <= _reached)
                return;
            if (_end is { } end)
                throw end;
            _waiting.Add((revision, done));
            _any = true;
        }

        try
        {
            // Not WaitAsync: its hand-over would leave the caller's scheduler for the thread pool.
            await using var canceled = cancellationToken.Register(() => done.TrySetCanceled(cancellationToken));
            await done.Task;
        }
        finally
        {
            lock (_gate)
            {
                _waiting.Remove((revision, done));
                _any = _waiting.Count > 0;
            }
        }
    }
}
