using Microsoft.Extensions.DependencyInjection;
using Watch.Core;
using Watch.Grains.Consensus;
using Watch.Grains.Publishing;

namespace Watch.Cluster.Tests;

/// <summary>A silo that stops, and streams that overflow: writers are never refused for it, and every watcher is told why it ended.</summary>
public sealed class StopTests
{
    [Fact]
    [Trait("NU", "M05"), Trait("NU", "M25"), Trait("NU", "M14"), Trait("NU", "M22"), Trait("NU", "M27"), Trait("NU", "D08")]
    public async Task A_silo_that_stops_hands_out_what_its_watchers_have_not_read_says_why_they_end_and_takes_no_more()
    {
        const int Events = 50;
        await using var cluster = await WatchCluster.StartAsync();
        var client = cluster.HostedIn(2);
        await using var one = await client.WatchAsync(WatchTarget.Key("/k"));
        await using var other = await client.WatchAsync(WatchTarget.Prefix("/"));
        for (var at = 0; at < Events; at++)
            await cluster.Client.PutAsync("/k", $"{at}");
        // The last event may still be on its way.
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        while ((await cluster.Nodes.ListWatchersAsync()).Watchers.Any(each => each.QueuedEvents < Events))
            Assert.False(patience.IsCancellationRequested, "the watches were not given everything");

        await cluster.Host.StopSiloAsync(cluster.Silos[2]);

        // Better: there what waits in the hub is lost, and the end says nothing. Here the tail is whole, and the end has its reason.
        foreach (var watch in new[] { one, other })
        {
            await using var reader = watch.Reader();
            Assert.Equal(Enumerable.Range(0, Events).Select(at => $"{at}"), (await reader.NextAsync(Events)).Select(each => each.Value.Text()));
            Assert.Equal(WatchEndReason.ServerStopping, (await reader.NextAsync("the end")).Reason);
            Assert.True(await reader.EndsAsync());
        }

        // Whoever comes after is refused; the others of the cluster go on.
        await Assert.ThrowsAnyAsync<Exception>(() => client.WatchAsync(WatchTarget.Key("/k")).WaitAsync(WatchCluster.Patience));
        await cluster.Client.PutAsync("/k", "after");
    }

    [Fact]
    [Trait("NU", "M26"), Trait("NU", "M27")]
    public async Task A_silo_without_watchers_stops_and_what_stops_twice_stops_once()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 2);
        var stopped = cluster.Silos[1];
        await cluster.Host.StopSiloAsync(stopped).WaitAsync(WatchCluster.Patience);
        Assert.Single(cluster.Silos);
        await cluster.Host.StopAllSilosAsync().WaitAsync(WatchCluster.Patience);
        await cluster.Host.StopAllSilosAsync().WaitAsync(WatchCluster.Patience);
    }

    [Fact]
    public async Task A_silo_that_stops_when_nobody_leads_any_more_waits_for_no_leader()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 2, configure: watch => watch.LeaderTimeout = TimeSpan.FromMinutes(5));
        await using var stream = await cluster.HostedIn(1).WatchAsync(WatchTarget.Key("/k"));
        var last = cluster.Silos[1];
        await cluster.Host.KillSiloAsync(cluster.Silos[0]);
        await cluster.Host.StopSiloAsync(last).WaitAsync(WatchCluster.Patience);
    }

    /// <summary>Nobody but it had watched: no question of anybody brings its end to the leader, but a write does.</summary>
    [Fact]
    public async Task The_only_silo_that_watched_is_named_by_no_write_once_it_is_gone()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 2);
        await using var stream = await cluster.HostedIn(1).WatchAsync(WatchTarget.Key("/k"));
        var leading = cluster.Services(0).GetRequiredService<Replica>().LeadingOf(BucketId.Default)!;
        Assert.Single(leading.Watched.KnownSilos);
        await cluster.Host.KillSiloAsync(cluster.Silos[1]);
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        while (leading.Watched.KnownSilos.Count > 0)
        {
            Assert.False(patience.IsCancellationRequested, "the dead silo is named by every write");
            await cluster.Client.PutAsync("/k", "x");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [Trait("NU", "D09")]
    public async Task While_a_silo_stops_under_a_watcher_every_put_succeeds_and_the_watcher_has_the_beginning_of_history(int seed)
    {
        const int Puts = 100;
        var stopsAt = new Random(seed).Next(1, Puts);
        await using var cluster = await WatchCluster.StartAsync();
        await using var stream = await cluster.HostedIn(2).WatchAsync(WatchTarget.Key("/k"));
        var written = new List<string>();
        var stopping = Task.CompletedTask;
        for (var at = 0; at < Puts; at++)
        {
            if (at == stopsAt)
                stopping = cluster.Host.StopSiloAsync(cluster.Silos[2]);
            written.Add($"put /k={at}@{(await cluster.HostedIn(1).PutAsync("/k", $"{at}")).Revision}");
        }

        await stopping;
        var events = new List<WatchEvent>();
        await foreach (var each in stream)
            events.Add(each);

        Assert.Equal(WatchEndReason.ServerStopping, events[^1].Reason);
        Assert.Equal(written.Take(events.Count - 1), events.SkipLast(1).Select(each => each.Short()));
        Assert.Equal(events[^1].Revision, events.Count > 1 ? events[^2].Revision : stream.Start);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Trait("DE", "G08"), Trait("DE", "G09")]
    public async Task A_reader_outside_that_asked_not_to_resume_reads_what_came_before_its_server_stopped_and_then_the_end(bool hasEvents)
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        await using var stream = await cluster.Client.WatchAsync(WatchTarget.Key("/k"), new WatchOptions { Resume = false });
        await using var reader = stream.Reader();
        var written = new List<string>();
        for (var at = 0; hasEvents && at < 2; at++)
            written.Add($"put /k={at}@{(await cluster.Client.PutAsync("/k", $"{at}")).Revision}");

        Assert.Equal(written, (await reader.NextAsync(written.Count)).Select(each => each.Short()));
        var next = reader.NextAsync("the end");
        await cluster.Host.StopSiloAsync(cluster.Silos[0]);

        // Better: there the end of a server looks like any other; here the last event says that it was one.
        var end = await next;
        Assert.Equal(WatchEventType.Canceled, end.Type);
        Assert.True(end.Reason is WatchEndReason.ServerStopping or WatchEndReason.ClientLost, $"the watch ended with {end.Reason}");
        Assert.True(await reader.EndsAsync());
    }

    [Fact]
    [Trait("NU", "M13"), Trait("NU", "M23"), Trait("NU", "M24"), Trait("NU", "M12")]
    public async Task A_publisher_without_room_refuses_no_writer_and_what_it_drops_is_repaired()
    {
        // Better: there a full hub refuses the message, and it is lost. One place, and one event with all its scopes never fits it.
        const int Puts = 300;
        await using var cluster = await WatchCluster.StartAsync(configure: options => options.PublishQueueEventsMax = 1);
        await using var stream = await cluster.HostedIn(1).WatchAsync(WatchTarget.Prefix("/n/"), new WatchOptions { QueueEventsMax = 2 * Puts });
        await using var reader = stream.Reader();
        // A second scope: of two events that a write puts down at once, at most one fits.
        await using var other = await cluster.HostedIn(1).WatchAsync(WatchTarget.Prefix("/"));

        var puts = await Task.WhenAll(Enumerable.Range(0, Puts).Select(at => cluster.HostedIn(at % 3).PutAsync($"/n/{at}", $"{at}")));

        Assert.All(puts, put => Assert.True(put.Succeeded));
        Assert.Equal(puts.Select(put => put.Revision).Order(), (await reader.NextAsync(Puts)).Select(each => each.Revision));
        Assert.True(Enumerable.Range(0, 3).Sum(silo => cluster.Services(silo).GetRequiredService<Publisher>().Dropped) > 0, "nothing was dropped, so nothing was shown");
    }

    [Fact]
    [Trait("DE", "A08")]
    public async Task What_a_leader_writes_for_itself_is_no_change_and_consumes_no_revision()
    {
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.MakeAllVotersAsync();
        var leader = await cluster.LeaderAsync();
        var client = cluster.HostedIn((leader + 1) % 3);
        await using var stream = await client.WatchAsync(WatchTarget.Prefix("/"));
        await using var reader = stream.Reader();
        var before = await client.PutAsync("/k", "before");

        // Another comes to lead, and commits an entry of its own term first.
        await cluster.Host.StopSiloAsync(cluster.Silos[leader]);
        var after = await client.PutAsync("/k", "after");

        Assert.Equal(before.Revision.Next, after.Revision);
        Assert.Equal(["before", "after"], (await reader.NextAsync(2)).Select(each => each.Value.Text()));
    }
}
