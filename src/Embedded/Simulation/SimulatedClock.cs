// The clocks of one silo: a monotonic one that may run a little fast or slow, and a wall clock that
// may jump. Timers of the silo follow its monotonic clock, and fire in its process.
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Simulation;

/// <summary>A silo's view of the world's time.</summary>
public sealed class SimulatedClock : TimeProvider
{
    private readonly VirtualTime _time;
    private readonly SimulatedProcess _process;
    private readonly double _rate;
    private TimeSpan _wallOffset;

    internal SimulatedClock(VirtualTime time, SimulatedProcess process, double rate)
    {
        _time = time;
        _process = process;
        _rate = rate;
    }

    /// <summary>How fast the monotonic clock runs: 1 is the world's own speed.</summary>
    public double Rate => _rate;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <summary>Sets the wall clock forward or back; the monotonic clock and timers know nothing of it.</summary>
    public void JumpWall(TimeSpan by) => _wallOffset += by;

    public override long GetTimestamp() => _rate == 1 ? _time.GetTimestamp() : (long)(_time.GetTimestamp() * _rate);

    public override DateTimeOffset GetUtcNow() => _time.GetUtcNow() + _wallOffset;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new Timer(this, _time.CreateTimer(callback, state, _process, ToWorld(dueTime), ToWorld(period)));

    // Rounded up: a timer is never early by the clock that it was set by.
    private TimeSpan ToWorld(TimeSpan own) => own <= TimeSpan.Zero || _rate == 1 ? own : TimeSpan.FromTicks((long)Math.Ceiling(own.Ticks / _rate) + 1);

    private sealed class Timer(SimulatedClock clock, ITimer timer) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(clock.ToWorld(dueTime), clock.ToWorld(period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
