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
        var server = new ScriptedServer();
        server.Script.Enqueue(async (its, request) =>
        {
            // It begins, and tells of it, but its answer is lost and the session with it.
            await its.SendAsync(SnapshotOf(request.Watch, at: 0));
            throw new TimeoutException("The answer was lost.");
        });
        server.Script.Enqueue(async (its, request) =>
        {
            await its.SendAsync(SnapshotOf(request.Watch, at: 5));
            return new RegistrationReply(request.Watch, new WatchRegistration(2, new Revision(5), "here"), default, "", default);
        });
        var session = NewSession(server, TimeProvider.System);

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
        var server = new ScriptedServer();
        var lost = new TaskCompletionSource();
        server.Script.Enqueue((_, request) => Task.FromResult(Registered(request)));
        server.Script.Enqueue(async (_, _) =>
        {
            lost.SetResult();
            return await new TaskCompletionSource<RegistrationReply>().Task;
        });
        server.Script.Enqueue((_, request) => Task.FromResult(Registered(request)));
        var session = NewSession(server, time);
        await using var first = await OpenAsync(session);

        var opening = OpenAsync(session);
        await lost.Task.WaitAsync(WatchCluster.Patience);
        time.Jump(new WatchClientOptions().CallTimeout);
        await using var second = await opening.WaitAsync(WatchCluster.Patience);

        Assert.Single(server.Sessions);
        Assert.False(first.TryNext(out _), "the other watch is over");
    }

    private static Task<IWatchFeed> OpenAsync(ClientSession session) => session.OpenAsync(new WatchRequest { Target = WatchTarget.Key("/k") }, CancellationToken.None);

    private static RegistrationReply Registered(WatchRequest request) => new(request.Watch, new WatchRegistration(1, new Revision(5), "here"), default, "", default);

    private static ClientSession NewSession(ScriptedServer server, TimeProvider time)
    {
        var grains = ScriptedGrains.Over(server);
        var options = new WatchClientOptions { WriteBackoffFirst = TimeSpan.FromMilliseconds(1), WriteBackoffMax = TimeSpan.FromMilliseconds(1) };
        var random = new SystemWatchRandom();
        var doors = new Doors(_ => Task.CompletedTask, options, time, random);
        return new ClientSession(grains, new Sessions(grains, doors, options, time, random), options, time, random, CancellationToken.None);
    }

    private static WatchStep SnapshotOf(long watch, long at) =>
        new(watch, 1, new Revision(at), new Revision(at), [new StepPart(StepKind.SnapshotBegins, 0, at), new StepPart(StepKind.Synced, 0, at)]);
}
