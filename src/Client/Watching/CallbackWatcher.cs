using Watch.Core;

namespace Watch.Client;

/// <summary>A watch that calls a function with one event after the other.</summary>
/// <remarks>
/// What it needs to begin is kept until it is ready, and then its reader in place of that: one that waits for events is this, the reader,
/// and the task of its run.
/// </remarks>
internal sealed class CallbackWatcher : IWatcher
{
    private static readonly TimeSpan s_timeoutMin = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_timeoutMax = TimeSpan.FromHours(1);
    private static readonly TaskCompletionSource s_never = new();

    // A beginning, then a reader.
    private object _state;
    private TaskCompletionSource? _run;
    private TaskCompletionSource<WatchEndReason>? _completion;
    private CancellationTokenRegistration _canceled;
    private int _end;
    private volatile bool _isStopped;

    public CallbackWatcher(GrainWatchClient client, WatchTarget target, Func<WatchEvent, CancellationToken, ValueTask> callback, WatcherOptions options)
    {
        if (options.CallbackTimeout < s_timeoutMin || options.CallbackTimeout > s_timeoutMax)
            throw new WatchException(WatchErrorCode.InvalidOption, $"{nameof(WatcherOptions)}.{nameof(WatcherOptions.CallbackTimeout)} is {options.CallbackTimeout}; {s_timeoutMin} to {s_timeoutMax} are allowed.");
        _state = new Beginning(client, target, callback, options);
    }

    public Revision Start => Reader?.Start ?? default;

    public Revision Cursor => Reader?.Returned ?? default;

    public Task<WatchEndReason> Completion
    {
        get
        {
            var completion = Volatile.Read(ref _completion);
            if (completion is null)
            {
                var made = new TaskCompletionSource<WatchEndReason>(TaskCreationOptions.RunContinuationsAsynchronously);
                completion = Interlocked.CompareExchange(ref _completion, made, null) ?? made;
            }

            if (Volatile.Read(ref _end) is not (int)WatchEndReason.None and var end)
                completion.TrySetResult((WatchEndReason)end);
            return completion.Task;
        }
    }

    public Task RunAsync(CancellationToken cancellationToken = default)
    {
        var run = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (Interlocked.CompareExchange(ref _run, run, null) is not null)
            return Task.CompletedTask;
        // It tells the run how it went, whatever that is.
        _ = BeginAsync((Beginning)_state, cancellationToken);
        return run.Task;
    }

    public Task WaitReadyAsync(TimeSpan timeout) => Volatile.Read(ref _state) is Beginning beginning ? beginning.Readiness.WaitAsync(timeout) : Task.CompletedTask;

    public ValueTask DisposeAsync()
    {
        // One that never ran has nothing that could end it.
        if (Interlocked.CompareExchange(ref _run, s_never, null) is null)
            Ended(WatchEndReason.Disposed, null);
        else
            Stop();
        return default;
    }

    /// <summary>The watch is over, or never was.</summary>
    /// <param name="reason">Why; the first one counts.</param>
    /// <param name="failure">What the run throws, if it does.</param>
    public void Ended(WatchEndReason reason, Exception? failure) => Conclude(reason, failure, _canceled.Token);

    private CallbackReader? Reader => Volatile.Read(ref _state) as CallbackReader;

    private void Conclude(WatchEndReason reason, Exception? failure, CancellationToken callers)
    {
        _canceled.Unregister();
        Interlocked.CompareExchange(ref _end, (int)reason, (int)WatchEndReason.None);
        Volatile.Read(ref _completion)?.TrySetResult((WatchEndReason)_end);
        if (Volatile.Read(ref _state) is Beginning beginning)
            beginning.Readiness.Fail(new WatchException(WatchErrorCode.Unavailable, $"The watcher of {beginning.Target} ended ({reason})."));
        var run = _run!;
        // A cancellation is the caller's own; one that the function throws for reasons of its own is a failure like any other.
        if (failure is not null)
            run.TrySetException(failure);
        else if (reason == WatchEndReason.Disposed && callers.IsCancellationRequested)
            run.TrySetCanceled(callers);
        else
            run.TrySetResult();
    }

    private async Task BeginAsync(Beginning beginning, CancellationToken cancellationToken)
    {
        _canceled = cancellationToken.UnsafeRegister(static watcher => ((CallbackWatcher)watcher!).Stop(), this);
        try
        {
            var reader = await beginning.OpenAsync(this);
            Volatile.Write(ref _state, reader);
            beginning.Readiness.Succeed();
            reader.Begin();
            // Whoever stops it marks that first, and looks for the reader then.
            Interlocked.MemoryBarrier();
            if (_isStopped)
                await reader.StopAsync();
        }
        catch (OperationCanceledException) when (_isStopped)
        {
            Conclude(WatchEndReason.Disposed, null, cancellationToken);
        }
        catch (WatchException refused)
        {
            beginning.Readiness.Fail(refused);
            Ended(TransportErrors.ReasonOf(refused), refused);
        }
        catch (Exception error)
        {
            Ended(WatchEndReason.Refused, error);
        }
    }

    private void Stop()
    {
        _isStopped = true;
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _state) is CallbackReader reader)
            // The reader's own end waits for it.
            _ = reader.StopAsync();
        else
            ((Beginning)_state).Stop.Cancel();
    }

    /// <summary>What a watcher needs until it is ready.</summary>
    private sealed class Beginning(GrainWatchClient client, WatchTarget target, Func<WatchEvent, CancellationToken, ValueTask> callback, WatcherOptions options)
    {
        public WatchTarget Target => target;

        public Readiness Readiness { get; } = new(client.Time);

        public CancellationTokenSource Stop { get; } = new();

        public Task<CallbackReader> OpenAsync(CallbackWatcher watcher) => client.OpenAsync(target, watcher, callback, options, Stop.Token);
    }
}
