using Watch.Core;
using Watch.Grains.Consensus;

namespace Watch.Cluster.Tests;

/// <summary>How fresh reads are, and who answers them, with three voters.</summary>
public sealed class ReadPolicyTests
{
    [Theory]
    [InlineData(ReadKind.Linearizable)]
    [InlineData(ReadKind.Lease)]
    public async Task Every_silo_answers_a_read_with_what_was_just_acknowledged(ReadKind kind)
    {
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.MakeAllVotersAsync();
        for (var at = 0; at < 30; at++)
        {
            await cluster.HostedIn(at % 3).PutAsync("/k", $"{at}");
            Assert.Equal($"{at}", await ReadAsync(cluster.HostedIn((at + 1) % 3), new ReadPolicy(kind, Revision.None)));
        }
    }

    [Fact]
    public async Task A_read_of_at_least_a_revision_never_gives_an_older_one_and_refuses_one_that_is_not_there_yet()
    {
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.MakeAllVotersAsync();
        var last = Revision.None;
        for (var at = 0; at < 30; at++)
        {
            last = (await cluster.HostedIn(at % 3).PutAsync("/k", $"{at}")).Revision;
            var got = await cluster.HostedIn((at + 1) % 3).GetAsync("/k", ReadPolicy.AtLeast(last));
            Assert.Equal(($"{at}", last), (got.Key!.Value.Text(), got.Revision));
        }

        var error = await Assert.ThrowsAsync<WatchException>(() => cluster.Client.GetAsync("/k", ReadPolicy.AtLeast(new Revision(last.Value + 1))));
        Assert.Equal(WatchErrorCode.FutureRevision, error.Code);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task A_read_of_at_least_a_revision_waits_until_the_silo_has_it(int voters)
    {
        await using var cluster = await WatchCluster.StartAsync();
        if (voters > 1)
            await cluster.MakeAllVotersAsync();
        var first = await cluster.HostedIn(0).PutAsync("/k", "first");
        var reading = Enumerable.Range(0, 3).Select(at => cluster.HostedIn(at).GetAsync("/k", ReadPolicy.AtLeast(first.Revision.Next))).ToList();
        Assert.DoesNotContain(reading, each => each.IsCompleted);

        await cluster.HostedIn(0).PutAsync("/k", "second");

        foreach (var read in reading)
            Assert.Equal("second", (await read).Key!.Value.Text());
    }

    [Fact]
    public async Task A_read_of_at_least_a_revision_that_does_not_come_ends_after_the_leaders_timeout()
    {
        await using var cluster = await WatchCluster.StartAsync(configure: options => options.LeaderTimeout = TimeSpan.FromMilliseconds(300));
        // A silo whose node is the voter, and one that has no replica.
        foreach (var at in new[] { 0, 2 })
        {
            var error = await Assert.ThrowsAsync<WatchException>(() => cluster.HostedIn(at).GetAsync("/k", ReadPolicy.AtLeast(new Revision(7))));
            Assert.Equal(WatchErrorCode.FutureRevision, error.Code);
        }
    }

    [Fact]
    public async Task An_eventual_read_is_answered_by_the_own_silos_replica_while_nobody_leads()
    {
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.MakeAllVotersAsync();
        var put = await cluster.HostedIn(2).PutAsync("/k", "v");
        // Its own replica has come so far once it answers for that revision.
        var replica = cluster.Replica(cluster.Silos[2].SiloAddress);
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        while ((await replica.GetMany(BucketId.Default, [Key.Of("/k")], ReadPolicy.AtLeast(put.Revision))).Refusal is not null)
            patience.Token.ThrowIfCancellationRequested();
        var client = cluster.HostedIn(2);
        var (first, second) = (cluster.Silos[0], cluster.Silos[1]);
        await cluster.Host.KillSiloAsync(first);
        await cluster.Host.KillSiloAsync(second);

        Assert.Equal("v", await ReadAsync(client, ReadPolicy.Eventual));
        Assert.Equal("v", (await client.GetAsync("/k", ReadPolicy.AtLeast(put.Revision))).Key!.Value.Text());
        Assert.Equal(WatchErrorCode.NoQuorum, (await Assert.ThrowsAsync<WatchException>(() => client.GetAsync("/k"))).Code);
        Assert.Equal(WatchErrorCode.NoQuorum, (await Assert.ThrowsAsync<WatchException>(() => client.GetAsync("/k", ReadPolicy.Lease))).Code);
    }

    [Fact]
    public async Task An_eventual_read_on_a_silo_whose_node_is_no_member_is_answered_by_another_silo()
    {
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.HostedIn(0).PutAsync("/k", "v");

        Assert.Equal("v", await ReadAsync(cluster.HostedIn(2), ReadPolicy.Eventual));
    }

    private static async Task<string> ReadAsync(IWatchClient client, ReadPolicy policy) => (await client.GetAsync("/k", policy)).Key!.Value.Text();
}
