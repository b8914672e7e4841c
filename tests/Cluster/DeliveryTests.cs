using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>What d-engine's watch tests ask of delivery, over the client, hosted and remote. Nothing is shown to be silent by waiting: a later event comes first.</summary>
public sealed class DeliveryTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("delivery");

    /// <summary>Writes go through a silo that is not the watcher's.</summary>
    private IWatchClient Writer => _cluster.HostedIn(2);

    [Theory, BothOrigins]
    [Trait("DE", "E01"), Trait("DE", "E03"), Trait("DE", "E15"), Trait("DE", "G01")]
    public async Task A_ready_cluster_with_default_settings_gives_a_watch_that_names_its_start(Origin origin)
    {
        var put = await Writer.PutAsync(_root + "k", "1");

        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));

        Assert.True(stream.Start >= put.Revision, $"the start {stream.Start} lies before the acknowledged write {put.Revision}");
        Assert.Equal(stream.Start, stream.Cursor);
        Assert.False(stream.Completion.IsCompleted);
    }

    [Theory, BothOrigins]
    [Trait("DE", "E02"), Trait("DE", "E16"), Trait("DE", "E19"), Trait("DE", "U08"), Trait("DE", "U14"), Trait("DE", "G02"), Trait("DE", "A01")]
    public async Task A_put_arrives_with_its_key_value_and_acknowledged_revision(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        await using var reader = stream.Reader();

        var put = await Writer.PutAsync(_root + "k", "v");

        var each = await reader.NextAsync();
        Assert.Equal($"put {_root}k=v@{put.Revision}", each.Short());
        Assert.Equal((put.Revision, 1L), (each.CreateRevision, each.Version));
    }

    [Theory, BothOrigins]
    [Trait("DE", "E05"), Trait("DE", "E17"), Trait("DE", "U11"), Trait("DE", "A02")]
    public async Task A_delete_of_an_existing_key_arrives_with_an_empty_value(Origin origin)
    {
        await Writer.PutAsync(_root + "k", "v");
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        await using var reader = stream.Reader();

        var deleted = await Writer.DeleteAsync(_root + "k");

        var each = await reader.NextAsync();
        Assert.Equal((WatchEventType.Delete, 0, deleted.Revision), (each.Type, each.Value.Length, each.Revision));
    }

    [Theory, BothOrigins]
    [Trait("DE", "E06"), Trait("DE", "E13"), Trait("DE", "G04")]
    public async Task After_a_watch_was_dropped_a_fresh_one_sees_what_is_written_from_then_on_and_nothing_older(Origin origin)
    {
        foreach (var target in new[] { WatchTarget.Key(_root + "k"), WatchTarget.Prefix(_root) })
        {
            var dropped = await _cluster.Of(origin).WatchAsync(target);
            await Writer.PutAsync(_root + "k", "before");
            await dropped.DisposeAsync();
            await Writer.PutAsync(_root + "k", "between");

            await using var fresh = await _cluster.Of(origin).WatchAsync(target);
            await using var reader = fresh.Reader();
            await Writer.PutAsync(_root + "k", "after");

            Assert.Equal("after", (await reader.NextAsync()).Value.Text());
        }
    }

    [Fact]
    [Trait("DE", "E07"), Trait("DE", "U10")]
    public async Task Three_watchers_of_a_key_on_three_silos_and_three_outside_receive_an_identical_event()
    {
        var streams = new List<IWatchStream>();
        for (var at = 0; at < 3; at++)
        {
            streams.Add(await _cluster.HostedIn(at).WatchAsync(WatchTarget.Key(_root + "k")));
            streams.Add(await _cluster.Client.WatchAsync(WatchTarget.Key(_root + "k")));
        }

        var put = await Writer.PutAsync(_root + "k", "v");

        foreach (var stream in streams)
        {
            await using var reader = stream.Reader();
            Assert.Equal($"put {_root}k=v@{put.Revision}", (await reader.NextAsync()).Short());
        }
    }

    [Theory, BothOrigins]
    [Trait("DE", "E08"), Trait("DE", "U12"), Trait("DE", "G03"), Trait("DE", "E12")]
    public async Task Put_delete_put_arrive_in_that_order_with_growing_revisions_and_the_stream_goes_on(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        await using var reader = stream.Reader();

        var first = await Writer.PutAsync(_root + "k", "1");
        var second = await Writer.DeleteAsync(_root + "k");
        var third = await Writer.PutAsync(_root + "k", "3");

        Assert.Equal([$"put {_root}k=1@{first.Revision}", $"delete {_root}k@{second.Revision}", $"put {_root}k=3@{third.Revision}"], (await reader.NextAsync(3)).Select(each => each.Short()));
        Assert.True(first.Revision.Value > 0 && first.Revision < second.Revision && second.Revision < third.Revision);
        Assert.False(stream.Completion.IsCompleted);
    }

    [Theory, BothOrigins]
    [Trait("DE", "E09"), Trait("DE", "U29"), Trait("DE", "U30")]
    public async Task A_prefix_watcher_gets_its_children_at_any_depth_by_their_full_keys_and_no_other_key(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root + "config/"));
        await using var reader = stream.Reader();

        string[] written = ["dns/xyz", "config/a", "configx/b", "config/db/host", "config/"];
        foreach (var key in written)
            await Writer.PutAsync(_root + key, "v");

        Assert.Equal([_root + "config/a", _root + "config/db/host", _root + "config/"], (await reader.NextAsync(3)).Select(each => each.Key.ToString()));
    }

    [Theory, BothOrigins]
    [Trait("DE", "E10"), Trait("DE", "U31")]
    public async Task The_key_config_is_an_exact_watchers_affair_and_not_the_prefix_watchers(Origin origin)
    {
        await using var exact = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "config"));
        await using var exactReader = exact.Reader();
        await using var prefix = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root + "config/"));
        await using var prefixReader = prefix.Reader();

        await Writer.PutAsync(_root + "config", "exact");
        await Writer.PutAsync(_root + "config/marker", "marker");
        await Writer.PutAsync(_root + "config", "marker");

        Assert.Equal(["exact", "marker"], (await exactReader.NextAsync(2)).Select(each => each.Value.Text()));
        Assert.Equal(_root + "config/marker", (await prefixReader.NextAsync()).Key.ToString());
    }

    [Theory, BothOrigins]
    [Trait("DE", "E11"), Trait("DE", "U32"), Trait("DE", "U33")]
    public async Task A_watcher_of_the_root_gets_every_key_that_begins_with_a_slash_even_the_slash_itself_and_no_other(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix("/"));
        await using var reader = stream.Reader();

        string[] written = ["/a", "no/slash", "/b/c", "config:x", "/x/y/z", "/"];
        foreach (var key in written)
            await Writer.PutAsync(key, "v");

        Assert.Equal(["/a", "/b/c", "/x/y/z", "/"], (await reader.NextAsync(4)).Select(each => each.Key.ToString()));
    }

    [Theory, BothOrigins]
    [Trait("DE", "E18"), Trait("DE", "U09"), Trait("DE", "U13")]
    public async Task A_watcher_hears_nothing_of_another_key(Origin origin)
    {
        await using var one = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "one"));
        await using var oneReader = one.Reader();
        await using var two = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "two"));
        await using var twoReader = two.Reader();

        await Writer.PutAsync(_root + "one", "1");
        await Writer.PutAsync(_root + "one/below", "no");
        await Writer.PutAsync(_root + "on", "no");
        await Writer.PutAsync(_root + "two", "2");
        await Writer.PutAsync(_root + "one", "3");

        Assert.Equal("2", (await twoReader.NextAsync()).Value.Text());
        Assert.Equal(["1", "3"], (await oneReader.NextAsync(2)).Select(each => each.Value.Text()));
    }

    [Theory, BothOrigins]
    [Trait("DE", "U34")]
    public async Task An_exact_and_two_prefix_watchers_of_one_key_get_the_event_once_each(Origin origin)
    {
        var client = _cluster.Of(origin);
        IWatchStream[] streams =
        [
            await client.WatchAsync(WatchTarget.Key(_root + "a/b")),
            await client.WatchAsync(WatchTarget.Prefix(_root + "a/")),
            await client.WatchAsync(WatchTarget.Prefix(_root)),
        ];

        await Writer.PutAsync(_root + "a/b", "event");
        await Writer.PutAsync(_root + "a/b", "marker");

        foreach (var stream in streams)
        {
            await using var reader = stream.Reader();
            Assert.Equal(["event", "marker"], (await reader.NextAsync(2)).Select(each => each.Value.Text()));
        }
    }

    [Theory, BothOrigins]
    [Trait("DE", "U41"), Trait("DE", "U42"), Trait("DE", "U43")]
    public async Task Two_watchers_of_a_key_with_different_wishes_for_the_previous_value_get_each_its_own_form(Origin origin)
    {
        await Writer.PutAsync(_root + "k", "old");
        await using var without = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        await using var withoutReader = without.Reader();
        await using var with = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"), new WatchOptions { PreviousValues = true });
        await using var withReader = with.Reader();

        await Writer.PutAsync(_root + "k", "");
        await Writer.DeleteAsync(_root + "k");
        await Writer.PutAsync(_root + "k", "new");

        Assert.Equal(
            [(PreviousState.Value, "old"), (PreviousState.Value, ""), (PreviousState.Absent, "")],
            (await withReader.NextAsync(3)).Select(each => (each.PreviousState, each.PreviousValue.Text())));
        Assert.All(await withoutReader.NextAsync(3), each => Assert.Equal((PreviousState.NotAsked, 0), (each.PreviousState, each.PreviousValue.Length)));
    }

    [Theory, BothOrigins]
    [Trait("DE", "A03"), Trait("DE", "A04"), Trait("DE", "A05"), Trait("DE", "A06"), Trait("DE", "A07")]
    public async Task Compare_and_set_emits_only_where_it_took_effect_even_among_writes_in_one_batch(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root), new WatchOptions { PreviousValues = true });
        await using var reader = stream.Reader();
        var x = Watching.Bytes("x");
        await Writer.PutAsync(_root + "1", "x");
        await Writer.PutAsync(_root + "2", "y");
        await Writer.PutAsync(_root + "3", "x");
        await reader.NextAsync(3);

        // Started together, so that they travel in one or two batches.
        var writes = await Task.WhenAll(
            Writer.PutAsync(_root + "1", "new", WriteCondition.Value(x)),
            Writer.PutAsync(_root + "2", "new", WriteCondition.Value(x)),
            Writer.PutAsync(_root + "3", "new", WriteCondition.Value(x)),
            Writer.DeleteAsync(_root + "none"),
            Writer.PutAsync(_root + "3", "never", WriteCondition.Absent));
        var marker = await Writer.PutAsync(_root + "2", "marker");

        Assert.Equal([true, false, true, true, false], writes.Select(each => each.Succeeded));
        Assert.Equal(WriteStatus.Unchanged, writes[3].Status);
        var events = await reader.NextAsync(3);
        Assert.Equal([$"{_root}1=new", $"{_root}2=marker", $"{_root}3=new"], events.Select(each => $"{each.Key}={each.Value.Text()}").Order(StringComparer.Ordinal));
        Assert.Equal(marker.Revision, events[2].Revision);
        Assert.Equal(["x", "x", "y"], events.Select(each => each.PreviousValue.Text()));
    }

    [Theory, BothOrigins]
    [Trait("DE", "E12")]
    public async Task A_rewrite_of_the_same_value_is_an_event_of_its_own(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        await using var reader = stream.Reader();

        var first = await Writer.PutAsync(_root + "k", "same");
        var second = await Writer.PutAsync(_root + "k", "same");

        Assert.Equal([first.Revision, second.Revision], (await reader.NextAsync(2)).Select(each => each.Revision));
    }

    [Fact]
    [Trait("DE", "G05")]
    public async Task Keys_of_every_shape_find_their_watchers()
    {
        // Keys become parts of grain and stream names: none of these may be confused with another.
        string[] keys = [_root + "a", _root + "a/", _root + "%61", _root + "a b", _root + "ä€😀", _root + "a+b|c#d?e&f=g", _root + "A", _root + "//", _root + "\u0001\u007f", _root + "a:0", _root + "a\\b"];
        var readers = new List<EventReader>();
        foreach (var key in keys)
            readers.Add((await _cluster.Of(readers.Count % 2 == 0 ? Origin.Remote : Origin.Hosted).WatchAsync(WatchTarget.Key(key))).Reader());

        foreach (var key in keys)
            await Writer.PutAsync(key, "v " + key);

        foreach (var (reader, key) in readers.Zip(keys))
        {
            Assert.Equal(("v " + key, Key.Of(key)), ((await reader.NextAsync(key)).Value.Text(), Key.Of(key)));
            await reader.DisposeAsync();
        }
    }
}
