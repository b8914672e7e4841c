namespace Watch.Client;

/// <summary>
/// How a client's calls come to their answers: a client outside the cluster leaves a way that froze for another
/// (<see cref="HedgedCall{T}"/>), and reads again what was lost on the way, as long as a read may take. One inside a silo calls that silo,
/// and when that is gone, so is the client. Thread-safe.
/// </summary>
/// <remarks>
/// A connection that is refused, reset or closed says so at once, long before a server that is restarted, or another one, could answer;
/// a read that gave up then would have waited for nothing at all. What a server answers is final, but that it stops: another may serve.
/// Writes are sent again by their own rules (<see cref="RepeatedWrite"/>, <see cref="RepeatedWish"/>).
/// </remarks>
internal sealed class Calls(Doors doors, WatchClientOptions options, TimeProvider time, IWatchRandom random, bool isOutside, Door? usual = null)
{
    /// <summary>Whether the client is outside the cluster, and can go elsewhere when the server it talks to has stopped.</summary>
    public bool IsOutside => isOutside;

    /// <summary>Reads, again and again within <see cref="WatchClientOptions.CallTimeout"/>.</summary>
    /// <param name="call">Asks once, by a door or by the way that is usual.</param>
    /// <param name="hedgeAfter">After how long without an answer another way is looked for; null for the usual time.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="WatchException">Nobody answered, or the read was refused.</exception>
    public async Task<T> ReadAsync<T>(Func<Door?, Task<T>> call, TimeSpan? hedgeAfter, CancellationToken cancellationToken)
    {
        var pauses = new Backoff(options.WriteBackoffFirst, options.WriteBackoffMax, time, random);
        var started = time.GetTimestamp();
        var limit = options.CallTimeout;
        while (true)
        {
            WatchException lost;
            try
            {
                return await OnceAsync(call, isWrite: false, limit, hedgeAfter, cancellationToken);
            }
            catch (WatchException error) when (isOutside && error.Code is (WatchErrorCode.Unavailable or WatchErrorCode.ShuttingDown))
            {
                lost = error;
            }

            await pauses.PauseAsync(cancellationToken);
            // The last failure says more than an attempt without time would.
            limit = options.CallTimeout - time.GetElapsedTime(started);
            if (limit <= TimeSpan.Zero)
                throw lost;
        }
    }

    /// <summary>Calls once, perhaps by several ways.</summary>
    /// <param name="call">Sends it, by a door or by the way that is usual.</param>
    /// <param name="isWrite">Whether it changes something; it takes effect once even so, however often it is sent.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="hedgeAfter">After how long without an answer another way is looked for; null for the usual time.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <exception cref="WatchException">It was lost, or refused.</exception>
    public async Task<T> OnceAsync<T>(Func<Door?, Task<T>> call, bool isWrite, TimeSpan limit, TimeSpan? hedgeAfter, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            // The wait is bounded here, on this side: whatever happens to the call, its caller goes on.
            return isOutside
                ? await new HedgedCall<T>(call, doors, hedgeAfter ?? options.HedgeAfter, time, isWrite, usual).RunAsync(limit, cancellationToken)
                : await call(null).WaitAsync(limit, time, cancellationToken);
        }
        catch (Exception error) when (error is not WatchException && TransportErrors.IsLost(error, cancellationToken))
        {
            throw isWrite ? TransportErrors.OfWrite(error) : TransportErrors.OfRead(error);
        }
    }
}
