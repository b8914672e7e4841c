using System.Collections.Immutable;
using Orleans;
using Watch.Client;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>How a client tells a session that takes its time from one that is gone, by a clock that the test moves.</summary>
public sealed class SignsOfLifeTests
{
    private const long Epoch = 7;
    private static readonly WatchClientOptions s_options = new();

    private readonly ManualTime _time = new();
    private readonly FakeSession _session = new();
    private readonly Client.Sessions _sessions;

    public SignsOfLifeTests() =>
        _sessions = new Client.Sessions(null!, new Doors(_ => Task.CompletedTask, s_options, _time, new SystemWatchRandom()), s_options, _time, new SystemWatchRandom());

    [Fact]
    public Task A_session_whose_name_another_silo_answers_to_is_gone() => TwoNodes.InTurnsAsync(async () =>
    {
        _session.Epoch = 8;
        var waiting = WaitAsync(new TaskCompletionSource<int>().Task);
        await _time.PassAsync(s_options.HedgeAfter * 1.5);
        Assert.True(waiting.IsCompleted, "a call was waited for whose silo is gone");
        await Assert.ThrowsAsync<TimeoutException>(() => waiting);
    });

    [Fact]
    public Task A_session_that_lives_is_waited_for_however_long_it_takes() => TwoNodes.InTurnsAsync(async () =>
    {
        _session.Epoch = Epoch;
        var answer = new TaskCompletionSource<int>();
        var waiting = WaitAsync(answer.Task);
        await _time.PassAsync(s_options.HedgeAfter * 20);
        Assert.False(waiting.IsCompleted, "a session that gives signs of life was given up");
        Assert.InRange(_session.Felt, 15, 25);
        answer.SetResult(42);
        Assert.Equal(42, await waiting);
    });

    [Fact]
    public Task A_session_that_is_just_being_opened_needs_no_epoch() => TwoNodes.InTurnsAsync(async () =>
    {
        _session.Epoch = 8;
        var waiting = _sessions.WhileAliveAsync(new TaskCompletionSource<int>().Task, _session, epoch: 0, s_options.HedgeAfter, CancellationToken.None);
        await _time.PassAsync(s_options.HedgeAfter * 5);
        Assert.False(waiting.IsCompleted, "a session that is being opened was given up though its silo lives");
    });

    private Task<int> WaitAsync(Task<int> call) => _sessions.WhileAliveAsync(call, _session, Epoch, s_options.HedgeAfter, CancellationToken.None);

    /// <summary>An activation that knows one epoch.</summary>
    private sealed class FakeSession : IWatchSessionGrain
    {
        public long Epoch { get; set; }

        public int Felt { get; private set; }

        public Task Feel(long epoch)
        {
            Felt++;
            return epoch == 0 || epoch == Epoch ? Task.CompletedTask : Task.FromException(new WatchException(WatchErrorCode.Unavailable, "not known"));
        }

        public Task<SessionOpened> Open(SessionHello hello, IWatchSessionObserver observer, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<ImmutableArray<RegistrationReply>> Register(long epoch, ImmutableArray<WatchRequest> requests, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<RetargetReply> Retarget(long epoch, long watch, WatchTarget target, long version) => throw new NotSupportedException();

        public Task SetPolicy(long epoch, long watch, SlowPolicy policy, int? queueEventsMax, long? queueBytesMax) => throw new NotSupportedException();

        public Task AskProgress(long epoch, ImmutableArray<long> watches) => throw new NotSupportedException();

        public Task End(long epoch, ImmutableArray<long> watches) => throw new NotSupportedException();

        public Task<SessionState> Renew(SessionRenewal renewal) => throw new NotSupportedException();

        public Task Close(long epoch) => throw new NotSupportedException();
    }
}
