using System.Threading.Tasks.Sources;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>A watch that reads itself and calls an observer, one call at a time.</summary>
internal sealed class ObserverReader(GrainWatchClient client, WatchRequest request, IWatchFeed feed, bool resume, IWatchObserver observer)
    : SelfReader(client, request, feed, resume)
{
    private protected override async ValueTask<WatchEndReason> HandOnAsync(WatchBatch batch)
    {
        Take(batch);
        return await ObserverCall.ReturnsInTimeAsync(observer, batch, Client.Time) ? EndOf(batch) : WatchEndReason.CallbackTimedOut;
    }
}

/// <summary>A watch that reads itself and hands its batches on, one call at a time.</summary>
/// <remarks>
/// It runs when it is woken, until nothing is left, and then has nothing under way: one that waits is this object and no more. It runs where
/// it began, on that scheduler if there is one, and never inside the call that wakes it.
/// </remarks>
internal abstract class SelfReader(GrainWatchClient client, WatchRequest request, IWatchFeed feed, bool resume)
    : ResumingWatchStream(client, request, feed, resume), IWatchConsumer
{
    private const int Running = 0;
    private const int Called = 1;
    private const int Resting = 2;

    private ManualResetValueTaskSourceCore<bool> _call = new() { RunContinuationsAsynchronously = true };
    private int _state = Running;
    private int _hasEnded;

    /// <summary>Starts the calls; they end with the watch, and <see cref="IWatchSubscription.Completion"/> tells how.</summary>
    public void Begin()
    {
        BeginReading(this);
        _ = RunAsync();
    }

    public void Wake()
    {
        if (Interlocked.Exchange(ref _state, Called) == Resting)
            _call.SetResult(true);
    }

    /// <summary>Hands on what there is. It belongs to this reader, and ends with a reason if it fails.</summary>
    private async Task RunAsync()
    {
        try
        {
            Interlocked.Exchange(ref _state, Running);
            while (TryStep(out var batch) is var step && step != ReaderStep.Leave)
            {
                if (step == ReaderStep.Rest && TryRest())
                    return;
                if (step == ReaderStep.Reopen)
                    batch = await GoOnElsewhereAsync();
                if (batch is not null && await HandOnAsync(batch) is var end && end != WatchEndReason.None)
                {
                    await EndAsync(end, failure: null);
                    return;
                }
            }

            await EndAsync(WatchEndReason.Disposed, failure: null);
        }
        catch (CallbackException failure)
        {
            await EndAsync(failure.Reason, failure.InnerException);
        }
        catch (Exception failure)
        {
            // The caller's own code failed. It knows why, and Completion tells that this is what ended the watch.
            await EndAsync(WatchEndReason.CallbackFailed, failure);
        }
    }

    /// <summary>Hands a batch on; answers with why that was the last one. What it throws ends the watch: the caller's own code failed.</summary>
    private protected abstract ValueTask<WatchEndReason> HandOnAsync(WatchBatch batch);

    /// <summary>The watch has ended, and everybody who asks is told so.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="failure">What ended it, where that was the caller's own code.</param>
    private protected virtual void Over(WatchEndReason reason, Exception? failure)
    {
    }

    /// <summary>Has this go on when it is woken. False where it was woken meanwhile, and goes on at once.</summary>
    private bool TryRest()
    {
        _call.Reset();
        _call.OnCompleted(
            static reader => _ = ((SelfReader)reader!).RunAsync(),
            this,
            _call.Version,
            ValueTaskSourceOnCompletedFlags.UseSchedulingContext | ValueTaskSourceOnCompletedFlags.FlowExecutionContext);
        if (Interlocked.CompareExchange(ref _state, Resting, Running) == Running)
            return true;
        Interlocked.Exchange(ref _state, Running);
        return false;
    }

    private async ValueTask EndAsync(WatchEndReason reason, Exception? failure)
    {
        try
        {
            await ReleaseAsync();
        }
        finally
        {
            // Whatever became of leaving the server: whoever waits for the end is told of it, once.
            End(reason);
            if (Interlocked.Exchange(ref _hasEnded, 1) == 0)
            {
                Over(reason, failure);
                Client.ReaderEnded();
            }
        }
    }
}
