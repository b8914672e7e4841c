using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>Queues that overflow: what waits is delivered, then one last event says that the watch ended and where to go on.</summary>
public sealed class QueueTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("queue");

    [Theory]
    [InlineData(Origin.Hosted, 1, 2)]
    [InlineData(Origin.Hosted, 2, 3)]
    [InlineData(Origin.Hosted, 2, 7)]
    [InlineData(Origin.Remote, 1, 2)]
    [InlineData(Origin.Remote, 2, 7)]
    [Trait("DE", "U15"), Trait("DE", "U16"), Trait("DE", "U17"), Trait("DE", "U18"), Trait("DE", "U19"), Trait("DE", "U20")]
    public async Task A_watch_that_nobody_reads_holds_as_many_events_as_its_queue_then_canceled_and_is_unregistered(Origin origin, int queue, int writes)
    {
        var before = await _cluster.CountWatchersAsync();
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"), new WatchOptions { WhenSlow = SlowPolicy.Cancel, QueueEventsMax = queue });
        Assert.Equal(before + 1, await _cluster.CountWatchersAsync());
        var acknowledged = new List<WriteResult>();
        for (var at = 1; at <= writes; at++)
            acknowledged.Add(await _cluster.HostedIn(2).PutAsync(_root + "k", $"{at}"));

        await _cluster.WatchersComeToAsync(before);
        await using var reader = stream.Reader();
        var events = await reader.NextAsync(queue + 1);

        Assert.True(await reader.EndsAsync());
        Assert.Equal(Enumerable.Range(1, queue).Select(at => $"{at}"), events.SkipLast(1).Select(each => each.Value.Text()));
        var last = events[^1];
        Assert.Equal((WatchEventType.Canceled, WatchEndReason.Slow, _root + "k", 0), (last.Type, last.Reason, last.Key.ToString(), last.Value.Length));
        Assert.Equal(acknowledged[queue - 1].Revision, last.Revision);
        Assert.Equal(WatchEndReason.Slow, await stream.Completion);
    }

    [Theory, BothOrigins]
    [Trait("DE", "U24")]
    public async Task A_prefix_watch_with_room_for_one_reads_one_child_then_canceled_with_the_child_that_did_not_fit(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root), new WatchOptions { WhenSlow = SlowPolicy.Cancel, QueueEventsMax = 1 });
        await _cluster.Client.PutAsync(_root + "first", "1");
        await _cluster.Client.PutAsync(_root + "second", "2");

        await _cluster.WatchersComeToAsync(before);
        await using var reader = stream.Reader();

        Assert.Equal(["Put " + _root + "first", "Canceled " + _root + "second"], (await reader.NextAsync(2)).Select(each => $"{each.Type} {each.Key}"));
    }

    [Fact]
    [Trait("DE", "U22")]
    public async Task A_slow_watcher_ends_alone_while_the_fast_one_of_the_same_key_goes_on()
    {
        var before = await _cluster.CountWatchersAsync();
        var options = new WatchOptions { WhenSlow = SlowPolicy.Cancel, QueueEventsMax = 2 };
        await using var slow = await _cluster.HostedIn(1).WatchAsync(WatchTarget.Key(_root + "k"), options);
        await using var fast = await _cluster.HostedIn(1).WatchAsync(WatchTarget.Key(_root + "k"), options);
        await using var reader = fast.Reader();
        for (var at = 0; at < 5; at++)
        {
            await _cluster.Client.PutAsync(_root + "k", $"{at}");
            Assert.Equal($"{at}", (await reader.NextAsync()).Value.Text());
        }

        Assert.Equal(before + 1, await _cluster.CountWatchersAsync());
        await using var slowReader = slow.Reader();
        Assert.Equal(WatchEndReason.Slow, (await slowReader.NextAsync(3))[2].Reason);
        Assert.False(fast.Completion.IsCompleted);
    }

    [Theory, BothOrigins]
    [Trait("DE", "U23")]
    public async Task A_reader_that_always_drains_is_never_canceled_however_small_its_queue(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"), new WatchOptions { WhenSlow = SlowPolicy.Cancel, QueueEventsMax = 2 });
        await using var reader = stream.Reader();
        for (var at = 0; at < 40; at++)
        {
            await _cluster.Client.PutAsync(_root + "k", $"{at}");
            Assert.Equal($"{at}", (await reader.NextAsync()).Value.Text());
        }

        Assert.False(stream.Completion.IsCompleted);
    }

    [Theory, BothOrigins]
    public async Task A_small_queue_replays_a_long_history_at_the_readers_pace_without_being_called_slow(Origin origin)
    {
        var first = await _cluster.Client.PutAsync(_root + "k", "0");
        for (var at = 1; at < 60; at++)
            await _cluster.Client.PutAsync(_root + "k", $"{at}");

        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"), new WatchOptions { WhenSlow = SlowPolicy.Cancel, QueueEventsMax = 1, StartAt = first.Revision });
        await using var reader = stream.Reader();

        Assert.Equal(Enumerable.Range(0, 60).Select(at => $"{at}"), (await reader.NextAsync(60)).Select(each => each.Value.Text()));
    }

    [Fact]
    public async Task A_canceled_watchers_cursor_continues_without_a_gap_again_and_again()
    {
        const int Writes = 30;
        await using var stream = await _cluster.HostedIn(1).WatchAsync(WatchTarget.Prefix(_root));
        var cursor = stream.Start;
        for (var at = 0; at < Writes; at++)
            await _cluster.HostedIn(2).PutAsync($"{_root}{at % 3}", $"{at}");

        var seen = new List<string>();
        while (seen.Count < Writes)
        {
            await using var part = await _cluster.HostedIn(1).WatchAsync(WatchTarget.Prefix(_root), new WatchOptions { WhenSlow = SlowPolicy.Cancel, QueueEventsMax = 2, StartAt = cursor.Next });
            await using var reader = part.Reader();
            foreach (var each in await reader.NextAsync(Math.Min(2, Writes - seen.Count)))
            {
                seen.Add(each.Value.Text());
                cursor = each.Revision;
            }
        }

        Assert.Equal(Enumerable.Range(0, Writes).Select(at => $"{at}"), seen);
    }
}
