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
        var session = NewSession(factory, TimeProvider.System);

        await using var feed = await session.OpenAsync(new WatchRequest { Target = WatchTarget.Key("/k"), Snapshot = true }, CancellationToken.None).WaitAsync(WatchCluster.Patience);

        Assert.Equal(new Revision(5), feed.Registration.Start);
        Assert.True(feed.TryNext(out var first));
        Assert.Equal([(WatchEventType.SnapshotBegins, 5L), (WatchEventType.Synced, 5L)], first!.Events.Select(each => (each.Type, each.Revision.Value)));
        Assert.False(feed.TryNext(out _), "the watch is over, or has more than its session delivered");
    }

    [Fact]
    public async Task A_registration_that_is_lost_on_the_way_is_repeated_after_a_call_s_time_and_costs_no_other_watch_of_the_session_anything()
    {
        var time = new JumpingTime();
        var factory = ScriptedSessions.Create();
        var lost = new TaskCompletionSource();
        factory.Script.Enqueue((_, _, request) => Task.FromResult(Registered(request)));
        factory.Script.Enqueue(async (_, _, _) =>
        {
            lost.SetResult();
            return await new TaskCompletionSource<RegistrationReply>().Task;
        });
        factory.Script.Enqueue((_, _, request) => Task.FromResult(Registered(request)));
        var session = NewSession(factory, time);
        await using var first = await OpenAsync(session);

        var opening = OpenAsync(session);
        await lost.Task.WaitAsync(WatchCluster.Patience);
        time.Jump(new WatchClientOptions().CallTimeout);
        await using var second = await opening.WaitAsync(WatchCluster.Patience);

        Assert.Equal(1, factory.Opened);
        Assert.False(first.TryNext(out _), "the other watch is over");
    }

    private static Task<IWatchFeed> OpenAsync(ClientSession session) => session.OpenAsync(new WatchRequest { Target = WatchTarget.Key("/k") }, CancellationToken.None);

    private static RegistrationReply Registered(WatchRequest request) => new(request.Watch, new WatchRegistration(1, new Revision(5), "here"), default, "", default);

    private static ClientSession NewSession(ScriptedSessions factory, TimeProvider time)
    {
        var options = new WatchClientOptions { WriteBackoffFirst = TimeSpan.FromMilliseconds(1), WriteBackoffMax = TimeSpan.FromMilliseconds(1) };
        var random = new SystemWatchRandom();
        var doors = new Doors(_ => Task.CompletedTask, options, time, random);
        return new ClientSession(factory.Grains, new Sessions(factory.Grains, doors, options, time, random), options, time, random, CancellationToken.None);
    }

    private static SessionBatch SnapshotOf(long epoch, long watch, long at) =>
        new(epoch, 1, [], [new WatchStep(watch, 1, new Revision(at), new Revision(at), [new StepPart(StepKind.SnapshotBegins, 0, at), new StepPart(StepKind.Synced, 0, at)])]);
}

/// <summary>A factory whose sessions answer registrations one after the other as a test says.</summary>
internal class ScriptedSessions : DispatchProxy
{
    /// <summary>What is done with the next registration.</summary>
    public Queue<Func<IWatchSessionObserver, long, WatchRequest, Task<RegistrationReply>>> Script { get; } = [];

    /// <summary>How many sessions were opened.</summary>
    public int Opened { get; private set; }

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
        private readonly HashSet<long> _watches = [];
        private IWatchSessionObserver? _client;

        public Task<SessionOpened> Open(SessionHello hello, IWatchSessionObserver observer, CancellationToken cancellationToken)
        {
            _client = observer;
            sessions.Opened++;
            return Task.FromResult(new SessionOpened("", "a silo", IWatchSessionGrain.LeaseSeconds * 1_000));
        }

        public async Task<ImmutableArray<RegistrationReply>> Register(long epoch, ImmutableArray<WatchRequest> requests, CancellationToken cancellationToken)
        {
            var reply = await sessions.Script.Dequeue()(_client!, epoch, Assert.Single(requests));
            _watches.Add(reply.Watch);
            return [reply];
        }

        public Task<RetargetReply> Retarget(long epoch, long watch, WatchTarget target, long version) => throw new NotSupportedException();

        public Task SetPolicy(long epoch, long watch, SlowPolicy policy, int? queueEventsMax, long? queueBytesMax) => throw new NotSupportedException();

        public Task AskProgress(long epoch, ImmutableArray<long> watches) => throw new NotSupportedException();

        public Task End(long epoch, ImmutableArray<long> watches)
        {
            _watches.ExceptWith(watches);
            return Task.CompletedTask;
        }

        public Task<SessionState> Renew(SessionRenewal renewal) =>
            Task.FromResult(new SessionState(true, _watches.Count, _watches.Aggregate(0UL, (hash, each) => hash + SessionState.HashOf(each)), [.. _watches]));

        public Task Close(long epoch) => Task.CompletedTask;

        public Task Feel() => Task.CompletedTask;
    }
}
