using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Watch.Core;
using Watch.Grains.Consensus;
using Xunit.Abstractions;

namespace Watch.Cluster.Tests;

/// <summary>Several voters: the loss of the leader's silo takes nothing that was acknowledged, and work goes on.</summary>
public sealed class FailoverTests(ITestOutputHelper output)
{
    private const int Writers = 64;
    private const int WritesBefore = 10;
    private const int WritesAfter = 10;
    private static readonly TimeSpan s_pauseMax = TimeSpan.FromSeconds(3);

    /// <summary>Nobody else leads before the lost leader's last lease has run out; a run without that wait lost no leader.</summary>
    private static readonly TimeSpan s_leaseLeast = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task Three_nodes_vote_and_every_silo_serves_reads_and_writes()
    {
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.MakeAllVotersAsync();

        for (var at = 0; at < 3; at++)
        {
            var put = await cluster.HostedIn(at).PutAsync("/k", $"{at}");
            for (var other = 0; other < 3; other++)
                Assert.Equal(($"{at}", put.Revision), Read(await cluster.HostedIn(other).GetAsync("/k")));
        }
    }

    [Fact]
    public async Task Writers_go_on_within_three_seconds_when_the_leaders_silo_is_killed_and_nothing_acknowledged_is_lost_or_done_twice()
    {
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.MakeAllVotersAsync();
        var leader = await cluster.LeaderAsync();
        var client = cluster.HostedIn((leader + 1) % 3);
        var other = cluster.HostedIn((leader + 2) % 3);
        await using var watch = await client.WatchAsync(WatchTarget.Prefix("/f/"), new WatchOptions { QueueEventsMax = 100_000 });
        var run = new FailoverRun(Writers, WritesBefore, WritesAfter);

        var writing = Enumerable.Range(0, Writers).Select(at => run.WriteAsync(at % 2 == 0 ? client : other, at)).ToList();
        var reading = Enumerable.Range(0, 4).Select(at => run.ReadAsync(at % 2 == 0 ? client : other, at)).ToList();
        await run.AllHaveWrittenBefore;
        run.Killing();
        var killing = Stopwatch.StartNew();
        await cluster.Host.KillSiloAsync(cluster.Silos[leader]);
        killing.Stop();
        run.Killed();
        await Task.WhenAll(writing);
        await Task.WhenAll(reading);

        output.WriteLine($"the writers waited {run.ShortestWait.TotalMilliseconds:F0} to {run.LongestWait.TotalMilliseconds:F0} ms; the kill took {killing.ElapsedMilliseconds} ms; {run.UnknownCount} outcomes unknown");
        Assert.InRange(run.LongestWait, s_leaseLeast, s_pauseMax);
        run.Judge(await WatchedAsync(watch, run));
        for (var writer = 0; writer < Writers; writer++)
            run.JudgeRead(writer, await other.GetAsync($"/f/{writer}"));
    }

    [Fact]
    public async Task A_leader_that_stops_cleanly_hands_over_without_anybody_waiting_for_its_lease()
    {
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.MakeAllVotersAsync();
        var leader = await cluster.LeaderAsync();
        var client = cluster.HostedIn((leader + 1) % 3);
        await client.PutAsync("/k", "before");

        var others = new[] { (leader + 1) % 3, (leader + 2) % 3 }.Select(at => cluster.Replica(cluster.Silos[at].SiloAddress)).ToList();
        var stopping = cluster.Host.StopSiloAsync(cluster.Silos[leader]);
        var clock = Stopwatch.StartNew();
        while (!await LeadsAsync(others[0]) && !await LeadsAsync(others[1]))
            Assert.InRange(clock.Elapsed, TimeSpan.Zero, WatchCluster.Patience);
        output.WriteLine($"another leads after {clock.ElapsedMilliseconds} ms");
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromMilliseconds(1500));
        await stopping;

        Assert.Equal("before", (await client.GetAsync("/k")).Key!.Value.Text());
    }

    [Fact]
    public async Task A_new_leader_asks_what_is_watched_so_that_its_first_commits_name_the_watchers()
    {
        // Progress questions would repair it, too: here they come after the test.
        await using var cluster = await WatchCluster.StartAsync(configure: options => options.ProgressInterval = TimeSpan.FromMinutes(1));
        await cluster.MakeAllVotersAsync();
        var leader = await cluster.LeaderAsync();
        var client = cluster.HostedIn((leader + 1) % 3);
        await using var key = await client.WatchAsync(WatchTarget.Key("/k"));
        await using var prefix = await cluster.HostedIn((leader + 2) % 3).WatchAsync(WatchTarget.Prefix("/"));
        await cluster.Host.KillSiloAsync(cluster.Silos[leader]);
        var inquiry = cluster.Services(await cluster.LeaderAsync()).GetRequiredService<ScopeInquiry>();
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        while (inquiry.ScopesLearned < 2)
            patience.Token.ThrowIfCancellationRequested();

        var put = await client.PutAsync("/k", "after");

        foreach (var watch in new[] { key, prefix })
        {
            await using var reader = watch.Reader();
            Assert.Equal(put.Revision, (await reader.NextAsync(1))[0].Revision);
        }
    }

    private static async Task<List<WatchEvent>> WatchedAsync(IWatchStream watch, FailoverRun run)
    {
        var events = new List<WatchEvent>();
        var missing = new HashSet<Revision>(run.AcknowledgedRevisions);
        await using var reader = watch.Reader();
        while (missing.Count > 0)
        {
            var each = (await reader.NextAsync(1))[0];
            events.Add(each);
            missing.Remove(each.Revision);
        }

        return events;
    }

    private static async Task<bool> LeadsAsync(IReplicaService replica) => (await replica.Describe(BucketId.Default)).Leads;

    private static (string, Revision) Read(GetResult got) => (got.Key!.Value.Text(), got.Key.ModRevision);
}
