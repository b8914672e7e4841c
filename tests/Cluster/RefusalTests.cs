using Watch.Core;
using Watch.Grains;

namespace Watch.Cluster.Tests;

/// <summary>Requests that cannot be served are refused at once, in words that say what is allowed, and leave nothing behind.</summary>
public sealed class RefusalTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("refusal");

    [Theory, BothOrigins]
    [Trait("DE", "E14"), Trait("DE", "U35"), Trait("DE", "G06"), Trait("DE", "G07")]
    public async Task Prefixes_without_slashes_at_both_ends_are_refused_in_words_and_a_valid_one_still_works(Origin origin)
    {
        var client = _cluster.Of(origin);
        var before = await _cluster.CountWatchersAsync();

        foreach (var prefix in new[] { "/config", "config/", "config", "", "*" })
        {
            var watch = await Assert.ThrowsAsync<WatchException>(() => client.WatchAsync(WatchTarget.Prefix(prefix)));
            var push = await Assert.ThrowsAsync<WatchException>(() => client.SubscribeAsync(WatchTarget.Prefix(prefix), new RecordingObserver()));
            Assert.All([watch, push], error =>
            {
                Assert.Equal(WatchErrorCode.InvalidPrefix, error.Code);
                Assert.Contains($"'{prefix}'", error.Message, StringComparison.Ordinal);
                Assert.Contains("begin and end with '/'", error.Message, StringComparison.Ordinal);
            });
        }

        Assert.Equal(before, await _cluster.CountWatchersAsync());
        await using var stream = await client.WatchAsync(WatchTarget.Prefix(_root));
        await using var reader = stream.Reader();
        await client.PutAsync(_root + "k", "v");
        Assert.Equal("v", (await reader.NextAsync()).Value.Text());
    }

    [Theory, BothOrigins]
    public async Task A_prefix_deeper_than_segments_go_is_refused_and_the_deepest_one_works(Origin origin)
    {
        var client = _cluster.Of(origin);
        var deepest = "/" + string.Concat(Enumerable.Repeat("d/", Scope.DepthMax - 1));

        var error = await Assert.ThrowsAsync<WatchException>(() => client.WatchAsync(WatchTarget.Prefix(deepest + "e/")));
        await using var stream = await client.WatchAsync(WatchTarget.Prefix(deepest));
        await using var reader = stream.Reader();
        await client.PutAsync(deepest + "e/f/g", "v");

        Assert.Equal(WatchErrorCode.InvalidPrefix, error.Code);
        Assert.Contains($"at most {Scope.DepthMax}", error.Message, StringComparison.Ordinal);
        Assert.Equal(deepest + "e/f/g", (await reader.NextAsync()).Key.ToString());
    }

    [Theory]
    [InlineData(Origin.Hosted, 0)]
    [InlineData(Origin.Hosted, -1)]
    [InlineData(Origin.Hosted, 1_000_001)]
    [InlineData(Origin.Remote, 0)]
    [InlineData(Origin.Remote, int.MinValue)]
    [InlineData(Origin.Remote, 1_000_001)]
    public async Task A_queue_size_out_of_range_is_refused_with_the_range(Origin origin, int queue)
    {
        var before = await _cluster.CountWatchersAsync();

        var error = await Assert.ThrowsAsync<WatchException>(() => _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root), new WatchOptions { QueueEventsMax = queue }));

        Assert.Equal(WatchErrorCode.InvalidOption, error.Code);
        Assert.Contains($"{queue}", error.Message, StringComparison.Ordinal);
        Assert.Contains("1 to 1000000", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, await _cluster.CountWatchersAsync());
    }

    [Theory, BothOrigins]
    public async Task Empty_and_over_long_keys_to_watch_are_refused_with_the_bounds(Origin origin)
    {
        foreach (var (key, says) in new[] { (Key.Empty, "1 to 4096"), (Key.Of(new byte[4097]), "4097") })
        {
            var error = await Assert.ThrowsAsync<WatchException>(() => _cluster.Of(origin).WatchAsync(WatchTarget.Key(key)));
            Assert.Equal(WatchErrorCode.InvalidKey, error.Code);
            Assert.Contains(says, error.Message, StringComparison.Ordinal);
        }
    }

    [Theory, BothOrigins]
    public async Task The_longest_key_is_written_read_and_watched(Origin origin)
    {
        var key = Key.Of(_root + new string('k', 4096 - _root.Length));
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(key));
        await using var reader = stream.Reader();

        await _cluster.Of(origin).PutAsync(key, Watching.Bytes("v"));

        Assert.Equal(key, (await reader.NextAsync()).Key);
        Assert.Equal("v", (await _cluster.Client.GetAsync(key)).Key!.Value.Text());
    }

    [Theory, BothOrigins]
    public async Task A_condition_on_a_negative_revision_is_refused_alone_and_writes_beside_it_go_on(Origin origin)
    {
        var client = _cluster.Of(origin);
        // All at once, so that they share batches.
        var good = Enumerable.Range(0, 40).Select(at => client.PutAsync(Key.Of($"{_root}beside{at}"), Watching.Bytes("v"))).ToList();
        var bad = Enumerable.Range(0, 5).Select(at => client.PutAsync(Key.Of($"{_root}bad{at}"), Watching.Bytes("v"), WriteCondition.At(new Revision(-1)))).ToList();

        foreach (var each in bad)
            Assert.Equal(WatchErrorCode.InvalidOption, (await Assert.ThrowsAsync<WatchException>(() => each)).Code);
        foreach (var each in good)
            Assert.Equal(WriteStatus.Applied, (await each).Status);
    }

    [Fact]
    public async Task A_write_whose_value_and_condition_are_too_large_together_is_refused_alone()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1, options => options.ValueBytesMax = WatchSiloOptions.ValueBytesLimit);
        var largest = new byte[WatchSiloOptions.ValueBytesLimit];
        var good = cluster.HostedIn(0).PutAsync(Key.Of("/beside"), Watching.Bytes("v"));
        var error = await Assert.ThrowsAsync<WatchException>(() => cluster.HostedIn(0).PutAsync(Key.Of("/large"), largest, WriteCondition.Value(largest)));

        Assert.Equal(WatchErrorCode.ValueTooLarge, error.Code);
        Assert.Contains("together", error.Message, StringComparison.Ordinal);
        Assert.Equal(WriteStatus.Applied, (await good).Status);
    }

    [Theory, BothOrigins]
    public async Task Page_sizes_out_of_range_are_refused_with_the_range(Origin origin)
    {
        foreach (var size in new[] { 0, -1, 10_001 })
        {
            var error = await Assert.ThrowsAsync<WatchException>(() => _cluster.Of(origin).ScanAsync(new ScanRequest(Key.Of(_root), KeysMax: size)));
            Assert.Equal(WatchErrorCode.InvalidOption, error.Code);
            Assert.Contains("1 to 10000", error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_watch_from_revision_one_or_zero_has_everything(long start)
    {
        var put = await _cluster.Client.PutAsync(_root + "k", "v");

        await using var stream = await _cluster.Client.WatchAsync(WatchTarget.Key(_root + "k"), new WatchOptions { StartAt = new Revision(start) });
        await using var reader = stream.Reader();

        Assert.Equal(new Revision(0), stream.Start);
        Assert.Equal(put.Revision, (await reader.NextAsync()).Revision);
    }

    [Theory, BothOrigins]
    public async Task A_watch_from_the_end_of_time_is_silent_and_can_be_disposed_of(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"), new WatchOptions { StartAt = new Revision(long.MaxValue) });
        await _cluster.Client.PutAsync(_root + "k", "v");

        await stream.DisposeAsync();

        await using var reader = stream.Reader();
        Assert.True(await reader.EndsAsync());
        Assert.Equal(WatchEndReason.Disposed, await stream.Completion);
        await _cluster.WatchersComeToAsync(before);
    }

    [Theory, BothOrigins]
    public async Task A_registration_whose_token_is_canceled_already_registers_nothing(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"), cancellationToken: new CancellationToken(canceled: true)));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _cluster.Of(origin).SubscribeAsync(WatchTarget.Key(_root + "k"), new RecordingObserver(), cancellationToken: new CancellationToken(canceled: true)));

        await _cluster.WatchersComeToAsync(before);
    }
}
