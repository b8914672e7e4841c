using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Watch.Core;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>Clients and silos that go: no watch stays registered for nobody, and none waits for ever for a server that is gone.</summary>
public sealed class ClientLossTests
{
    private static readonly TimeSpan s_lease = TimeSpan.FromSeconds(IWatchSessionGrain.LeaseSeconds);

    [Fact]
    public async Task A_session_that_nobody_renews_ends_after_its_lease_and_not_before()
    {
        var time = new JumpingTime();
        await using var cluster = await StartAsync(time);
        await using var session = await RawSession.OpenAsync(cluster.Host.Client);
        Assert.NotNull(Assert.Single(await session.RegisterAsync(session.Request(1, WatchTarget.Key("/k")))).Registration);
        Assert.Equal(1, await cluster.CountWatchersAsync());

        time.Jump(s_lease * 0.8);
        Assert.Equal(1, Assert.Single((await session.RenewAsync()).All));
        time.Jump(s_lease * 0.8);
        await cluster.Client.PutAsync("/k", "renewed");
        Assert.Equal("renewed", (await session.EventsOfAsync(1, 1))[0].Value.Text());
        time.Jump(s_lease * 1.5);

        await cluster.WatchersComeToAsync(0);
        Assert.Equal(WatchEndReason.ClientLost, (await session.EndOfAsync(1)).Reason);
        Assert.False((await session.RenewAsync()).IsKnown, "the session that was over is known");
    }

    [Fact]
    public async Task A_client_that_lives_gets_its_pushed_watch_back_by_itself_when_the_lease_ran_out_and_misses_nothing()
    {
        var time = new JumpingTime();
        await using var cluster = await StartAsync(time);
        var resuming = new RecordingObserver();
        await using var resumed = await cluster.Client.SubscribeAsync(WatchTarget.Prefix("/k/"), resuming);
        var once = new RecordingObserver();
        await using var notResumed = await cluster.Client.SubscribeAsync(WatchTarget.Prefix("/k/"), once, new WatchOptions { Resume = false });
        await cluster.Client.PutAsync("/k/1", "1");
        await resuming.WaitForAsync(1);

        time.Jump(s_lease * 2);

        Assert.Equal(WatchEndReason.ClientLost, await notResumed.Completion.WaitAsync(WatchCluster.Patience));
        for (var at = 2; at <= 20; at++)
            await cluster.Client.PutAsync($"/k/{at}", $"{at}");
        Assert.Equal(Enumerable.Range(1, 20).Select(at => $"{at}"), (await resuming.WaitForAsync(20)).Select(each => each.Value.Text()));
        Assert.False(resumed.Completion.IsCompleted);
        await cluster.WatchersComeToAsync(1);
    }

    [Fact]
    public async Task A_change_of_target_holds_from_where_it_was_answered_though_the_session_is_lost_before_the_reader_meets_it()
    {
        var time = new JumpingTime();
        await using var cluster = await StartAsync(time);
        // A small queue: nothing is taken ahead of the reader, so that all of it is lost with the session.
        await using var stream = await cluster.Client.WatchAsync(WatchTarget.Key("/a"), new WatchOptions { QueueEventsMax = 10 });
        await using var reader = stream.Reader();
        await cluster.Client.PutAsync("/a", "1");
        Assert.Equal("1", (await reader.NextAsync()).Value.Text());
        await cluster.Client.PutAsync("/b", "before");
        await using (var other = await cluster.Client.WatchAsync(WatchTarget.Key("/a")))
        await using (var otherReader = other.Reader())
        {
            // What one watch of a key has been given stands in the queues of all.
            await cluster.Client.PutAsync("/a", "2");
            await otherReader.NextAsync();
        }

        var from = await stream.ChangeTargetAsync(WatchTarget.Key("/b"));
        await cluster.Client.PutAsync("/a", "after");
        await cluster.Client.PutAsync("/b", "3");
        time.Jump(s_lease * 2);
        await cluster.WatchersComeToAsync(0);

        Assert.Equal("2", (await reader.NextAsync()).Value.Text());
        var changed = await reader.NextAsync("the change of target");
        Assert.Equal((WatchEventType.TargetsChanged, from), (changed.Type, changed.Revision));
        Assert.Equal("3", (await reader.NextAsync()).Value.Text());
    }

    [Fact]
    public async Task A_snapshot_watch_that_came_back_is_still_given_what_a_new_target_has()
    {
        var time = new JumpingTime();
        await using var cluster = await StartAsync(time);
        await cluster.Client.PutAsync("/b/1", "old");
        await using var stream = await cluster.Client.WatchAsync(WatchTarget.Prefix("/a/"), new WatchOptions { Snapshot = true });
        await using var reader = stream.Reader();
        Assert.Equal([WatchEventType.SnapshotBegins, WatchEventType.Synced], (await reader.NextAsync(2)).Select(each => each.Type));
        time.Jump(s_lease * 2);
        await cluster.Client.PutAsync("/a/1", "1");
        Assert.Equal("1", (await reader.NextAsync()).Value.Text());

        await stream.ChangeTargetAsync(WatchTarget.Prefix("/b/"));

        var told = await reader.NextAsync(5);
        Assert.Equal([WatchEventType.TargetsChanged, WatchEventType.SnapshotBegins, WatchEventType.Put, WatchEventType.Delete, WatchEventType.Synced], told.Select(each => each.Type));
        Assert.Equal(("/b/1", "old", "/a/1"), (told[2].Key.ToString(), told[2].Value.Text(), told[3].Key.ToString()));
    }

    [Fact]
    public async Task A_client_that_is_shut_down_leaves_no_watch_behind_that_it_had_disposed_of_or_not()
    {
        var time = new JumpingTime();
        await using var cluster = await StartAsync(time);
        await cluster.Client.PutAsync("/k", "1");
        var pulled = await cluster.Client.WatchAsync(WatchTarget.Key("/k"), new WatchOptions { StartAt = new Revision(1) });
        var reader = pulled.Reader();
        await reader.NextAsync();
        await using var unread = await cluster.Client.WatchAsync(WatchTarget.Prefix("/"));
        await using var pushed = await cluster.Client.SubscribeAsync(WatchTarget.Prefix("/"), new RecordingObserver());
        Assert.Equal(3, await cluster.CountWatchersAsync());
        await reader.DisposeAsync();

        await cluster.Host.StopClusterClientAsync();
        // The sweeps of what nobody pulls or renews look at their clocks now and then.
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        while (await cluster.CountWatchersAsync() > 0)
        {
            Assert.False(patience.IsCancellationRequested, $"{await cluster.CountWatchersAsync()} watches are still registered for a client that is gone");
            time.Jump(TimeSpan.FromSeconds(1));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Trait("DE", "E04")]
    public async Task A_hosted_reader_that_waits_when_its_silo_stops_is_told_so_and_ends(bool pushed)
    {
        await using var cluster = await WatchCluster.StartAsync();
        await using var stream = await cluster.HostedIn(2).WatchAsync(WatchTarget.Key("/k"));
        await using var reader = stream.Reader();
        var observer = new RecordingObserver();
        await using var subscription = await cluster.HostedIn(2).SubscribeAsync(WatchTarget.Key("/k"), observer);
        await cluster.Client.PutAsync("/k", "1");
        await reader.NextAsync();
        await observer.WaitForAsync(1);

        await cluster.Host.StopSiloAsync(cluster.Silos[2]);

        if (pushed)
        {
            Assert.Equal(WatchEndReason.ServerStopping, await subscription.Completion.WaitAsync(WatchCluster.Patience));
            return;
        }

        Assert.Equal(WatchEndReason.ServerStopping, (await reader.NextAsync()).Reason);
        Assert.True(await reader.EndsAsync());
    }

    [Fact]
    [Trait("DE", "E04")]
    public async Task A_remote_reader_that_asked_not_to_resume_ends_when_the_server_crashes()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        await using var stream = await cluster.Client.WatchAsync(WatchTarget.Key("/k"), new WatchOptions { Resume = false });
        await using var reader = stream.GetAsyncEnumerator();
        await cluster.Client.PutAsync("/k", "1");
        Assert.True(await reader.MoveNextAsync());
        var waiting = reader.MoveNextAsync().AsTask();

        await cluster.Host.KillSiloAsync(cluster.Silos[0]);

        // Orleans tells a client of its only gateway's end by the timeout of its calls, half a minute.
        Assert.True(await waiting.WaitAsync(2 * WatchCluster.Patience));
        Assert.Equal(WatchEventType.Canceled, reader.Current.Type);
        Assert.True(reader.Current.Reason is WatchEndReason.ClientLost or WatchEndReason.ServerStopping, $"the watch ended with {reader.Current.Reason}");
        Assert.False(await reader.MoveNextAsync());
    }

    private static Task<WatchCluster> StartAsync(JumpingTime time) =>
        WatchCluster.StartAsync(silos: 1, services: services => services.Replace(ServiceDescriptor.Singleton<TimeProvider>(time)));
}
