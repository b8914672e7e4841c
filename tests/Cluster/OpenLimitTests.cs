using Watch.Client;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>How long a watch's registration may take, by timers that fire when a test says so.</summary>
public sealed class OpenLimitTests
{
    private readonly LateTime _time = new();

    [Fact]
    public async Task A_registration_that_is_not_answered_in_time_is_given_up()
    {
        var registering = new TaskCompletionSource<IWatchFeed>();
        var opening = OpenAsync(limit => registering.Task.WaitAsync(limit));
        Assert.False(opening.IsCompleted);
        _time.Fire();

        Assert.Equal(WatchErrorCode.Unavailable, (await Assert.ThrowsAsync<WatchException>(() => opening)).Code);
    }

    [Fact]
    public async Task A_registration_that_its_caller_gives_up_is_canceled()
    {
        using var caller = new CancellationTokenSource();
        var registering = new TaskCompletionSource<IWatchFeed>();
        var opening = OpenAsync(limit => registering.Task.WaitAsync(limit), caller.Token);
        caller.Cancel();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => opening);
    }

    [Fact]
    public async Task A_timer_that_is_firing_while_the_registration_ends_fails_nowhere()
    {
        var token = default(CancellationToken);
        await OpenAsync(limit =>
        {
            token = limit;
            return Task.FromResult<IWatchFeed>(new NoFeed());
        });

        // Disposing of a timer does not wait for a call of it that is under way; what that throws ends the process.
        _time.Fire();
        Assert.False(token.IsCancellationRequested, "the watch was registered, and is not given up any more");
    }

    private Task<IWatchFeed> OpenAsync(Func<CancellationToken, Task<IWatchFeed>> register, CancellationToken cancellationToken = default) =>
        new OpeningClient(_time, register).OpenAsync(new WatchRequest { Target = WatchTarget.Key(Key.Of("/k")) }, cancellationToken);

    private sealed class OpeningClient(TimeProvider time, Func<CancellationToken, Task<IWatchFeed>> register)
        : GrainWatchClient(null!, new WatchClientOptions(), time, new SystemWatchRandom(), isOutside: true)
    {
        private protected override Task<IWatchFeed> OpenFeedAsync(WatchRequest request, CancellationToken cancellationToken) => register(cancellationToken);
    }

    private sealed class NoFeed : IWatchFeed
    {
        public WatchRegistration Registration => throw new NotSupportedException();

        public IWatchConsumer? Consumer { set => throw new NotSupportedException(); }

        public bool TryNext(out WatchBatch? batch) => throw new NotSupportedException();

        public Task<RetargetReply> RetargetAsync(WatchTarget target, long version, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task SetPolicyAsync(SlowPolicy policy, int? eventsMax, long? bytesMax, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task AskProgressAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => default;
    }

    /// <summary>Its timers fire when a test says so, those too that are disposed of: their calls had begun before.</summary>
    private sealed class LateTime : TimeProvider
    {
        private readonly List<Action> _timers = [];

        public void Fire()
        {
            Assert.NotEmpty(_timers);
            _timers.ForEach(timer => timer());
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _timers.Add(() => callback(state));
            return new Unstoppable();
        }

        private sealed class Unstoppable : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => default;
        }
    }
}
