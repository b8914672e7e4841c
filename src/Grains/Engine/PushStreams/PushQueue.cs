#if ENGINE_ORLEANS
using System.Threading.Tasks.Sources;

namespace Watch.Grains.Engine.PushStreams;

/// <summary>
/// Publishings of this silo that wait for their agent, the one reader. Bounded; what does not fit is refused at once (I-Q3). Any thread may
/// add; one at a time may wait and take.
/// </summary>
internal sealed class PushQueue : IValueTaskSource<bool>, IDisposable
{
    /// <summary>How many publishings wait at most.</summary>
    public const int BatchesMax = 16_384;

    /// <summary>How many bytes of events wait at most.</summary>
    public const long BytesMax = 16L << 20;

    /// <summary>How long a reader waits at most: between two reads the agent forgets streams that rest.</summary>
    public static readonly TimeSpan PatienceMax = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly Queue<PushBatch> _waiting = new();
    private readonly ITimer _patience;
    private ManualResetValueTaskSourceCore<bool> _wait = new() { RunContinuationsAsynchronously = true };
    private bool _isWaited;
    private bool _isClosed;
    private long _bytes;

    public PushQueue(TimeProvider time)
    {
        // It only ends a wait, early or late does no harm; what follows runs on the scheduler of who waits.
        _patience = time.CreateTimer(static queue => ((PushQueue)queue!).EndWait(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Adds a publishing; false where it does not fit.</summary>
    public bool TryAdd(PushBatch batch)
    {
        lock (_gate)
        {
            if (_isClosed || _waiting.Count >= BatchesMax || (_bytes + batch.Bytes > BytesMax && _waiting.Count > 0))
                return false;
            _waiting.Enqueue(batch);
            _bytes += batch.Bytes;
            End(found: true);
            return true;
        }
    }

    /// <summary>Waits until there is something, but not longer than so long: whether there is.</summary>
    public ValueTask<bool> WaitAsync(TimeSpan patience)
    {
        lock (_gate)
        {
            if (_isWaited)
                throw new InvalidOperationException("The queue has one reader, which waits already.");
            if (_waiting.Count > 0 || _isClosed)
                return new ValueTask<bool>(_waiting.Count > 0);
            _wait.Reset();
            _isWaited = true;
            _patience.Change(patience, Timeout.InfiniteTimeSpan);
            return new ValueTask<bool>(this, _wait.Version);
        }
    }

    /// <summary>Ends the wait, if there is one: nothing was found.</summary>
    public void EndWait()
    {
        lock (_gate)
            End(found: false);
    }

    /// <summary>The next publishings, at most so many.</summary>
    public List<PushBatch> Take(int most)
    {
        lock (_gate)
        {
            var taken = new List<PushBatch>(Math.Min(most, _waiting.Count));
            while (taken.Count < most && _waiting.TryDequeue(out var batch))
            {
                _bytes -= batch.Bytes;
                taken.Add(batch);
            }

            return taken;
        }
    }

    /// <summary>Takes nothing any more, and ends the wait.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isClosed = true;
            _waiting.Clear();
            _bytes = 0;
            End(found: false);
            _patience.Dispose();
        }
    }

    bool IValueTaskSource<bool>.GetResult(short token) => _wait.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _wait.GetStatus(token);

    // Where the agent waits, it goes on with its own scheduler, which the source takes with the continuation.
    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);

    private void End(bool found)
    {
        if (!_isWaited)
            return;
        _isWaited = false;
        _wait.SetResult(found);
    }
}
#endif
