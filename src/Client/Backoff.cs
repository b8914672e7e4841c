namespace Watch.Client;

/// <summary>
/// The pauses between attempts: the first short, each further one twice as long up to a limit, each between half and all of that by
/// chance, so that clients that lost the same silo do not come back together. Not thread-safe: one per watch.
/// </summary>
internal sealed class Backoff(WatchClientOptions options, TimeProvider time, IWatchRandom random)
{
    private TimeSpan _next = options.BackoffFirst;

    /// <summary>Waits for the next attempt.</summary>
    public async Task PauseAsync(CancellationToken cancellationToken)
    {
        var pause = _next * (0.5 + 0.5 * random.NextFraction());
        _next = _next * 2 < options.BackoffMax ? _next * 2 : options.BackoffMax;
        await Task.Delay(pause, time, cancellationToken);
    }

    /// <summary>An attempt succeeded: the next pause is short again.</summary>
    public void Reset() => _next = options.BackoffFirst;
}
