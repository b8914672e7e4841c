// A grain's timer. Its tick is a turn like a call's: by default it waits until no other turn is
// under way. The period counts from the end of a tick, so ticks never pile up.
using Orleans.Runtime;
using Watch.Embedded.Activations;
using Watch.Embedded.Runtime;

namespace Orleans.Runtime
{
    public interface IGrainTimer : IDisposable
    {
        void Change(TimeSpan dueTime, TimeSpan period);
    }

    public readonly struct GrainTimerCreationOptions
    {
        public GrainTimerCreationOptions() { }

        [System.Diagnostics.CodeAnalysis.SetsRequiredMembers]
        public GrainTimerCreationOptions(TimeSpan dueTime, TimeSpan period)
        {
            DueTime = dueTime;
            Period = period;
        }

        public required TimeSpan DueTime { get; init; }

        /// <summary>Timeout.InfiniteTimeSpan: once only.</summary>
        public required TimeSpan Period { get; init; }

        /// <summary>The tick may go on beside other turns of the activation.</summary>
        public bool Interleave { get; init; }

        /// <summary>A tick counts as use, so that the activation is not collected as idle.</summary>
        public bool KeepAlive { get; init; }
    }
}

namespace Watch.Embedded.Activations
{
    internal sealed class GrainTimer : IGrainTimer
    {
        private readonly Activation _activation;
        private readonly Func<CancellationToken, Task> _callback;
        private readonly GrainTimerCreationOptions _options;
        private readonly CancellationTokenSource _stopped = new();
        private readonly ITimer _timer;
        private TimeSpan _period;
        private bool _changed;

        public GrainTimer(Activation activation, Func<CancellationToken, Task> callback, GrainTimerCreationOptions options)
        {
            _activation = activation;
            _callback = callback;
            _options = options;
            _period = options.Period;
            using (ExecutionContext.SuppressFlow())
                _timer = activation.Node.Environment.TimeProvider.CreateTimer(
                    static timer => ((GrainTimer)timer!).Tick(), this, options.DueTime, Timeout.InfiniteTimeSpan);
        }

        public void Change(TimeSpan dueTime, TimeSpan period)
        {
            _period = period;
            _changed = true;
            _timer.Change(dueTime, Timeout.InfiniteTimeSpan);
        }

        public void Dispose()
        {
            if (_stopped.IsCancellationRequested)
                return;
            _stopped.Cancel();
            _timer.Dispose();
            _activation.Forget(this);
        }

        private void Tick()
        {
            if (!_stopped.IsCancellationRequested)
                _activation.TryReceive(new TickTurn(this));
        }

        private async Task RunTick(Activation activation, TickTurn turn)
        {
            _changed = false;
            try
            {
                if (!_stopped.IsCancellationRequested)
                    await _callback(_stopped.Token);
            }
            catch (Exception e)
            {
                Log.TimerCallbackFailed(activation.Silo.Logger, activation.Id, e);
            }

            if (!_stopped.IsCancellationRequested && !_changed && _period != Timeout.InfiniteTimeSpan)
                _timer.Change(_period, Timeout.InfiniteTimeSpan);
            activation.TurnEnded(turn);
        }

        private sealed class TickTurn(GrainTimer timer) : Turn
        {
            public override bool AlwaysInterleave => timer._options.Interleave;

            public override bool ReadOnly => false;

            public override bool CountsAsUse => timer._options.KeepAlive;

            public override void Run(Activation activation) => _ = timer.RunTick(activation, this);

            public override void Reject(Exception reason) { }    // the activation is gone, and its timers with it

            public override void Reroute(SiloNode node) { }

            public override string ToString() => $"timer of {timer._activation.Id}";
        }
    }
}
