using Watch.Core;

namespace Watch.Client;

/// <summary>Reads a stream and calls an observer, one call at a time.</summary>
internal sealed class ObserverReader(IWatchStream stream, IWatchObserver observer, TimeProvider time) : IWatchSubscription
{
    private readonly TaskCompletionSource<WatchEndReason> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Revision Start => stream.Start;

    public Revision Cursor => stream.Cursor;

    public Task<WatchEndReason> Completion => _completion.Task;

    /// <summary>Starts the calls; they end with the stream, and <see cref="Completion"/> tells how.</summary>
    public void Begin() => _ = RunAsync();

    public async ValueTask DisposeAsync()
    {
        await stream.DisposeAsync();
        _completion.TrySetResult(WatchEndReason.Disposed);
    }

    private async Task RunAsync()
    {
        try
        {
            await foreach (var batch in stream.ReadBatchesAsync())
            {
                if (await ObserverCall.ReturnsInTimeAsync(observer, batch, time))
                    continue;
                _completion.TrySetResult(WatchEndReason.CallbackTimedOut);
                return;
            }

            _completion.TrySetResult(await stream.Completion);
        }
        catch (Exception)
        {
            // The caller's own code failed. It knows why, and Completion tells that this is what ended the watch.
            _completion.TrySetResult(WatchEndReason.CallbackFailed);
        }
    }
}
