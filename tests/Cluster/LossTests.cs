using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>Silos go while watches run: what was acknowledged stays, and no watch loses, repeats or reorders anything.</summary>
public sealed class LossTests
{
    [Fact]
    public async Task Acknowledged_writes_and_their_history_survive_a_restart_of_the_only_node()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        var acknowledged = new List<string>();
        for (var at = 0; at < 20; at++)
            acknowledged.Add($"put /s/{at % 3}={at}@{(await cluster.Client.PutAsync($"/s/{at % 3}", $"{at}")).Revision}");
        var before = await cluster.Client.StatusAsync();

        await cluster.Host.RestartSiloAsync(cluster.Silos[0]);

        var after = await Eventually(() => cluster.Client.StatusAsync());
        await using var stream = await cluster.Client.WatchAsync(WatchTarget.Prefix("/s/"), new WatchOptions { StartAt = new Revision(1) });
        await using var reader = stream.Reader();
        Assert.Equal((before.Incarnation, before.Revision, before.Keys), (after.Incarnation, after.Revision, after.Keys));
        Assert.True(after.Term > before.Term, $"the term went from {before.Term} to {after.Term}");
        Assert.Equal(acknowledged, (await reader.NextAsync(20)).Select(each => each.Short()));
    }

    [Fact]
    public async Task A_read_and_a_write_that_begin_while_the_only_silo_is_away_are_answered_when_it_is_back()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        var first = await cluster.Client.PutAsync("/r", "1");
        var silo = cluster.Silos[0];
        await cluster.Host.StopSiloAsync(silo);
        var read = cluster.Client.GetAsync("/r");
        var scan = cluster.Client.ScanAllAsync(Key.Of("/r"));
        var nodes = cluster.Nodes.ListNodesAsync();
        var write = cluster.Client.PutAsync("/w", "2");

        await cluster.Host.RestartSiloAsync(silo);

        Assert.Equal(first.Revision, (await read).Key!.ModRevision);
        Assert.Single((await scan).Keys);
        Assert.Single((await nodes).Nodes);
        // However often it was sent, it is the one write that came behind the first.
        Assert.Equal(first.Revision.Next, (await write).Revision);
        Assert.Equal(first.Revision.Next, (await cluster.Client.StatusAsync()).Revision);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public async Task Watches_go_on_by_themselves_when_a_silo_goes_and_comes_back_under_writes(int silo, bool killed)
    {
        await using var cluster = await WatchCluster.StartAsync();
        await using var remote = await cluster.Client.WatchAsync(WatchTarget.Prefix("/w/"));
        await using var remoteReader = remote.Reader();
        var hostedIn = silo == 1 ? 2 : 1;
        await using var hosted = await cluster.HostedIn(hostedIn).WatchAsync(WatchTarget.Prefix("/w/"));
        await using var hostedReader = hosted.Reader();
        var observer = new RecordingObserver();
        await using var pushed = await cluster.Client.SubscribeAsync(WatchTarget.Prefix("/w/"), observer);

        await WriteAsync(cluster, 0, 50);
        var handle = cluster.Silos[silo];
        if (killed)
            await cluster.Host.KillSiloAsync(handle);
        else
            await cluster.Host.StopSiloAsync(handle);
        await cluster.Host.RestartSiloAsync(handle);
        await WriteAsync(cluster, 50, 50);

        var expected = await HistoryAsync(cluster, 100);
        Assert.Equal(expected, (await remoteReader.NextAsync(100)).Select(each => each.Short()));
        Assert.Equal(expected, (await hostedReader.NextAsync(100)).Select(each => each.Short()));
        Assert.Equal(expected, (await observer.WaitForAsync(100)).Select(each => each.Short()));
    }

    /// <summary>Writes numbered values; where an outcome is unknown, it is looked up, so each value is written once.</summary>
    private static async Task WriteAsync(WatchCluster cluster, int from, int count)
    {
        for (var at = from; at < from + count; at++)
        {
            var written = false;
            while (!written)
            {
                try
                {
                    var key = $"/w/{at}";
                    var put = await cluster.Client.PutAsync(key, $"{at}", WriteCondition.Absent);
                    written = put.Succeeded || put.Previous!.Value.Text() == $"{at}";
                }
                catch (WatchException error) when (error.Code is WatchErrorCode.OutcomeUnknown or WatchErrorCode.NoQuorum or WatchErrorCode.Unavailable)
                {
                    // The key is written only if absent, so asking again settles it.
                }
            }
        }
    }

    private static async Task<List<string>> HistoryAsync(WatchCluster cluster, int count)
    {
        var (keys, _) = await cluster.Client.ScanAllAsync(Key.Of("/w/"));
        Assert.Equal(count, keys.Length);
        return [.. keys.OrderBy(each => each.ModRevision).Select(each => $"put {each.Key}={each.Value.Text()}@{each.ModRevision}")];
    }

    private static async Task<T> Eventually<T>(Func<Task<T>> ask)
    {
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (WatchException error) when (error.Code is WatchErrorCode.Unavailable or WatchErrorCode.NoQuorum)
            {
                // The client has not found the silo again yet; each attempt waits on its own.
            }
        }
    }
}
