namespace Watch.Grains.Consensus;

/// <summary>
/// Wakes at a time or before it. It is set again only where it would come too late: a deadline that moves away, as most do, costs an early
/// awakening once in a while instead of a change of the timer each time.
/// </summary>
internal sealed class WakeTimer : IDisposable
{
    private readonly ITimer _timer;
    private long _dueTicks = long.MaxValue;

    public WakeTimer(TimeProvider time, Action wake) => _timer = time.CreateTimer(
        _ =>
        {
            Volatile.Write(ref _dueTicks, long.MaxValue);
            wake();
        },
        null,
        Timeout.InfiniteTimeSpan,
        Timeout.InfiniteTimeSpan);

    /// <summary>Wakes at that time of the monotonic clock, or before; <see cref="TimeSpan.MaxValue"/> for not at all.</summary>
    public void WakeBy(TimeSpan due, TimeSpan now)
    {
        if (due == TimeSpan.MaxValue || Volatile.Read(ref _dueTicks) <= due.Ticks)
            return;
        Volatile.Write(ref _dueTicks, due.Ticks);
        // Whole milliseconds, rounded up: a timer that came too early would only have to be set again.
        var span = Math.Clamp(Math.Ceiling((due - now).TotalMilliseconds), 1, int.MaxValue);
        _timer.Change(TimeSpan.FromMilliseconds(span), Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _timer.Dispose();
}
