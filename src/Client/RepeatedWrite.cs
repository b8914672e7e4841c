using Watch.Core;

namespace Watch.Client;

/// <summary>
/// One write, sent until it is answered, or until its time is over. Every sending carries the same id, so however many of them arrive,
/// one takes effect. What the caller is told at the end is the truth about all sendings together: only if none of them can have arrived
/// is the write certainly not carried out.
/// </summary>
internal sealed class RepeatedWrite(WatchClientOptions options, TimeProvider time, IWatchRandom random, bool serverMayReturn)
{
    private readonly Backoff _pauses = new(options.WriteBackoffFirst, options.WriteBackoffMax, time, random);
    private readonly long _started = time.GetTimestamp();
    private WatchException? _unknown;
    private WatchException? _refused;

    /// <summary>Gets the id and sends the write with it, again and again; both are given how long they may take.</summary>
    public async Task<WriteResult> RunAsync(
        Func<TimeSpan, Task<WriteId>> identify, Func<WriteId, TimeSpan, Task<WriteResult>> send, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var id = await identify(Limit());
                return await send(id, Limit());
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
    public static WatchException Forgotten() => new(
        WatchErrorCode.OutcomeUnknown,
        "The cluster no longer remembers the time in which this write was first sent: it took effect once or not at all, and does not any more.");

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
