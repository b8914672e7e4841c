using System.Diagnostics.CodeAnalysis;
using System.Threading.Tasks.Sources;

namespace Watch.Grains.Storage;

/// <summary>
/// The one thread of a node that touches its disk. A sync takes as long as the disk takes; on a pool thread it would hold up grains.
///
/// A job is handed over without garbage: one slot, one reused completion. Between jobs the thread sleeps at once and does not spin:
/// measured on two processors, spinning saves a few microseconds on the way to the disk and costs thirty on the way back, because it
/// holds the processor on which the continuation would run.
/// </summary>
public sealed class DiskThread : IDiskWorker, IValueTaskSource, IDisposable
{
    private readonly AutoResetEvent _wake = new(false);
    private readonly Thread _thread;
    private ManualResetValueTaskSourceCore<bool> _done = new() { RunContinuationsAsynchronously = true };
    private Action? _job;
    private int _busy;
    private volatile bool _stopping;

    /// <summary>Starts the thread.</summary>
    /// <param name="name">Its name, for debuggers.</param>
    public DiskThread(string name)
    {
        _thread = new Thread(Work) { IsBackground = true, Name = name };
        _thread.Start();
    }

    /// <inheritdoc/>
    public ValueTask Run(Action job)
    {
        ArgumentNullException.ThrowIfNull(job);
        ObjectDisposedException.ThrowIf(_stopping, this);
        if (Interlocked.Exchange(ref _busy, 1) != 0)
            throw new InvalidOperationException("The disk thread takes one job at a time; await the one before.");
        _done.Reset();
        Volatile.Write(ref _job, job);
        _wake.Set();
        return new ValueTask(this, _done.Version);
    }

    /// <summary>Ends the thread after the job at hand.</summary>
    public void Dispose()
    {
        if (_stopping)
            return;
        _stopping = true;
        _wake.Set();
        _thread.Join();
        _wake.Dispose();
    }

    /// <inheritdoc/>
    void IValueTaskSource.GetResult(short token)
    {
        try
        {
            _done.GetResult(token);
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    /// <inheritdoc/>
    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _done.GetStatus(token);

    /// <inheritdoc/>
    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _done.OnCompleted(continuation, state, token, flags);

    private void Work()
    {
        while (true)
        {
            _wake.WaitOne();
            var job = Interlocked.Exchange(ref _job, null);
            if (job is not null)
                Do(job);
            if (_stopping)
                return;
        }
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "The exception goes to whoever awaits the job.")]
    private void Do(Action job)
    {
        try
        {
            job();
        }
        catch (Exception e)
        {
            _done.SetException(e);
            return;
        }
        _done.SetResult(true);
    }
}
