// A clock that stands still while anything is ready to run, and then jumps to the next timer.
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Simulation;

internal sealed class VirtualTime(SimulationLoop loop) : TimeProvider
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    // Timers of one instant fire in the order in which they were set.
    private readonly PriorityQueue<VirtualTimer, (long Due, long Number)> _timers = new();
    private long _now;
    private long _count;

    public TimeSpan Elapsed => TimeSpan.FromTicks(_now);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long GetTimestamp() => _now;

    public override DateTimeOffset GetUtcNow() => Start + Elapsed;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        CreateTimer(callback, state, null, dueTime, period);

    /// <summary>A timer that fires in a process, and with it never or later.</summary>
    public ITimer CreateTimer(TimerCallback callback, object? state, SimulatedProcess? process, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new VirtualTimer(this, callback, state, process);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves on to the next timer and makes it ready. False: there is none.</summary>
    public bool AdvanceToNext()
    {
        while (_timers.TryDequeue(out var timer, out var at))
        {
            if (timer.Number != at.Number)
                continue;    // changed or disposed since
            _now = Math.Max(_now, at.Due);
            timer.Fire();
            return true;
        }

        return false;
    }

    private sealed class VirtualTimer(VirtualTime time, TimerCallback callback, object? state, SimulatedProcess? process) : ITimer, IThreadPoolWorkItem
    {
        private TimeSpan _period;
        private bool _disposed;

        /// <summary>The number under which the timer waits; 0: it does not.</summary>
        public long Number { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (_disposed)
                return false;
            _period = period;
            if (dueTime == Timeout.InfiniteTimeSpan)
                Number = 0;
            else
                Enqueue(dueTime);
            return true;
        }

        public void Fire()
        {
            if (time.Loop.IsTracing)
                time.Loop.Note("timer", Number);
            Number = 0;
            if (process is null)
                time.Loop.Post(this);
            else
                process.Post(this);
            if (_period != Timeout.InfiniteTimeSpan && _period > TimeSpan.Zero)
                Enqueue(_period);
        }

        // It runs as a task of the loop, so that what it starts and awaits stays there.
        public void Execute()
        {
            if (!_disposed)
                new Task(s => callback(s), state, TaskCreationOptions.DenyChildAttach).RunSynchronously(process ?? (TaskScheduler)time.Loop);
        }

        public void Dispose()
        {
            _disposed = true;
            Number = 0;
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }

        private void Enqueue(TimeSpan dueTime)
        {
            Number = ++time._count;
            time._timers.Enqueue(this, (time._now + Math.Max(0, dueTime.Ticks), Number));
        }
    }

    private SimulationLoop Loop { get; } = loop;
}
