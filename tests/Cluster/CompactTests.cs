using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Core.Storage;
using Watch.Grains;
using Watch.Grains.Consensus;

namespace Watch.Cluster.Tests;

/// <summary>History that is given up on request, or since it is old.</summary>
public sealed class CompactTests
{
    [Fact]
    public async Task Compaction_on_request_is_done_once_refused_for_the_future_and_leaves_what_lies_behind_it()
    {
        await using var cluster = await WatchCluster.StartAsync();
        var revisions = new List<Revision>();
        for (var at = 0; at < 20; at++)
            revisions.Add((await cluster.Client.PutAsync("/c/key", $"{at}")).Revision);

        await using var live = await cluster.Client.WatchAsync(WatchTarget.Key("/c/key"));
        await using var liveReader = live.Reader();
        var future = await Assert.ThrowsAsync<WatchException>(() => cluster.Nodes.CompactAsync(new Revision(revisions[^1].Value + 1_000)));
        Assert.Equal(WatchErrorCode.FutureRevision, future.Code);
        Assert.Equal(revisions[9], await cluster.Nodes.CompactAsync(revisions[9]));
        Assert.Equal(revisions[9], await cluster.Nodes.CompactAsync(revisions[9]));
        Assert.Equal(revisions[9], await cluster.Nodes.CompactAsync(revisions[4]));
        Assert.Equal(revisions[9], (await cluster.Client.StatusAsync()).Compacted);

        await using var early = await cluster.HostedIn(1).WatchAsync(WatchTarget.Key("/c/key"), new WatchOptions { StartAt = revisions[9] });
        await using var earlyReader = early.Reader();
        Assert.Equal((WatchEndReason.Compacted, revisions[10]), await earlyReader.NextAsync() is var end ? (end.Reason, end.FirstAvailable) : default);
        await using var inTime = await cluster.HostedIn(1).WatchAsync(WatchTarget.Key("/c/key"), new WatchOptions { StartAt = revisions[10] });
        await using var inTimeReader = inTime.Reader();
        Assert.Equal(Enumerable.Range(10, 10).Select(at => $"{at}"), (await inTimeReader.NextAsync(10)).Select(each => each.Value.Text()));

        await cluster.Client.PutAsync("/c/key", "after");
        Assert.Equal("after", (await liveReader.NextAsync()).Value.Text());
    }

    [Fact]
    public async Task History_that_is_too_old_is_given_up_and_what_is_younger_stays()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1, configure: watch => watch.HistoryAgeMax = TimeSpan.FromSeconds(3));
        var first = (await cluster.Client.PutAsync("/old", "x")).Revision;
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        var written = first;
        while ((await cluster.Client.StatusAsync()).Compacted < first)
        {
            patience.Token.ThrowIfCancellationRequested();
            written = (await cluster.Client.PutAsync("/new", "x")).Revision;
        }

        // What was written in the last seconds is there.
        await using var stream = await cluster.HostedIn(0).WatchAsync(WatchTarget.Key("/new"), new WatchOptions { StartAt = written });
        await using var reader = stream.Reader();
        Assert.Equal(written, (await reader.NextAsync()).Revision);
        Assert.Equal("x", (await cluster.Client.GetAsync("/old")).Key!.Value.Text());
    }

    /// <summary>Nobody writes: the leader's clock alone makes history old, and nothing is proposed once nothing is left.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task History_that_is_too_old_is_given_up_though_nobody_writes(int silos)
    {
        await using var cluster = await WatchCluster.StartAsync(silos, configure: watch => watch.HistoryAgeMax = TimeSpan.FromSeconds(1));
        var last = (await cluster.Client.PutAsync("/old", "x")).Revision;
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        var status = await cluster.Client.StatusAsync();
        var began = status;
        while (status.Compacted < last)
        {
            patience.Token.ThrowIfCancellationRequested();
            status = await cluster.Client.StatusAsync();
        }

        Assert.Equal((last, began.Index + 1), (status.Revision, status.Index));
    }

    /// <summary>Keys so deep that each write stands in many scopes: an entry drops few of them.</summary>
    [Fact]
    public async Task Much_that_is_given_up_on_request_goes_in_steps_and_writers_come_in_between()
    {
        const int Writes = 2_500;
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        var deep = string.Concat(Enumerable.Repeat("d/", Scope.DepthMax));
        await Parallel.ForEachAsync(Enumerable.Range(0, Writes), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (at, _) => await cluster.Client.PutAsync(deep + at, "x"));

        var before = await cluster.Client.StatusAsync();
        // Whoever asks is answered after some steps, with what they came to; a write that comes then has nothing to wait for.
        var replica = cluster.Replica(cluster.Silos[0].SiloAddress);
        var first = (await replica.Compact(BucketId.Default, before.Revision)).Revision;
        Assert.InRange(first.Value, 1, before.Revision.Value - 1);
        Assert.Equal(before.Index + ReplicaService.CompactionStepsPerCall, (await cluster.Client.StatusAsync()).Index);
        var written = await cluster.Client.PutAsync("/between", "x");
        Assert.Equal((before.Revision.Next, before.Index + ReplicaService.CompactionStepsPerCall + 1), (written.Revision, written.Index));

        // A client asks on until all of it is done.
        Assert.Equal(before.Revision, await cluster.Nodes.CompactAsync(before.Revision));
        var after = await cluster.Client.StatusAsync();
        Assert.Equal(before.Revision, after.Compacted);
        var steps = after.Index - before.Index - 1;
        Assert.InRange(steps, Writes * Scope.DepthMax / BucketState.CompactionPlacesMax, 2 * CompactionSteps(Writes));
    }

    /// <summary>A leader that is gone half way leaves what it did, and the next one does the rest.</summary>
    [Fact]
    public async Task A_compaction_goes_on_with_the_next_leader_where_the_last_one_left_it()
    {
        const int Writes = 2_500;
        await using var cluster = await WatchCluster.StartAsync();
        var deep = string.Concat(Enumerable.Repeat("d/", Scope.DepthMax));
        await Parallel.ForEachAsync(Enumerable.Range(0, Writes), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (at, _) => await cluster.Client.PutAsync(deep + at, "x"));
        var last = (await cluster.Client.StatusAsync()).Revision;
        var leader = cluster.Silos[await cluster.LeaderAsync()];
        var part = (await cluster.Replica(leader.SiloAddress).Compact(BucketId.Default, last)).Revision;
        Assert.InRange(part.Value, 1, last.Value - 1);

        await cluster.Replica(leader.SiloAddress).End();
        Assert.Equal(last, await cluster.Nodes.CompactAsync(last));
        Assert.Equal(last, (await cluster.Client.StatusAsync()).Compacted);
    }

    [Fact]
    public void Readers_get_a_turn_behind_each_compaction_that_is_applied()
    {
        Entry[] entries = [.. Enumerable.Range(1, 200).Select(at => at is 10 or 11 ? EntryOf(at, new CompactCommand(new Revision(at))) : EntryOf(at, WriteCommand.Put(Key.Of("/a"), default)))];
        var goes = new List<int>();
        for (var at = 0; at < entries.Length; at += goes[^1])
            goes.Add(BucketReplica.InOneGo(entries.AsSpan(at)));
        Assert.Equal([10, 1, 64, 64, 61], goes);
    }

    private static int CompactionSteps(int writes) => (writes * (Scope.DepthMax + 2) / BucketState.CompactionPlacesMax) + 1;

    [Fact]
    public void What_is_too_old_is_proposed_in_steps_each_once_the_one_before_is_applied()
    {
        const int Writes = 1_500;
        var bucket = new BucketReplica(GroupId.Default, new WatchSiloOptions { HistoryAgeMax = TimeSpan.FromSeconds(1) });
        var deep = string.Concat(Enumerable.Repeat("d/", Scope.DepthMax));
        for (var at = 1; at <= Writes; at++)
            bucket.Apply([EntryOf(at, WriteCommand.Put(Key.Of(deep + at), default))]);

        var (steps, index) = (0, Writes);
        while (bucket.DueCompaction(TimeSpan.FromHours(1), new LogTime(3_600_000)) is { } step)
        {
            bucket.CompactionProposed(step, TimeSpan.FromHours(1));
            Assert.Null(bucket.DueCompaction(TimeSpan.FromHours(1), new LogTime(3_600_000)));
            var held = bucket.State.HistoryChanges;
            bucket.Apply([EntryOf(++index, step)]);
            Assert.InRange(held - bucket.State.HistoryChanges, 1, BucketState.CompactionPlacesMax / Scope.DepthMax);
            steps++;
        }

        Assert.Equal(0, bucket.State.HistoryChanges);
        Assert.True(steps > 2, $"{steps} steps");
    }

    private static Entry EntryOf(long index, Command command) =>
        new(new LogIndex(index), new Term(1), new LogTime(0), 0, EntryKind.Command, CommandCodec.Encode(command));
}
