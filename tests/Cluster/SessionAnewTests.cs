using System.Collections.Immutable;
using System.Reflection;
using Orleans;
using Watch.Client;
using Watch.Core;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>What a client does whose session is gone before it knows what the session began for it.</summary>
public sealed class SessionAnewTests
{
    [Fact]
    public async Task What_came_of_a_registration_whose_answer_was_lost_is_void_when_another_session_is_asked()
    {
        var factory = ScriptedSessions.Create();
        factory.Script.Enqueue(async (client, epoch, request) =>
        {
            // It begins, and tells of it, but its answer is lost and the session with it.
            await client.OnBatch(SnapshotOf(epoch, request.Watch, at: 0));
            throw new TimeoutException("The answer was lost.");
        });
        factory.Script.Enqueue(async (client, epoch, request) =>
        {
            await client.OnBatch(SnapshotOf(epoch, request.Watch, at: 5));
            return new RegistrationReply(request.Watch, new WatchRegistration(2, new Revision(5), "here"), default, "", default);
        });
        var options = new WatchClientOptions { WriteBackoffFirst = TimeSpan.FromMilliseconds(1), WriteBackoffMax = TimeSpan.FromMilliseconds(1) };
        var random = new SystemWatchRandom();
        var doors = new Doors(_ => Task.CompletedTask, options, TimeProvider.System, random);
        var session = new ClientSession(factory.Grains, new Sessions(factory.Grains, doors, options, TimeProvider.System, random), options, TimeProvider.System, random);

        await using var feed = await session.OpenAsync(new WatchRequest { Target = WatchTarget.Key("/k"), Snapshot = true }, CancellationToken.None).WaitAsync(WatchCluster.Patience);

        Assert.Equal(new Revision(5), feed.Registration.Start);
        Assert.True(feed.TryNext(out var first));
        Assert.Equal([(WatchEventType.SnapshotBegins, 5L), (WatchEventType.Synced, 5L)], first!.Events.Select(each => (each.Type, each.Revision.Value)));
        Assert.False(feed.TryNext(out _), "the watch is over, or has more than its session delivered");
    }

    private static SessionBatch SnapshotOf(long epoch, long watch, long at) =>
        new(epoch, 1, [], [new WatchStep(watch, 1, new Revision(at), new Revision(at), [new StepPart(StepKind.SnapshotBegins, 0, at), new StepPart(StepKind.Synced, 0, at)])]);
}

/// <summary>A factory whose sessions answer registrations one after the other as a test says.</summary>
internal class ScriptedSessions : DispatchProxy
{
    /// <summary>What is done with the next registration.</summary>
    public Queue<Func<IWatchSessionObserver, long, WatchRequest, Task<RegistrationReply>>> Script { get; } = [];

    public IGrainFactory Grains => (IGrainFactory)(object)this;

    public static ScriptedSessions Create() => (ScriptedSessions)(object)Create<IGrainFactory, ScriptedSessions>();

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod!.Name switch
    {
        nameof(IGrainFactory.CreateObjectReference) => args![0],
        nameof(IGrainFactory.GetGrain) => new Session(this),
        _ => null,
    };

    private sealed class Session(ScriptedSessions sessions) : IWatchSessionGrain
    {
        private IWatchSessionObserver? _client;

        public Task<SessionOpened> Open(SessionHello hello, IWatchSessionObserver observer, CancellationToken cancellationToken)
        {
            _client = observer;
            return Task.FromResult(new SessionOpened("", "a silo", IWatchSessionGrain.LeaseSeconds * 1_000));
        }

        public async Task<ImmutableArray<RegistrationReply>> Register(long epoch, ImmutableArray<WatchRequest> requests, CancellationToken cancellationToken) =>
            [await sessions.Script.Dequeue()(_client!, epoch, Assert.Single(requests))];

        public Task<RetargetReply> Retarget(long epoch, long watch, WatchTarget target, long version) => throw new NotSupportedException();

        public Task SetPolicy(long epoch, long watch, SlowPolicy policy, int? queueEventsMax, long? queueBytesMax) => throw new NotSupportedException();

        public Task AskProgress(long epoch, ImmutableArray<long> watches) => throw new NotSupportedException();

        public Task End(long epoch, ImmutableArray<long> watches) => Task.CompletedTask;

        public Task<SessionState> Renew(SessionRenewal renewal) => Task.FromResult(new SessionState(true, 1, SessionState.HashOf(1), []));

        public Task Close(long epoch) => Task.CompletedTask;

        public Task Feel() => Task.CompletedTask;
    }
}
