namespace Watch.Cluster.Tests;

/// <summary>The system's clock, which a test can move forward: timers that have become due by it fire at once. Thread-safe.</summary>
internal sealed class JumpingTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly HashSet<JumpingTimer> _timers = [];
    private long _skipped;

    public override long TimestampFrequency => System.TimestampFrequency;

    public override long GetTimestamp() => System.GetTimestamp() + (long)(TimeSpan.FromTicks(Volatile.Read(ref _skipped)).TotalSeconds * TimestampFrequency);

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + TimeSpan.FromTicks(Volatile.Read(ref _skipped));

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new JumpingTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves the clock.</summary>
    public void Jump(TimeSpan span)
    {
        List<JumpingTimer> timers;
        lock (_gate)
        {
            _skipped += span.Ticks;
            timers = [.. _timers];
        }

        foreach (var timer in timers)
            timer.Reckon(span);
    }

    private sealed class JumpingTimer : ITimer
    {
        private readonly JumpingTime _time;
        private readonly ITimer _timer;
        private long _due;
        private TimeSpan _period = Timeout.InfiniteTimeSpan;
        private bool _isSet;

        public JumpingTimer(JumpingTime time, TimerCallback callback, object? state)
        {
            _time = time;
            _timer = System.CreateTimer(
                _ =>
                {
                    Fired();
                    callback(state);
                },
                null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (_time._gate)
            {
                _period = period;
                _isSet = dueTime != Timeout.InfiniteTimeSpan;
                _due = System.GetTimestamp() + (long)(dueTime.TotalSeconds * System.TimestampFrequency);
                if (_isSet)
                    _time._timers.Add(this);
                else
                    _time._timers.Remove(this);
                return _timer.Change(dueTime, period);
            }
        }

        /// <summary>The clock has moved: the rest of the wait is shorter by that.</summary>
        public void Reckon(TimeSpan span)
        {
            lock (_time._gate)
            {
                if (!_isSet)
                    return;
                _due -= (long)(span.TotalSeconds * System.TimestampFrequency);
                var rest = System.GetElapsedTime(System.GetTimestamp(), _due);
                _timer.Change(rest > TimeSpan.Zero ? rest : TimeSpan.Zero, _period);
            }
        }

        public void Dispose()
        {
            lock (_time._gate)
                _time._timers.Remove(this);
            _timer.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }

        private void Fired()
        {
            lock (_time._gate)
            {
                _isSet = _period > TimeSpan.Zero;
                _due = System.GetTimestamp() + (long)(_period.TotalSeconds * System.TimestampFrequency);
                if (!_isSet)
                    _time._timers.Remove(this);
            }
        }
    }
}
