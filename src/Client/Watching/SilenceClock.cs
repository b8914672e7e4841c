using Watch.Core;

namespace Watch.Client;

/// <summary>
/// How long nothing has come of a watch that wants to know when it may be stale, by the reader's own clock.
/// </summary>
/// <remarks>
/// The server says Stale where nobody confirms to it that nothing is missing. Where the server itself is silent, frozen, lost, or cannot be
/// reached, nobody but this side can. Rules:
///   F1  A watch with a limit is told by its server how far it is at least three times within that limit, so that silence means something.
///   F2  Whoever waits, with nothing to hand on, is told Stale once when nothing has come for the limit: whether there is a server or not.
///   F3  Whatever comes ends that, but the server's own Stale, which counts as told.
/// One timer of one shot, set to when the limit would be reached; what comes does not touch it. The reader hears and tells, the timer wakes it.
/// </remarks>
internal sealed class SilenceClock : IDisposable
{
    /// <summary>How many times within the limit the server is to say how far the watch is (F1).</summary>
    public const int WordsPerLimit = 3;

    private static readonly TimeSpan s_shortest = TimeSpan.FromMilliseconds(1);

    private readonly TimeSpan _limit;
    private readonly TimeProvider _time;
    private readonly Action _wake;
    private readonly ITimer _timer;
    private long _heard;
    private volatile bool _isTold;

    /// <summary>The time runs from here.</summary>
    /// <param name="limit">How long nothing need come.</param>
    /// <param name="time">The reader's clock.</param>
    /// <param name="wake">Has the reader look whether it is due; any thread.</param>
    public SilenceClock(TimeSpan limit, TimeProvider time, Action wake)
    {
        (_limit, _time, _wake) = (limit, time, wake);
        _heard = time.GetTimestamp();
        _timer = time.CreateTimer(static clock => ((SilenceClock)clock!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _timer.Change(limit, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The reader is handed a batch (F3).</summary>
    public void Hear(WatchBatch batch)
    {
        _isTold = batch.Events is [.., { Type: WatchEventType.Stale }];
        if (!_isTold)
            Volatile.Write(ref _heard, _time.GetTimestamp());
    }

    /// <summary>The word that the watch is stale, if it is to be said now (F2).</summary>
    /// <param name="cursor">The reader's cursor.</param>
    public WatchBatch? TryTell(Revision cursor)
    {
        var silent = Silent;
        if (_isTold || silent < _limit)
            return null;
        _isTold = true;
        return new WatchBatch(0, cursor, cursor, [new WatchEvent { Type = WatchEventType.Stale, Revision = cursor, Count = (long)silent.TotalMilliseconds }]);
    }

    /// <summary>How often the server is to say how far a watch is (F1), given what its owner asked for: what makes no sense is left to be refused.</summary>
    public static TimeSpan? IntervalFor(TimeSpan? asked, TimeSpan? staleAfter)
    {
        if (staleAfter is not { } limit)
            return asked;
        var share = limit / WordsPerLimit;
        var least = TimeSpan.FromMilliseconds(Core.Watching.WatchSpec.IntervalMsMin);
        var most = TimeSpan.FromMilliseconds(Core.Watching.WatchSpec.IntervalMsMax);
        var wanted = share < least ? least : share > most ? most : share;
        return asked is null || (asked > wanted && asked <= most) ? wanted : asked;
    }

    public void Dispose() => _timer.Dispose();

    private TimeSpan Silent => _time.GetElapsedTime(Volatile.Read(ref _heard));

    private void Look()
    {
        var rest = _limit - Silent;
        var isDue = rest <= TimeSpan.Zero;
        _timer.Change(isDue ? _limit : rest > s_shortest ? rest : s_shortest, Timeout.InfiniteTimeSpan);
        if (isDue && !_isTold)
            _wake();
    }
}
