using Watch.Core;

namespace Watch;

/// <summary>A watch that calls a function, one event at a time. Thread-safe.</summary>
public interface IWatcher : IAsyncDisposable
{
    /// <summary>
    /// Registers the watch and calls the function until the watch ends; done then, and <see cref="Completion"/> says why. Canceling it, or
    /// disposing of the watcher, ends the watch; a call that is under way has its token canceled. Only the first run does anything: every
    /// other returns at once.
    /// </summary>
    /// <exception cref="WatchException">The registration was refused.</exception>
    /// <exception cref="TimeoutException">A call took longer than <see cref="WatcherOptions.CallbackTimeout"/>.</exception>
    /// <exception cref="OperationCanceledException">It was canceled.</exception>
    /// <exception cref="Exception">What the function threw.</exception>
    Task RunAsync(CancellationToken cancellationToken = default);

    /// <summary>Waits until the watch is effective: everything of its target after <see cref="Start"/> comes.</summary>
    /// <exception cref="TimeoutException">It was not within that time.</exception>
    /// <exception cref="WatchException">The registration was refused, or the watch ended before it was effective.</exception>
    Task WaitReadyAsync(TimeSpan timeout);

    /// <summary>The revision after which everything arrives; 0 before it is ready.</summary>
    Revision Start { get; }

    /// <summary>The revision up to which the function has returned from everything.</summary>
    Revision Cursor { get; }

    /// <summary>Done when the watch has ended, with the reason.</summary>
    Task<WatchEndReason> Completion { get; }
}

/// <summary>How a watcher is to be.</summary>
public sealed record WatcherOptions
{
    /// <summary>How the watch is to be.</summary>
    public WatchOptions Watch { get; init; } = new();

    /// <summary>How long one call may take, 1 ms to 1 h, before the watch ends with <see cref="WatchEndReason.CallbackTimedOut"/>. Default 1 s.</summary>
    public TimeSpan CallbackTimeout { get; init; } = TimeSpan.FromSeconds(1);
}
