using Orleans.Runtime;
using Orleans.Streams;
using Watch.Grains.Engine.PushStreams;
using Watch.Grains.Publishing;

namespace Watch.Cluster.Tests.OrleansOnly;

/// <summary>The parts of streams that push, each for itself.</summary>
public sealed class PushQueueTests
{
    private static readonly StreamId s_stream = StreamId.Create("tests/", "a");
    private static readonly StreamId s_other = StreamId.Create("tests/", "b");
    private readonly JumpingTime _time = new();

    [Fact]
    public async Task A_receiver_that_waits_returns_when_there_is_work()
    {
        using var queue = new PushQueue(_time);
        var receiver = new PushReceiver(queue);
        for (var round = 0; round < 3; round++)
        {
            var answer = receiver.GetQueueMessagesAsync(10, CancellationToken.None);
            Assert.False(answer.IsCompleted);
            Assert.True(queue.TryAdd(Batch(s_stream, 1)));
            Assert.Single(await answer.WaitAsync(WatchCluster.Patience));
        }
    }

    [Fact]
    public async Task A_receiver_that_waits_returns_with_nothing_when_it_is_told_to_stop()
    {
        using var queue = new PushQueue(_time);
        var receiver = new PushReceiver(queue);
        using var stop = new CancellationTokenSource();
        var answer = receiver.GetQueueMessagesAsync(10, stop.Token);
        Assert.False(answer.IsCompleted);

        await stop.CancelAsync();

        Assert.Empty(await answer.WaitAsync(WatchCluster.Patience));
        Assert.Empty(await receiver.GetQueueMessagesAsync(10, stop.Token).WaitAsync(WatchCluster.Patience));
        var next = receiver.GetQueueMessagesAsync(10, CancellationToken.None);
        await receiver.Shutdown(TimeSpan.Zero);
        Assert.Empty(await next.WaitAsync(WatchCluster.Patience));
    }

    [Fact]
    public async Task A_receiver_waits_no_longer_than_its_patience()
    {
        using var queue = new PushQueue(_time);
        var answer = new PushReceiver(queue).GetQueueMessagesAsync(10, CancellationToken.None);
        _time.Jump(PushQueue.PatienceMax - TimeSpan.FromSeconds(5));
        Assert.False(answer.IsCompleted);

        _time.Jump(TimeSpan.FromSeconds(5));

        Assert.Empty(await answer.WaitAsync(WatchCluster.Patience));
    }

    [Fact]
    public void A_queue_refuses_what_goes_beyond_its_number_and_takes_again_when_there_is_room()
    {
        using var queue = new PushQueue(_time);
        for (var at = 0; at < PushQueue.BatchesMax; at++)
            Assert.True(queue.TryAdd(Batch(s_stream, at)));
        Assert.False(queue.TryAdd(Batch(s_stream, 0)));

        Assert.Equal([0, 1, 2], queue.Take(3).Select(each => each.Sequence));
        Assert.True(queue.TryAdd(Batch(s_stream, 0)));
    }

    [Fact]
    public void A_queue_refuses_what_goes_beyond_its_bytes_but_takes_anything_when_it_is_empty()
    {
        using var queue = new PushQueue(_time);
        Assert.True(queue.TryAdd(Batch(s_stream, 1, (int)PushQueue.BytesMax + 1)));
        Assert.False(queue.TryAdd(Batch(s_stream, 2)));
        Assert.Single(queue.Take(10));
        Assert.True(queue.TryAdd(Batch(s_stream, 3)));
    }

    [Fact]
    public void A_slow_stream_drops_its_oldest_and_no_other_streams()
    {
        var cache = new PushCache();
        using var slow = cache.GetCacheCursor(s_stream, null);
        using var other = cache.GetCacheCursor(s_other, null);
        cache.AddToCache([Batch(s_other, 0)]);
        for (var at = 1; at <= PushCache.BatchesMax + 5; at++)
            cache.AddToCache([Batch(s_stream, at)]);

        Assert.Equal(5, cache.Dropped);
        Assert.Equal([0], Sequences(other));
        Assert.Equal(Enumerable.Range(6, PushCache.BatchesMax).Select(at => (long)at), Sequences(slow));
        Assert.Equal(0, cache.Bytes);
    }

    [Fact]
    public void A_cache_bounds_the_bytes_of_a_stream_and_of_all()
    {
        var cache = new PushCache();
        using var cursor = cache.GetCacheCursor(s_stream, null);
        var half = (int)(PushCache.StreamBytesMax / 2);
        cache.AddToCache([Batch(s_stream, 1, half), Batch(s_stream, 2, half), Batch(s_stream, 3, half)]);
        Assert.Equal([3], Sequences(cursor));

        for (var at = 0; at < 100; at++)
        {
            var stream = StreamId.Create("tests/", $"{at}");
            cache.GetCacheCursor(stream, null);
            cache.AddToCache([Batch(stream, at, half)]);
            Assert.True(cache.Bytes <= PushCache.BytesMax);
        }

        Assert.True(cache.Dropped > 2);
        Assert.False(cache.IsUnderPressure());
    }

    /// <summary>The agent comes for a stream that it did not know when the whole of a read is in the cache.</summary>
    [Fact]
    public void What_one_read_brings_of_a_new_stream_is_all_there_when_its_consumer_comes()
    {
        var cache = new PushCache();
        cache.AddToCache([Batch(s_stream, 1)]);
        cache.AddToCache([Batch(s_stream, 2), Batch(s_other, 3), Batch(s_stream, 4)]);

        using var cursor = cache.GetCacheCursor(s_stream, null);

        // For the first one nobody came.
        Assert.Equal([2, 4], Sequences(cursor));
        Assert.Equal(1, cache.Dropped);
    }

    [Fact]
    public void What_a_forgotten_stream_left_behind_goes_with_it()
    {
        var cache = new PushCache();
        cache.AddToCache([Batch(s_stream, 1)]);
        var mark = cache.GetCacheCursor(s_stream, null);
        var cursor = cache.GetCacheCursor(s_stream, null);
        mark.Dispose();
        mark.Dispose();
        cache.AddToCache([Batch(s_stream, 2)]);
        Assert.Equal(1, cache.Streams);

        cursor.Dispose();

        Assert.Equal((0, 0L), (cache.Streams, cache.Bytes));
        Assert.Equal(2, cache.Dropped);
        Assert.False(cursor.MoveNext());
    }

    [Fact]
    public void Streams_spread_over_all_queues_and_each_has_always_the_same()
    {
        var (one, two) = (new PushQueueMapper("watch", 4), new PushQueueMapper("watch", 4));
        var streams = Enumerable.Range(0, 1000).Select(at => StreamId.Create("watch/key/", $"1:/services/{at}")).ToList();

        Assert.Equal(streams.Select(one.GetQueueForStream), streams.Select(two.GetQueueForStream));
        Assert.All(streams.GroupBy(one.GetQueueForStream), queue => Assert.InRange(queue.Count(), 150, 350));
        Assert.Equal(4, one.GetAllQueues().Count());
    }

    private static List<long> Sequences(IQueueCacheCursor cursor)
    {
        var found = new List<long>();
        while (cursor.MoveNext())
            found.Add(((PushBatch)cursor.GetCurrent(out _)!).Sequence);
        return found;
    }

    private static PushBatch Batch(StreamId stream, long sequence, int bytes = 100) =>
        new(stream, [new Sized(bytes)], sequence);

    private sealed record Sized(int Bytes) : ISizedEvent
    {
        public int CountBytes() => Bytes;
    }
}
