using System.Diagnostics.CodeAnalysis;

namespace Watch.Client;

/// <summary>
/// A wish for a node to come or to go, told until its recording is certain, or until its time is over. The cluster records a wish once,
/// however often it is told: a node that comes is not added again, and one that goes is named by its number, which no other node ever has.
/// </summary>
/// <remarks>
/// A refusal is the truth only while no earlier telling may have been recorded; after that the outcome is unknown. A telling that froze on its
/// way is dropped when its time is over (20 s); until then it may still come. That matters for no node but one of which the operator has
/// meanwhile removed the name, emptied the folder and started the silo again: it would be added without being asked for anew.
/// </remarks>
internal sealed class RepeatedWish(Calls calls, WatchClientOptions options, TimeProvider time, IWatchRandom random)
{
    private readonly Backoff _pauses = new(options.WriteBackoffFirst, options.WriteBackoffMax, time, random);

    /// <summary>Tells the wish.</summary>
    /// <param name="tell">Tells it once, by a door or by the way that is usual.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="WatchException">The wish is refused, or whether it was recorded is not known.</exception>
    /// <returns>What the cluster answered.</returns>
    public async Task<T> RunAsync<T>(Func<Door?, Task<T>> tell, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        WatchException? unknown = null;
        while (true)
        {
            try
            {
                return await calls.OnceAsync(tell, isWrite: true, options.CallTimeout, hedgeAfter: null, cancellationToken);
            }
            catch (WatchException error)
            {
                if (error.Code == WatchErrorCode.OutcomeUnknown)
                    unknown = error;
                if (!IsWorthRepeating(error) || time.GetElapsedTime(started) >= options.WriteTimeout)
                    Throw(error, unknown);
            }

            await _pauses.PauseAsync(cancellationToken);
        }
    }

    private bool IsWorthRepeating(WatchException error) =>
        error.Code is WatchErrorCode.OutcomeUnknown or WatchErrorCode.Unavailable || (error.Code == WatchErrorCode.ShuttingDown && calls.IsOutside);

    [DoesNotReturn]
    private static void Throw(WatchException last, WatchException? unknown) =>
        throw (unknown is null || ReferenceEquals(unknown, last)
            ? last
            : new WatchException(WatchErrorCode.OutcomeUnknown, $"{unknown.Message} Telling it again brought no certainty: {last.Message}", last));
}
