using System.Diagnostics.CodeAnalysis;

namespace Watch.Client;

/// <summary>
/// A wish for a node to come or to go: its teller looks at the nodes, and then tells it until its recording is certain, or until its time is
/// over. The cluster records a wish once, however often it is told: a node that comes is not added again, and one that goes is named by its
/// number, which no other node ever has.
/// </summary>
/// <remarks>
/// A refusal is the truth only while no earlier telling may have been recorded; after that the outcome is unknown. A telling that froze on
/// its way may come at any later time, when an operator has long wished the opposite. So every telling says up to where the look had shown
/// the nodes, and is refused where something was wished of the name since (W4 of <c>NodeWish</c>). For the same reason nobody looks a second
/// time: a wish that was overtaken is for the operator to repeat.
/// </remarks>
internal sealed class RepeatedWish(Calls calls, WatchClientOptions options, TimeProvider time, IWatchRandom random)
{
    private readonly Backoff _pauses = new(options.WriteBackoffFirst, options.WriteBackoffMax, time, random);
    private readonly long _started = time.GetTimestamp();

    /// <summary>The nodes that the wish is based on, as a leader of the system group knows them; asked for until there is one.</summary>
    /// <param name="list">Asks once, by a door or by the way that is usual.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="WatchException">Nobody answered, or nobody leads.</exception>
    public async Task<ClusterNodes> LookAsync(Func<Door?, Task<ClusterNodes>> list, CancellationToken cancellationToken)
    {
        while (true)
        {
            WatchException failed;
            try
            {
                var nodes = await calls.OnceAsync(list, isWrite: false, Limit(), hedgeAfter: null, cancellationToken);
                if (nodes.Leaders.Any(leader => leader.Group == ClusterNodes.SystemGroup))
                    return nodes;
                failed = new WatchException(WatchErrorCode.NoQuorum, $"Nobody was seen to lead the system group within {options.WriteTimeout}. {string.Join(' ', nodes.Waits)}".TrimEnd());
            }
            catch (WatchException error) when (IsWorthRepeating(error))
            {
                failed = error;
            }

            if (IsOver)
                throw failed;
            await _pauses.PauseAsync(cancellationToken);
        }
    }

    /// <summary>Tells the wish.</summary>
    /// <param name="tell">Tells it once, by a door or by the way that is usual.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="WatchException">The wish is refused, or whether it was recorded is not known.</exception>
    /// <returns>What the cluster answered.</returns>
    public async Task<T> TellAsync<T>(Func<Door?, Task<T>> tell, CancellationToken cancellationToken)
    {
        WatchException? unknown = null;
        while (true)
        {
            try
            {
                return await calls.OnceAsync(tell, isWrite: true, Limit(), hedgeAfter: null, cancellationToken);
            }
            catch (WatchException error)
            {
                if (error.Code == WatchErrorCode.OutcomeUnknown)
                    unknown = error;
                if (!IsWorthRepeating(error) || IsOver)
                    Throw(error, unknown);
            }

            await _pauses.PauseAsync(cancellationToken);
        }
    }

    private bool IsOver => time.GetElapsedTime(_started) >= options.WriteTimeout;

    // At least the first pause, so that an attempt that begins in time is made.
    private TimeSpan Limit()
    {
        var left = options.WriteTimeout - time.GetElapsedTime(_started);
        var least = left > options.WriteBackoffFirst ? left : options.WriteBackoffFirst;
        return least < options.CallTimeout ? least : options.CallTimeout;
    }

    private bool IsWorthRepeating(WatchException error) =>
        error.Code is WatchErrorCode.OutcomeUnknown or WatchErrorCode.Unavailable || (error.Code == WatchErrorCode.ShuttingDown && calls.IsOutside);

    [DoesNotReturn]
    private static void Throw(WatchException last, WatchException? unknown) =>
        throw (unknown is null || ReferenceEquals(unknown, last)
            ? last
            : new WatchException(WatchErrorCode.OutcomeUnknown, $"{unknown.Message} Telling it again brought no certainty: {last.Message}", last));
}
