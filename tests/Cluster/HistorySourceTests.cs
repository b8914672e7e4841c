using Microsoft.Extensions.DependencyInjection;
using Watch.Core;
using Watch.Grains.Consensus;
using Watch.Grains.Watching;

namespace Watch.Cluster.Tests;

/// <summary>Who answers watches that are behind: anybody rather than the leader.</summary>
public sealed class HistorySourceTests
{
    private const int Writes = 600;

    [Fact]
    public async Task Watches_that_are_behind_read_from_members_that_do_not_lead()
    {
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.MakeAllVotersAsync();
        for (var at = 0; at < Writes; at++)
            await cluster.Client.PutAsync($"/h/{at % 7}", $"{at}");
        var leader = await cluster.LeaderAsync();
        var follower = leader == 0 ? 1 : 0;

        await ReadAllAsync(cluster, follower);
        var there = SourceOf(cluster, follower);
        Assert.True(there.OwnPages > 0 && there.MemberPages + there.LeaderPages == 0, $"a follower asked itself {there.OwnPages}, another {there.MemberPages}, the leader {there.LeaderPages} times");

        await ReadAllAsync(cluster, leader);
        var here = SourceOf(cluster, leader);
        Assert.True(here.MemberPages > 0 && here.OwnPages + here.LeaderPages == 0, $"the leader's silo asked itself {here.OwnPages}, another {here.MemberPages}, the leader {here.LeaderPages} times");
    }

    [Fact]
    public async Task Where_nobody_else_has_history_the_leader_is_asked()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 2);
        for (var at = 0; at < Writes; at++)
            await cluster.Client.PutAsync($"/h/{at % 7}", $"{at}");

        // The first silo's node is the only voter: neither it nor the other silo has a member that follows.
        for (var silo = 0; silo < 2; silo++)
        {
            await ReadAllAsync(cluster, silo);
            var source = SourceOf(cluster, silo);
            Assert.True(source.LeaderPages > 0 && source.OwnPages + source.MemberPages == 0, $"silo {silo} asked itself {source.OwnPages}, another {source.MemberPages}, the leader {source.LeaderPages} times");
        }
    }

    [Fact]
    public async Task Who_leads_or_is_behind_or_is_no_member_does_not_answer_in_the_leaders_place()
    {
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.Nodes.AddNodeAsync(cluster.Silos[1].Name).WaitAsync(WatchCluster.Patience);
        var last = (await cluster.Client.PutAsync("/h", "x")).Revision;
        var replies = new List<bool>();
        for (var silo = 0; silo < 3; silo++)
        {
            var replica = cluster.Replica(cluster.Silos[silo].SiloAddress);
            replies.Add(await replica.HistoryAt(Request(last)) is { Refusal: null });
            Assert.NotNull((await replica.HistoryAt(Request(last.Next))).Refusal);
        }

        Assert.False(replies[await cluster.LeaderAsync()], "the leader answered");
        Assert.False(replies[2], "a silo whose node is no member answered");

        static HistoryRequest Request(Revision upTo) => new(BucketId.Default, Scope.Bucket, Revision.None, upTo, 100, 1 << 20, PreviousValues: true, Skip: 0);
    }

    private static async Task ReadAllAsync(WatchCluster cluster, int silo)
    {
        await using var stream = await cluster.HostedIn(silo).WatchAsync(WatchTarget.Prefix("/h/"), new WatchOptions { StartAt = new Revision(1) });
        await using var reader = stream.Reader();
        Assert.Equal(Enumerable.Range(0, Writes).Select(at => $"{at}"), (await reader.NextAsync(Writes)).Select(each => each.Value.Text()));
    }

    private static HistorySource SourceOf(WatchCluster cluster, int silo) => cluster.Services(silo).GetRequiredService<HistorySource>();
}
