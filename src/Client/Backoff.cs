namespace Watch.Client;

/// <summary>
/// The pauses between attempts: the first short, each further one twice as long up to a limit, each between half and all of that by
/// chance, so that clients that lost the same silo do not come back together. Not thread-safe: one per watch, one per write.
/// </summary>
internal sealed class Backoff(TimeSpan first, TimeSpan max, TimeProvider time, IWatchRandom random, CancellationToken gone = default)
{
    private readonly TimeSpan _first = first;
    private TimeSpan _next = first;

    /// <summary>The pauses of a watch.</summary>
    public Backoff(WatchClientOptions options, TimeProvider time, IWatchRandom random, CancellationToken gone = default)
        : this(options.BackoffFirst, options.BackoffMax, time, random, gone)
    {
    }

    /// <summary>How long the next pause is; the one behind it is longer.</summary>
    public TimeSpan Next()
    {
        var pause = _next * (0.5 + 0.5 * random.NextFraction());
        _next = _next * 2 < max ? _next * 2 : max;
        return pause;
    }

    /// <summary>Waits for the next attempt; no longer than until the client is gone, which the attempt is told.</summary>
    public async Task PauseAsync(CancellationToken cancellationToken)
    {
        var pause = Next();
        if (!gone.CanBeCanceled)
        {
            await Task.Delay(pause, time, cancellationToken);
            return;
        }

        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, gone);
        await Task.Delay(pause, time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>An attempt succeeded: the next pause is short again.</summary>
    public void Reset() => _next = _first;
}
