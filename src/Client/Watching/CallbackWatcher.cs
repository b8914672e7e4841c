using Watch.Core;

namespace Watch.Client;

/// <summary>A watch that calls a function with one event after the other.</summary>
internal sealed class CallbackWatcher : IWatcher
{
    private static readonly TimeSpan s_timeoutMin = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_timeoutMax = TimeSpan.FromHours(1);

    private readonly IWatchClient _client;
    private readonly WatchTarget _target;
    private readonly Func<WatchEvent, CancellationToken, ValueTask> _callback;
    private readonly WatcherOptions _options;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _disposed = new();
    private readonly TaskCompletionSource<WatchEndReason> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Readiness _readiness;
    private long _start;
    private long _cursor;
    private int _runs;

    public CallbackWatcher(IWatchClient client, WatchTarget target, Func<WatchEvent, CancellationToken, ValueTask> callback, WatcherOptions options, TimeProvider time)
    {
        if (options.CallbackTimeout < s_timeoutMin || options.CallbackTimeout > s_timeoutMax)
            throw new WatchException(WatchErrorCode.InvalidOption, $"{nameof(WatcherOptions)}.{nameof(WatcherOptions.CallbackTimeout)} is {options.CallbackTimeout}; {s_timeoutMin} to {s_timeoutMax} are allowed.");
        _client = client;
        _target = target;
        _callback = callback;
        _options = options;
        _time = time;
        _readiness = new Readiness(time);
    }

    public Revision Start => new(Volatile.Read(ref _start));

    public Revision Cursor => new(Volatile.Read(ref _cursor));

    public Task<WatchEndReason> Completion => _completion.Task;

    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _runs, 1) != 0)
            return;
        var end = WatchEndReason.Refused;
        try
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposed.Token);
            end = await FollowAsync(stop.Token);
            cancellationToken.ThrowIfCancellationRequested();
        }
        catch (OperationCanceledException) when (_disposed.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            end = WatchEndReason.Disposed;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            end = WatchEndReason.Disposed;
            throw;
        }
        catch (CallbackException failure)
        {
            end = failure.Reason;
            throw failure.OfCallback();
        }
        catch (WatchException refused)
        {
            end = TransportErrors.ReasonOf(refused);
            _readiness.Fail(refused);
            throw;
        }
        finally
        {
            _completion.TrySetResult(end);
            _readiness.Fail(new WatchException(WatchErrorCode.Unavailable, $"The watcher of {_target} ended ({end})."));
        }
    }

    public Task WaitReadyAsync(TimeSpan timeout) => _readiness.WaitAsync(timeout);

    public ValueTask DisposeAsync()
    {
        // One that never ran has nothing that could end it.
        if (Interlocked.Exchange(ref _runs, 1) == 0)
        {
            _completion.TrySetResult(WatchEndReason.Disposed);
            _readiness.Fail(new WatchException(WatchErrorCode.Unavailable, $"The watcher of {_target} was disposed of."));
        }

        _disposed.Cancel();
        return default;
    }

    private async Task<WatchEndReason> FollowAsync(CancellationToken stop)
    {
        await using var stream = await _client.WatchAsync(_target, _options.Watch, stop);
        Volatile.Write(ref _start, stream.Start.Value);
        Volatile.Write(ref _cursor, stream.Start.Value);
        _readiness.Succeed();
        await foreach (var each in stream.WithCancellation(stop))
        {
            if (each.Type == WatchEventType.Canceled)
                return each.Reason;
            await CallAsync(each, stop);
            Volatile.Write(ref _cursor, stream.Cursor.Value);
        }

        return WatchEndReason.Disposed;
    }

    private async Task CallAsync(WatchEvent each, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        try
        {
            var call = _callback(each, limit.Token);
            if (call.IsCompleted)
            {
                await call;
                return;
            }

            var task = call.AsTask();
            var limited = task.WaitAsync(_options.CallbackTimeout, _time, stop);
            await GivenUp.Quietly(limited);
            if (!task.IsCompleted)
            {
                GivenUp.Observe(task);
                stop.ThrowIfCancellationRequested();
                limit.Cancel();
                throw new CallbackException(WatchEndReason.CallbackTimedOut, new TimeoutException($"The callback of {_target} had not returned from {each.Type} of {each.Key}, revision {each.Revision}, after {_options.CallbackTimeout}."));
            }

            await task;
        }
        catch (Exception error) when (error is not CallbackException && !(error is OperationCanceledException && stop.IsCancellationRequested))
        {
            throw new CallbackException(WatchEndReason.CallbackFailed, error);
        }
    }

    /// <summary>Tells what the callback did wrong from what the watch did.</summary>
    private sealed class CallbackException(WatchEndReason reason, Exception error) : Exception(error.Message, error)
    {
        public WatchEndReason Reason => reason;

        /// <summary>The callback's own failure, as it was thrown.</summary>
        public Exception OfCallback()
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(InnerException!);
            return InnerException!;
        }
    }
}
