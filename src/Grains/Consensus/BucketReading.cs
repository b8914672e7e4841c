using System.Diagnostics.CodeAnalysis;
using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Core.Storage;

namespace Watch.Grains.Consensus;

/// <summary>
/// A bucket's state as other threads than the replica's may read it: a look into memory, without a call. The replica changes the state
/// under a lock, a few entries at a time; a reader takes the same lock for as long as it looks a few keys up. The replica itself reads
/// without it, since nobody but the replica changes anything.
///
///   O1  A reader sees the state between two commits, never within one.
///   O2  The state is open to readers only while the node belongs to the group and has applied something of it; a node that left, stops or
///       failed answers nothing.
///   O3  A lease is told to readers only when everything is applied that was handed out when it was computed, an entry of the leader's own
///       term among it; and it is taken back before the node says anything to another one that lets somebody else lead.
///
/// Why a reader that has looked at its clock, then at the lease, then at the state answers linearizably: at the moment of the clock the
/// lease ran and was not yet taken back, so nobody else had acknowledged anything; what this leader had acknowledged by then it had applied
/// before, and the state is looked at later.
/// </summary>
internal sealed class BucketReading(BucketState state)
{
    private readonly Lock _gate = new();
    private readonly PriorityQueue<TaskCompletionSource<bool>, long> _waiting = new();
    private long _leaseUntilTicks;
    private int _givenUp;
    private volatile bool _isOpen;
    private volatile bool _leads;

    /// <summary>The state. Only the replica's turns may use it without <see cref="TryRead"/>.</summary>
    public BucketState State { get; private set; } = state;

    /// <summary>Whether readers are answered (O2). Set by the replica.</summary>
    public bool IsOpen
    {
        get => _isOpen;
        set
        {
            if (_isOpen == value)
                return;
            _isOpen = value;
            if (!value)
                EndWaits();
        }
    }

    /// <summary>Whether the replica leads: then it has enough to do, and those who read much ask another one. Set by the replica.</summary>
    public bool Leads
    {
        get => _leads;
        set => _leads = value;
    }

    /// <summary>Until when a lease read may be answered, by the node's monotonic clock (O3). Set by the replica.</summary>
    public TimeSpan LeaseUntil
    {
        get => new(Volatile.Read(ref _leaseUntilTicks));
        set => Volatile.Write(ref _leaseUntilTicks, value.Ticks);
    }

    /// <summary>Keeps readers away while the state is changed; then tells who waits for a revision that has come.</summary>
    public void Change(BucketReplica replica, ReadOnlySpan<Entry> entries, ChangeStep change)
    {
        lock (_gate)
        {
            try
            {
                change(replica, entries);
            }
            catch
            {
                // A broken rule may have left a commit half done (O1); the node stops by the same exception.
                _isOpen = false;
                EndWaits();
                throw;
            }

            TellWaiting();
        }
    }

    /// <summary>Another state takes the place of this one: a snapshot.</summary>
    public void Replace(BucketState other)
    {
        lock (_gate)
        {
            State = other;
            TellWaiting();
        }
    }

    /// <summary>Looks at the state where this policy lets this replica answer; false where somebody else has to.</summary>
    /// <param name="policy">How fresh it has to be.</param>
    /// <param name="time">The clock that leases run by.</param>
    /// <param name="argument">What is looked for.</param>
    /// <param name="read">Looks: shortly, since nothing is applied meanwhile.</param>
    /// <param name="result">What it found.</param>
    public bool TryRead<TArgument, TResult>(ReadPolicy policy, TimeProvider time, TArgument argument, Func<BucketState, TArgument, TResult> read, [MaybeNullWhen(false)] out TResult result)
    {
        result = default;
        // The clock before the lease, the lease before the state: see above.
        if (policy.Kind == ReadKind.Linearizable || !_isOpen || (policy.Kind == ReadKind.Lease && time.GetElapsedTime(0) >= LeaseUntil))
            return false;
        lock (_gate)
        {
            // Whoever waited for the lock while a commit broke in its middle must not see the half of it (O1).
            if (!_isOpen || (policy.Kind == ReadKind.AtLeast && State.Revision < policy.Revision))
                return false;
            result = read(State, argument);
            return true;
        }
    }

    /// <summary>Waits until the state has reached a revision; false when that took too long, or the replica answers nothing any more.</summary>
    public async Task<bool> WaitForAsync(Revision revision, TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        var reached = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (State.Revision >= revision)
                return true;
            if (!_isOpen)
                return false;
            _waiting.Enqueue(reached, revision.Value);
        }

        await using var timer = time.CreateTimer(static waiting => ((TaskCompletionSource<bool>)waiting!).TrySetResult(false), reached, patience, Timeout.InfiniteTimeSpan);
        await using var canceled = cancellationToken.Register(() => reached.TrySetCanceled(cancellationToken));
        try
        {
            return await reached.Task;
        }
        finally
        {
            // Who was told is out of the queue already.
            if (reached.Task is not { IsCompletedSuccessfully: true, Result: true })
                GiveUp();
        }
    }

    /// <summary>Who gave up must not be kept until a revision comes that may never come; all that did are swept out when they are half of all.</summary>
    private void GiveUp()
    {
        lock (_gate)
        {
            if (++_givenUp * 2 <= _waiting.Count)
                return;
            var waiting = _waiting.UnorderedItems.Where(each => !each.Element.Task.IsCompleted).ToList();
            _waiting.Clear();
            _waiting.EnqueueRange(waiting);
            _givenUp = 0;
        }
    }

    private void TellWaiting()
    {
        while (_waiting.TryPeek(out var waiting, out var revision) && revision <= State.Revision.Value)
        {
            _waiting.Dequeue();
            if (!waiting.TrySetResult(true))
                _givenUp--;
        }
    }

    private void EndWaits()
    {
        lock (_gate)
        {
            while (_waiting.TryDequeue(out var waiting, out _))
                waiting.TrySetResult(false);
        }
    }
}

/// <summary>Applies entries to the state of a replica.</summary>
internal delegate void ChangeStep(BucketReplica replica, ReadOnlySpan<Entry> entries);
