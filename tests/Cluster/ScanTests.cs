using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>
/// Scans: which keys, at which revision, whoever is asked, and what is said where no answer can be had. Where d-engine has two kinds of
/// storage and two kinds of client, here it is one storage, asked from inside the cluster and from outside.
/// </summary>
public sealed class ScanTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("scan");

    [Fact]
    public async Task A_replica_looks_at_so_many_keys_in_a_turn_and_who_scans_gets_the_whole_page_all_the_same()
    {
        const int Keys = Watch.Grains.Watching.HistorySource.VisitsMax + 4;
        await Parallel.ForEachAsync(Enumerable.Range(0, Keys), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (at, _) => await _cluster.Client.PutAsync($"{_root}{at:D5}", "x"));
        var request = new ScanRequest(Key.Of(_root), ScanRequest.KeysMaxLimit, KeysOnly: true);
        var part = await _cluster.Replica(_cluster.Silos[await _cluster.LeaderAsync()].SiloAddress).Scan(BucketId.Default, request);
        Assert.Equal((Keys - 4, Key.Of($"{_root}{Keys - 5:D5}")), (part.Page!.Keys.Length, part.GoOn));

        var page = await _cluster.Client.ScanAsync(request);
        Assert.Equal((Keys, false, part.Page.Revision), (page.Keys.Length, page.More, page.Revision));
        var few = await _cluster.Client.ScanAsync(request with { KeysMax = Keys - 1 });
        Assert.Equal((Keys - 1, true), (few.Keys.Length, few.More));
    }

    [Theory, BothOrigins]
    [Trait("DE", "S01"), Trait("DE", "S02"), Trait("DE", "S08"), Trait("DE", "S11")]
    public async Task Only_the_keys_of_the_prefix_are_returned_in_byte_order_and_no_neighbours(Origin origin)
    {
        var root = _root.TrimEnd('/');
        foreach (var key in new[] { $"{root}/b", $"{root}/a", $"{root}/c/d", $"{root}/deleted" })
            await _cluster.Client.PutAsync(key, "of " + key);
        await _cluster.Client.DeleteAsync($"{root}/deleted");
        // Neighbours on both sides: the prefix without its slash, one byte below the slash, one above, and a namespace of its own.
        foreach (var decoy in new[] { root, $"{root}.x", $"{root}0", $"{root}x/a" })
            await _cluster.Client.PutAsync(decoy, "no");

        var (keys, revision) = await _cluster.Of(origin).ScanAllAsync(Key.Of($"{root}/"));

        Assert.Equal([$"{root}/a", $"{root}/b", $"{root}/c/d"], keys.Select(each => each.Key.ToString()));
        Assert.All(keys, each => Assert.Equal($"of {each.Key}", each.Value.Text()));
        Assert.True(revision.Value >= 9, $"nine changes were acknowledged, the scan is of revision {revision}");
    }

    [Theory, BothOrigins]
    [Trait("DE", "S03"), Trait("DE", "S09"), Trait("DE", "S12"), Trait("DE", "S14")]
    public async Task A_namespace_without_keys_is_an_empty_list_with_a_revision_and_no_error(Origin origin)
    {
        var put = await _cluster.Client.PutAsync(_root + "elsewhere", "1");

        var page = await _cluster.Of(origin).ScanAsync(new ScanRequest(Key.Of(_root + "nothing/")));

        Assert.Empty(page.Keys);
        Assert.False(page.More);
        Assert.True(page.Revision >= put.Revision);
    }

    [Theory, BothOrigins]
    [Trait("DE", "S04"), Trait("DE", "S10"), Trait("DE", "S13")]
    public async Task A_scan_has_everything_that_was_acknowledged_before_it_and_its_revision_says_exactly_what(Origin origin)
    {
        // Better than "at least what was applied": the page is the state at its revision, neither older nor newer, with all revisions of each key.
        const int Writes = 200;
        var (acknowledged, scans) = (Revision.None, 0);
        var writing = Task.Run(async () =>
        {
            for (var at = 1; at <= Writes; at++)
                acknowledged = (await _cluster.HostedIn(2).PutAsync($"{_root}{at % 5}", $"{at}")).Revision;
        });
        for (; !writing.IsCompleted; scans++)
        {
            var before = acknowledged;
            var page = await _cluster.Of(origin).ScanAsync(new ScanRequest(Key.Of(_root)));
            var again = await _cluster.Of(origin).ScanAsync(new ScanRequest(Key.Of(_root), At: page.Revision));
            Assert.True(page.Revision >= before, $"{before} was acknowledged, the scan is of {page.Revision}");
            Assert.All(page.Keys, each => Assert.True(each.ModRevision <= page.Revision, $"{each.Key} was written in {each.ModRevision}, after the scan's {page.Revision}"));
            Assert.Equal(page.Keys.Select(Short), again.Keys.Select(Short));
        }

        await writing;
        Assert.True(scans > 1, "no scan met a write");
    }

    [Theory, BothOrigins]
    [Trait("DE", "S05"), Trait("DE", "S07")]
    public async Task Prefixes_that_end_in_0xFF_or_are_nothing_else_have_their_own_keys_and_no_others(Origin origin)
    {
        Key[] keys = [Key.Of([0xFE, 0xFF]), Key.Of([0xFF]), Key.Of([0xFF, 0x00]), Key.Of([0xFF, 0xFE]), Key.Of([0xFF, 0xFF]), Key.Of([0xFF, 0xFF, 0x01])];
        foreach (var key in keys)
            await _cluster.Client.PutAsync(key, Watching.Bytes("v"));

        Assert.Equal(keys[1..], await KeysAsync(Key.Of([0xFF])));
        Assert.Equal(keys[4..], await KeysAsync(Key.Of([0xFF, 0xFF])));
        Assert.Equal(keys[..1], await KeysAsync(Key.Of([0xFE, 0xFF])));

        async Task<IEnumerable<Key>> KeysAsync(Key prefix) => (await _cluster.Of(origin).ScanAllAsync(prefix)).Keys.Select(each => each.Key);
    }

    [Theory, BothOrigins]
    [Trait("DE", "S06")]
    public async Task The_empty_prefix_is_the_whole_bucket(Origin origin)
    {
        // Better: there an empty prefix finds nothing, so that keys without a slash cannot be listed at all.
        var put = await _cluster.Client.PutAsync(_root.Trim('/'), "no slash anywhere");

        var (keys, revision) = await _cluster.Of(origin).ScanAllAsync(Key.Empty);

        Assert.Contains(keys, each => each.Key == Key.Of(_root.Trim('/')) && each.ModRevision == put.Revision);
        Assert.True(revision >= put.Revision);
    }

    [Theory]
    [InlineData(0), InlineData(1), InlineData(2)]
    [Trait("DE", "S16"), Trait("DE", "S18")]
    public async Task Whichever_silo_is_asked_the_scan_is_linearizable(int silo)
    {
        // Better: a follower there refuses with "Not leader"; here every silo finds the leader for its caller.
        var leader = await _cluster.LeaderAsync();
        var put = await _cluster.HostedIn((silo + 1) % 3).PutAsync(_root + "k", $"{silo}");

        var page = await _cluster.HostedIn(silo).ScanAsync(new ScanRequest(Key.Of(_root)));

        Assert.Equal(0, leader);
        Assert.Equal([$"{_root}k={silo}@{put.Revision}"], page.Keys.Select(Short));
    }

    [Theory, BothOrigins]
    [Trait("DE", "S15")]
    public async Task A_scan_that_cannot_be_served_is_refused_by_name_and_the_next_one_works(Origin origin)
    {
        // There, a storage that cannot scan; here every storage can, so it is what is asked that cannot be served.
        var put = await _cluster.Client.PutAsync(_root + "k", "1");

        await RefusedAsync(WatchErrorCode.FutureRevision, new ScanRequest(Key.Of(_root), At: new Revision(long.MaxValue)));
        await RefusedAsync(WatchErrorCode.InvalidOption, new ScanRequest(Key.Of(_root), KeysMax: 0));

        Assert.Equal([$"{_root}k=1@{put.Revision}"], (await _cluster.Of(origin).ScanAsync(new ScanRequest(Key.Of(_root)))).Keys.Select(Short));

        async Task RefusedAsync(WatchErrorCode code, ScanRequest request) =>
            Assert.Equal(code, (await Assert.ThrowsAsync<WatchException>(() => _cluster.Of(origin).ScanAsync(request))).Code);
    }

    [Fact]
    [Trait("DE", "S19"), Trait("DE", "S20")]
    public async Task Where_nobody_leads_a_scan_ends_within_its_time_and_says_so()
    {
        // One voter that is gone: nobody can answer for it. A node that never came to belong to a cluster is in the same place.
        await using var cluster = await WatchCluster.StartAsync(silos: 2, options => options.LeaderTimeout = TimeSpan.FromMilliseconds(500));
        await cluster.Client.PutAsync("/k", "1");
        var left = cluster.HostedIn(1);
        await cluster.Host.KillSiloAsync(cluster.Silos[0]);

        var error = await Assert.ThrowsAsync<WatchException>(() => left.ScanAsync(new ScanRequest(Key.Of("/"))).WaitAsync(WatchCluster.Patience));

        Assert.True(error.Code is WatchErrorCode.NoQuorum or WatchErrorCode.Unavailable, $"it was refused with {error.Code}: {error.Message}");
    }

    private static string Short(KeyValue each) => $"{each.Key}={each.Value.Text()}@{each.ModRevision}";
}
