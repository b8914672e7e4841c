using System.Threading.Tasks.Sources;
using Watch.Core.Watching;

namespace Watch.Client;

/// <summary>
/// "Look again": set by anyone, waited for by one. Setting never blocks, never runs the waiter and never piles up. The waiter goes on where
/// it awaited: on its scheduler, if it has one of its own. It costs one small object for its whole life, and nothing per wait.
/// </summary>
internal sealed class ReadySignal : IValueTaskSource, IWatchConsumer
{
    private const int Idle = 0;
    private const int IsSet = 1;
    private const int Awaited = 2;

    // The waiter's continuation never runs inside Set, which is called under locks.
    private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = true };
    private int _state;

    /// <summary>Wakes the waiter, or the next one at once. Any thread.</summary>
    public void Set()
    {
        while (true)
        {
            switch (Volatile.Read(ref _state))
            {
                case IsSet:
                    return;
                case Idle when Interlocked.CompareExchange(ref _state, IsSet, Idle) == Idle:
                    return;
                case Awaited when Interlocked.CompareExchange(ref _state, Idle, Awaited) == Awaited:
                    _source.SetResult(true);
                    return;
            }
        }
    }

    void IWatchConsumer.Wake() => Set();

    /// <summary>Done when it is set, which that ends. One waiter at a time.</summary>
    public ValueTask WaitAsync()
    {
        if (Interlocked.CompareExchange(ref _state, Idle, IsSet) == IsSet)
            return default;
        _source.Reset();
        var version = _source.Version;
        if (Interlocked.CompareExchange(ref _state, Awaited, Idle) == Idle)
            return new ValueTask(this, version);
        Volatile.Write(ref _state, Idle);
        return default;
    }

    /// <summary>As the other; a cancellation wakes, too: whoever waits looks at the token then.</summary>
    public async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        await using var canceled = cancellationToken.UnsafeRegister(static signal => ((ReadySignal)signal!).Set(), this);
        await WaitAsync();
    }

    void IValueTaskSource.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);
}
