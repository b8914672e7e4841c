using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>Snapshots in a running cluster: taken while writes go on, loaded at start, sent to nodes that lack what the log no longer has.</summary>
public sealed class SnapshotTests
{
    private const int Keys = 50;
    private const int Writes = 700;

    [Fact]
    public async Task Nodes_that_join_late_are_sent_a_snapshot_and_a_restarted_node_begins_from_its_own()
    {
        var folder = Directory.CreateTempSubdirectory("watch-tests-").FullName;
        await using var cluster = await WatchCluster.StartAsync(folder: folder, configure: options => options.SnapshotEntries = 100);
        for (var at = 0; at < Writes; at++)
            await cluster.Client.PutAsync($"/s/{at % Keys}", $"{at}");
        var own = Snapshot(folder, 0);
        Assert.NotNull(own);

        await cluster.MakeAllVotersAsync();
        var last = await cluster.Client.PutAsync("/s/last", "here");
        for (var silo = 1; silo < 3; silo++)
        {
            Assert.NotNull(Snapshot(folder, silo));                      // its log begins behind this one
            using var patience = new CancellationTokenSource(WatchCluster.Patience);
            var replica = cluster.Replica(cluster.Silos[silo].SiloAddress);
            while ((await replica.GetMany(BucketId.Default, [Key.Of("/s/last")], ReadPolicy.AtLeast(last.Revision))).Refusal is not null)
                patience.Token.ThrowIfCancellationRequested();
            var keys = await replica.GetMany(BucketId.Default, [.. Enumerable.Range(0, Keys).Select(key => Key.Of($"/s/{key}"))], ReadPolicy.AtLeast(last.Revision));
            Assert.Equal(Enumerable.Range(Writes - Keys, Keys).Select(at => $"{at}").Order(), keys.Keys.Select(key => key!.Value.Text()).Order());
        }

        // The first node is gone and comes back; history from before its snapshot is still there.
        var first = cluster.Silos[0];
        await cluster.Host.StopSiloAsync(first);
        await cluster.HostedIn(0).PutAsync("/s/last", "without it");
        await cluster.Host.RestartSiloAsync(first);
        await cluster.Client.PutAsync("/s/last", "with it");
        await using var watch = await cluster.Client.WatchAsync(WatchTarget.Prefix("/s/"), new WatchOptions { StartAt = new Revision(1), QueueEventsMax = 10_000 });
        await using var reader = watch.Reader();
        var events = await reader.NextAsync(Writes + 3);
        Assert.Equal(Enumerable.Range(0, Writes).Select(at => $"{at}"), events.Take(Writes).Select(each => each.Value.Text()));
        Assert.Equal("with it", events[^1].Value.Text());
    }

    private static string? Snapshot(string folder, int silo) =>
        Directory.GetFiles(Path.Combine(folder, $"Silo_{silo}", "snapshots"), "0000000001-*.snap").Select(Path.GetFileName).SingleOrDefault();
}
