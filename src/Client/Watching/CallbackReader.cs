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
    private CallsEnd? _stop;
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
        // In this order: a call that ends by its token finds that the watch is over, and whoever is told of the end what the token's own callbacks threw.
        MarkStopped();
        Volatile.Read(ref _stop)?.CancelOnce();
        await DisposeAsync();
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

    private protected override void Over(WatchEndReason reason, Exception? failure)
    {
        if (failure is null && Volatile.Read(ref _stop)?.Failure is { } thrown)
            _watcher.Ended(WatchEndReason.CallbackFailed, thrown);
        else
            _watcher.Ended(reason, failure);
    }

    /// <summary>Calls the function; false where the watch is over meanwhile.</summary>
    /// <exception cref="CallbackException">It threw, or took too long.</exception>
    private async ValueTask<bool> TryCallAsync(WatchEvent each)
    {
        var stop = _stop ?? Interlocked.CompareExchange(ref _stop, new CallsEnd(), null) ?? _stop;
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
            await stop.Canceled;
            return false;
        }
        catch (Exception error) when (error is not CallbackException)
        {
            throw new CallbackException(WatchEndReason.CallbackFailed, error);
        }

        Returned = Cursor;
        if (!IsStopped)
            return true;
        await stop.Canceled;
        return false;
    }

    private async ValueTask InTimeAsync(WatchEvent each, Task call, CallsEnd stop)
    {
        // The client's end waits for the call. Only while there is one, so that a watch that waits is nobody's to remember.
        var gone = Client.Gone.UnsafeRegister(static reader => _ = ((CallbackReader)reader!).StopAsync(), this);
        var limited = call.WaitAsync(_options.CallbackTimeout, Client.Time, stop.Token);
        await GivenUp.Quietly(limited);
        gone.Unregister();
        if (!call.IsCompleted)
        {
            GivenUp.Observe(call);
            stop.Token.ThrowIfCancellationRequested();
            stop.CancelOnce();
            throw new CallbackException(WatchEndReason.CallbackTimedOut, new TimeoutException($"The callback of {Target} had not returned from {each.Type} of {each.Key}, revision {each.Revision}, after {_options.CallbackTimeout}.", stop.Failure));
        }

        await call;
    }

    /// <summary>The token of the calls. What is registered with it is the caller's own code, and may throw.</summary>
    private sealed class CallsEnd : CancellationTokenSource
    {
        private readonly TaskCompletionSource _canceled = new();
        private int _begun;

        /// <summary>What was thrown by what is registered with the token.</summary>
        public Exception? Failure { get; private set; }

        /// <summary>Done when all that is registered has been told.</summary>
        public Task Canceled => _canceled.Task;

        public void CancelOnce()
        {
            if (Interlocked.Exchange(ref _begun, 1) != 0)
                return;
            try
            {
                Cancel();
            }
            catch (AggregateException failure)
            {
                Failure = failure;
            }

            _canceled.SetResult();
        }
    }
}
