using Watch.Core;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>The watch of a watcher that is ready: it reads itself and calls a function with one event after the other.</summary>
/// <remarks>The token of the calls is made for the first of them, so that a watch that has had none is small; it is canceled once, at the end.</remarks>
internal sealed class CallbackReader : SelfReader
{
    private readonly CallbackWatcher _watcher;
    private readonly Func<WatchEvent, CancellationToken, ValueTask> _callback;
    private readonly WatcherOptions _options;
    private CancellationTokenSource? _stop;
    private long _returned;

    public CallbackReader(GrainWatchClient client, WatchRequest request, IWatchFeed feed, CallbackWatcher watcher, Func<WatchEvent, CancellationToken, ValueTask> callback, WatcherOptions options)
        : base(client, request, feed, options.Watch.Resume)
    {
        (_watcher, _callback, _options) = (watcher, callback, options);
        Returned = Start;
    }

    /// <summary>The revision up to which the function has returned from everything.</summary>
    public Revision Returned
    {
        get => new(Volatile.Read(ref _returned));
        private set => Volatile.Write(ref _returned, value.Value);
    }

    /// <summary>Ends the watch, and cancels the call that is under way.</summary>
    public async Task StopAsync()
    {
        // In this order: a call that ends by its token finds that the watch is over.
        var released = DisposeAsync();
        Volatile.Read(ref _stop)?.Cancel();
        await released;
    }

    private protected override async ValueTask<WatchEndReason> HandOnAsync(WatchBatch batch)
    {
        for (var at = 0; at < batch.Events.Length; at++)
        {
            var each = batch.Events[at];
            if (each.Type == WatchEventType.Canceled || !Shows(batch, at))
                continue;
            if (Keeper is not { } keeper)
            {
                if (!await TryCallAsync(each))
                    return WatchEndReason.Disposed;
                continue;
            }

            foreach (var told in keeper.Tell(each))
            {
                if (!await TryCallAsync(told))
                    return WatchEndReason.Disposed;
            }
        }

        MoveTo(batch.Revision);
        Returned = Cursor;
        return EndOf(batch);
    }

    private protected override void Over(WatchEndReason reason, Exception? failure) => _watcher.Ended(reason, failure);

    /// <summary>Calls the function; false where the watch is over meanwhile.</summary>
    /// <exception cref="CallbackException">It threw, or took too long.</exception>
    private async ValueTask<bool> TryCallAsync(WatchEvent each)
    {
        var stop = _stop ?? Interlocked.CompareExchange(ref _stop, new CancellationTokenSource(), null) ?? _stop;
        if (IsStopped)
            return false;
        try
        {
            var call = _callback(each, stop.Token);
            if (call.IsCompleted)
                await call;
            else
                await InTimeAsync(each, call.AsTask(), stop);
        }
        catch (OperationCanceledException) when (IsStopped)
        {
            return false;
        }
        catch (Exception error) when (error is not CallbackException)
        {
            throw new CallbackException(WatchEndReason.CallbackFailed, error);
        }

        Returned = Cursor;
        return !IsStopped;
    }

    private async ValueTask InTimeAsync(WatchEvent each, Task call, CancellationTokenSource stop)
    {
        var limited = call.WaitAsync(_options.CallbackTimeout, Client.Time, stop.Token);
        await GivenUp.Quietly(limited);
        if (!call.IsCompleted)
        {
            GivenUp.Observe(call);
            stop.Token.ThrowIfCancellationRequested();
            stop.Cancel();
            throw new CallbackException(WatchEndReason.CallbackTimedOut, new TimeoutException($"The callback of {Target} had not returned from {each.Type} of {each.Key}, revision {each.Revision}, after {_options.CallbackTimeout}."));
        }

        await call;
    }
}
