using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>Cursors: where a watch was, to go on from there, and nowhere else.</summary>
public sealed class CursorTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("cursor");

    [Theory, BothOrigins]
    public async Task A_watch_goes_on_from_a_cursor_that_was_kept_as_text_and_misses_and_repeats_nothing(Origin origin)
    {
        var target = WatchTarget.Several(WatchTarget.Prefix(_root), WatchTarget.Key("/also"));
        var expected = new List<string>();
        string kept;
        await using (var stream = await _cluster.Of(origin).WatchAsync(target))
        {
            await using var reader = stream.Reader();
            for (var at = 0; at < 6; at++)
                expected.Add($"put {_root}{at % 2}={at}@{(await _cluster.Client.PutAsync($"{_root}{at % 2}", $"{at}")).Revision}");
            Assert.Equal(expected.Take(3), (await reader.NextAsync(3)).Select(each => each.Short()));
            kept = stream.GetCursor().ToString();
        }

        Assert.Equal(51, kept.Length);
        await using var again = await _cluster.Of(Origin.Remote).WatchAsync(target, new WatchOptions { From = WatchCursor.Parse(kept) });
        await using var rest = again.Reader();
        Assert.Equal(expected.Skip(3), (await rest.NextAsync(3)).Select(each => each.Short()));
    }

    [Theory, BothOrigins]
    public async Task A_cursor_of_another_watch_or_cluster_is_refused_and_leaves_nothing_behind(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        WatchCursor cursor;
        await using (var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root)))
            cursor = stream.GetCursor();
        await _cluster.WatchersComeToAsync(before);

        await RefusedAsync(WatchErrorCode.InvalidCursor, WatchTarget.Prefix(_root + "x/"), new WatchOptions { From = cursor });
        await RefusedAsync(WatchErrorCode.InvalidCursor, WatchTarget.Prefix(_root), new WatchOptions { From = cursor, Filter = EventFilter.NoDeletes });
        await RefusedAsync(WatchErrorCode.InvalidCursor, WatchTarget.Prefix(_root), new WatchOptions { From = cursor with { Bucket = new BucketId(7) } });
        await RefusedAsync(WatchErrorCode.IncarnationChanged, WatchTarget.Prefix(_root), new WatchOptions { From = cursor with { Incarnation = new string('a', 32) } });
        await RefusedAsync(WatchErrorCode.InvalidOption, WatchTarget.Prefix(_root), new WatchOptions { From = cursor, StartAt = new Revision(1) });
        await RefusedAsync(WatchErrorCode.InvalidOption, WatchTarget.Prefix(_root), new WatchOptions { From = cursor, Snapshot = true });
        await _cluster.WatchersComeToAsync(before);

        async Task RefusedAsync(WatchErrorCode code, WatchTarget target, WatchOptions options) =>
            Assert.Equal(code, (await Assert.ThrowsAsync<WatchException>(() => _cluster.Of(origin).WatchAsync(target, options))).Code);
    }

    [Fact]
    public void A_cursor_reads_back_as_it_was_and_no_other_text_is_taken_for_one()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        for (var run = 0; run < 200; run++)
        {
            var bytes = new byte[16];
            random.NextBytes(bytes);
            var cursor = new WatchCursor(Convert.ToHexStringLower(bytes), new BucketId(random.Next()), new Revision(random.NextInt64()), (ulong)random.NextInt64());
            var text = cursor.ToString();
            Assert.True(cursor == WatchCursor.Parse(text), $"seed {seed}: {text}");
            Assert.False(WatchCursor.TryParse(text[..^1], out _) || WatchCursor.TryParse(text + "A", out _) || WatchCursor.TryParse(text.Replace("w1.", "w2.", StringComparison.Ordinal), out _));
        }

        foreach (var text in new[] { null, "", "w1.", "w1." + new string('!', 48), "w1." + new string('_', 48) })
            Assert.False(WatchCursor.TryParse(text, out _));
        Assert.Equal(WatchErrorCode.InvalidCursor, Assert.Throws<WatchException>(() => WatchCursor.Parse("7")).Code);
    }

    [Theory, BothOrigins]
    public async Task Who_waits_for_a_revision_is_told_when_the_reader_has_it_though_nothing_of_the_target_changed(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root));
        await using var reader = stream.GetAsyncEnumerator();
        var next = reader.MoveNextAsync().AsTask();
        var elsewhere = await _cluster.Client.PutAsync("/elsewhere", "1");
        await stream.WaitForAsync(elsewhere.Revision).WaitAsync(WatchCluster.Patience);
        Assert.True(stream.Cursor >= elsewhere.Revision);
        Assert.False(next.IsCompleted, "a reader that asked for no markers was given one");

        var waiting = stream.WaitForAsync(new Revision(long.MaxValue));
        await stream.DisposeAsync();
        Assert.Equal(WatchErrorCode.Unavailable, (await Assert.ThrowsAsync<WatchException>(() => waiting.WaitAsync(WatchCluster.Patience))).Code);
        Assert.False(await next.WaitAsync(WatchCluster.Patience), "a watch that its owner ended delivered something");
    }
}
