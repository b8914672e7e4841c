using Watch.Core;
using Xunit.Abstractions;

namespace Watch.Cluster.Tests;

/// <summary>
/// Many watchers, many events: every watcher gets every one of them, in order, and one that reads nothing keeps what its queue holds. The
/// statements are nutsdb's of its own hub; where it speaks of buckets, these are prefixes.
/// </summary>
public sealed class HubTests(SharedCluster shared, ITestOutputHelper output) : IClassFixture<SharedCluster>
{
    private const int Default = 1024;

    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("hub");

    private IWatchClient Writer => _cluster.HostedIn(2);

    [Theory, BothOrigins]
    [Trait("NU", "M01"), Trait("NU", "M20"), Trait("NU", "M21"), Trait("NU", "D01"), Trait("NU", "D10"), Trait("NU", "D11"), Trait("DE", "E20")]
    public async Task A_put_and_a_delete_arrive_with_key_and_value_and_a_refused_write_not_at_all(Origin origin)
    {
        // There are no messages of high priority here: what must not be lost (why a watch ended) has a place of its own in every queue.
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        await using var reader = stream.Reader();

        var put = await Writer.PutAsync(_root + "k", "1");
        var refused = await Writer.PutAsync(_root + "k", "2", WriteCondition.Absent);
        var deleted = await Writer.DeleteAsync(_root + "k");

        Assert.False(refused.Succeeded);
        Assert.Equal([$"put {_root}k=1@{put.Revision}", $"delete {_root}k@{deleted.Revision}"], (await reader.NextAsync(2)).Select(each => each.Short()));
        // All of it went through files that are there still, and the watch goes on.
        Assert.NotEmpty(Directory.EnumerateFiles(_cluster.Folder, "*", SearchOption.AllDirectories));
        Assert.False(stream.Completion.IsCompleted);
    }

    [Theory, BothOrigins]
    [Trait("NU", "M03"), Trait("NU", "M06"), Trait("NU", "M09")]
    public async Task Ten_watchers_of_a_key_each_get_a_thousand_events_and_leave_nothing_behind(Origin origin)
    {
        const int Watchers = 10, Events = 1000;
        var before = await _cluster.CountWatchersAsync();
        var streams = await Task.WhenAll(Enumerable.Range(0, Watchers).Select(_ => _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"))));
        Assert.Equal(before + Watchers, await _cluster.CountWatchersAsync());
        var reading = streams.Select(each => ReadAsync(each, Events)).ToList();

        var written = await WriteAsync(_root + "k", Events);

        foreach (var each in reading)
            Assert.Equal(written, await each.WaitAsync(WatchCluster.Patience));
        foreach (var each in streams)
            await each.DisposeAsync();
        await _cluster.WatchersComeToAsync(before);
    }

    [Theory, BothOrigins]
    [Trait("NU", "M04"), Trait("NU", "M11")]
    public async Task A_hundred_watchers_of_a_hundred_prefixes_each_get_their_own_events_and_no_others(Origin origin)
    {
        const int Watchers = 100, Events = 10;
        var streams = await Task.WhenAll(Enumerable.Range(0, Watchers).Select(at => _cluster.Of(origin).WatchAsync(WatchTarget.Prefix($"{_root}{at}/"))));
        var reading = streams.Select(each => ReadAsync(each, Events)).ToList();

        var written = await Task.WhenAll(Enumerable.Range(0, Watchers).Select(at => WriteAsync($"{_root}{at}/k", Events)));

        for (var at = 0; at < Watchers; at++)
            Assert.Equal(written[at], await reading[at].WaitAsync(WatchCluster.Patience));
        foreach (var each in streams)
            await each.DisposeAsync();
    }

    [Theory, BothOrigins]
    [Trait("NU", "M07")]
    public async Task Ten_keys_written_at_once_a_hundred_times_each_reach_their_watchers_whole(Origin origin)
    {
        const int Keys = 10, Events = 100;
        var before = await _cluster.CountWatchersAsync();
        var streams = await Task.WhenAll(Enumerable.Range(0, Keys).Select(at => _cluster.Of(origin).WatchAsync(WatchTarget.Key($"{_root}{at}"))));
        var reading = streams.Select(each => ReadAsync(each, Events)).ToList();

        var written = await Task.WhenAll(Enumerable.Range(0, Keys).Select(at => WriteAsync($"{_root}{at}", Events)));

        for (var at = 0; at < Keys; at++)
            Assert.Equal(written[at], await reading[at].WaitAsync(WatchCluster.Patience));
        foreach (var each in streams)
            await each.DisposeAsync();
        await _cluster.WatchersComeToAsync(before);
    }

    [Theory, BothOrigins]
    [Trait("NU", "M08")]
    public async Task One_that_leaves_in_the_middle_takes_nothing_from_the_other(Origin origin)
    {
        const int Events = 1000;
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var leaves = new Random(seed).Next(1, Events);
        await using var leaving = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "a"));
        await using var staying = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "b"));
        var reading = ReadAsync(staying, Events);
        var left = LeaveAsync();

        var written = await Task.WhenAll(WriteAsync(_root + "a", Events), WriteAsync(_root + "b", Events));
        var had = await left.WaitAsync(WatchCluster.Patience);

        // What the first one had is the beginning of its key's history, without a hole.
        Assert.Equal(written[0].Take(leaves), had);
        Assert.Equal(written[1], await reading.WaitAsync(WatchCluster.Patience));

        async Task<List<string>> LeaveAsync()
        {
            var some = await ReadAsync(leaving, leaves);
            await leaving.DisposeAsync();
            return some;
        }
    }

    [Theory, BothOrigins]
    [Trait("NU", "M02"), Trait("NU", "M10"), Trait("NU", "M12")]
    public async Task One_that_reads_nothing_has_exactly_its_queue_then_the_notice_and_can_go_on_from_there(Origin origin)
    {
        // Better: there the rest is dropped without a word, and after a hundred drops the subscriber is removed as if it had ended by itself.
        const int Events = 2048;
        var before = await _cluster.CountWatchersAsync();
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"), new WatchOptions { WhenSlow = SlowPolicy.Cancel });

        // Writers notice nothing: each put is acknowledged.
        var written = await WriteAsync(_root + "k", Events);
        await _cluster.WatchersComeToAsync(before);

        await using var reader = stream.Reader();
        var had = await reader.NextAsync(Default);
        var notice = await reader.NextAsync("the notice");
        Assert.Equal(written.Take(Default), had.Select(each => each.Short()));
        Assert.Equal((WatchEventType.Canceled, WatchEndReason.Slow, had[^1].Revision), (notice.Type, notice.Reason, notice.Revision));

        await using var rest = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"), new WatchOptions { StartAt = notice.Revision.Next });
        Assert.Equal(written.Skip(Default), await ReadAsync(rest, Events - Default).WaitAsync(WatchCluster.Patience));
    }

    /// <summary>Writes one after the other; gives what a watch has to show of it.</summary>
    private async Task<List<string>> WriteAsync(string key, int count)
    {
        var written = new List<string>(count);
        for (var at = 0; at < count; at++)
            written.Add($"put {key}={at}@{(await Writer.PutAsync(key, $"{at}")).Revision}");
        return written;
    }

    private static async Task<List<string>> ReadAsync(IWatchStream stream, int count)
    {
        var reader = stream.Reader();
        return [.. (await reader.NextAsync(count)).Select(each => each.Short())];
    }
}
