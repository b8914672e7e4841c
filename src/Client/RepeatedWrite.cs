using Watch.Core;

namespace Watch.Client;

/// <summary>
/// One write, sent until it is answered, or until its time is over. Every sending carries the same id, so however many of them arrive,
/// one takes effect. What the caller is told at the end is the truth about all sendings together: only if none of them can have arrived
/// is the write certainly not carried out.
/// </summary>
/// <remarks>
/// A first sending may come too late: the client was idle, its machine suspended, or the cluster had much to remember meanwhile. It is
/// refused then, having done nothing, and the write is given a fresh id, under two conditions that together say that it never took
/// effect: the server that refused knows of no other sending on its side, and of this side's sendings with the id
/// (<see cref="Sendings"/>) none may have arrived.
/// </remarks>
internal sealed class RepeatedWrite(WatchClientOptions options, TimeProvider time, IWatchRandom random, bool serverMayReturn)
{
    private readonly Backoff _pauses = new(options.WriteBackoffFirst, options.WriteBackoffMax, time, random);
    private readonly long _started = time.GetTimestamp();
    private WatchException? _unknown;
    private WatchException? _refused;

    /// <summary>Gets the id and sends the write with it, again and again; both are given how long they may take.</summary>
    /// <param name="identify">The write's id; asked before every sending.</param>
    /// <param name="send">Sends it once.</param>
    /// <param name="renumber">What to do where this id was too late: true where the next one will be another.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<WriteResult> RunAsync(
        Func<TimeSpan, Task<WriteId>> identify, Func<WriteId, TimeSpan, Task<WriteResult>> send, Func<WriteResult, bool> renumber, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var id = await identify(Limit());
                var result = await send(id, Limit());
                if (result.Status != WriteStatus.TooOld || !renumber(result))
                    return result;
                if (time.GetElapsedTime(_started) >= options.WriteTimeout)
                    throw TooLate();
            }
            catch (WatchException error)
            {
                if (error.Code == WatchErrorCode.OutcomeUnknown)
                    _unknown = error;
                else if (error.Code != WatchErrorCode.Unavailable)
                    _refused = error;
                if (!IsWorthRepeating(error) || time.GetElapsedTime(_started) >= options.WriteTimeout)
                    throw Told(error);
            }

            await _pauses.PauseAsync(cancellationToken);
        }
    }

    /// <summary>What a caller is told whose write the cluster does not remember: sending it again would be answered alike.</summary>
    public static WatchException Forgotten(WriteResult result) => new(
        WatchErrorCode.OutcomeUnknown,
        result.Status == WriteStatus.TooOld
            ? "The cluster no longer remembers the time of this write's id. This sending did nothing; an earlier one took effect or not, and none does any more."
            : "The cluster no longer remembers the time in which this write was first sent: it took effect once or not at all, and does not any more.");

    private static WatchException TooLate() => new(
        WatchErrorCode.Busy,
        "The cluster has so much to remember that every id was too old before the write arrived. Nothing was done. Try again later.");

    // At least the first pause, so that an attempt that begins in time is made.
    private TimeSpan Limit()
    {
        var left = options.WriteTimeout - time.GetElapsedTime(_started);
        var least = left > options.WriteBackoffFirst ? left : options.WriteBackoffFirst;
        return least < options.CallTimeout ? least : options.CallTimeout;
    }

    // A full queue is for the caller to see, unless an earlier sending may have got through.
    private bool IsWorthRepeating(WatchException error) => error.Code switch
    {
        WatchErrorCode.OutcomeUnknown or WatchErrorCode.NoQuorum or WatchErrorCode.Unavailable => true,
        WatchErrorCode.ShuttingDown => serverMayReturn,
        WatchErrorCode.Busy => _unknown is not null,
        _ => false,
    };

    // What a server said says more than that the last one, which had little time left, said nothing.
    private WatchException Told(WatchException last) => this switch
    {
        { _unknown: { } unknown } when last.Code != WatchErrorCode.OutcomeUnknown =>
            new WatchException(WatchErrorCode.OutcomeUnknown, $"{unknown.Message} Sending it again brought no answer: {last.Message}", last),
        { _refused: { } refused } when last.Code == WatchErrorCode.Unavailable => refused,
        _ => last,
    };
}
