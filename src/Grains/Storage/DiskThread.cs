using System.Diagnostics.CodeAnalysis;
using System.Threading.Tasks.Sources;

namespace Watch.Grains.Storage;

/// <summary>
/// The one thread of a node that touches its disk. A sync takes as long as the disk takes; on a pool thread it would hold up grains.
///
/// A job is handed over without garbage: one slot, one reused completion. After a job the thread looks for the next one for a few
/// microseconds before it sleeps, which saves the wake-up where jobs follow each other closely, and costs nothing where they don't.
/// </summary>
public sealed class DiskThread : IDiskWorker, IValueTaskSource, IDisposable
{
    /// <summary>Looks at the slot so many times before sleeping: some ten microseconds.</summary>
    private const int Looks = 100;

    private readonly SemaphoreSlim _wake = new(0);
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
        _wake.Release();
        return new ValueTask(this, _done.Version);
    }

    /// <summary>Ends the thread after the job at hand.</summary>
    public void Dispose()
    {
        if (_stopping)
            return;
        _stopping = true;
        _wake.Release();
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

    [SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "The exception goes to whoever awaits the job.")]
    private void Work()
    {
        while (true)
        {
            for (var i = 0; i < Looks && _wake.CurrentCount == 0; i++)
                Thread.SpinWait(10);
            _wake.Wait();
            var job = Interlocked.Exchange(ref _job, null);
            if (job is null)
                return;
            try
            {
                job();
            }
            catch (Exception e)
            {
                _done.SetException(e);
                continue;
            }
            _done.SetResult(true);
        }
    }
}
