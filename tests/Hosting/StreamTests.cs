// Memory streams with implicit subscriptions: order, batches, the key that joins stream and grain.
using System.Collections.Concurrent;
using Orleans.Streams;
using Orleans.Streams.Core;

namespace Watch.Hosting.Tests;

[Collection("shared cluster")]
public sealed class StreamTests(SharedCluster shared)
{
    [Fact]
    public async Task Events_reach_the_grain_that_has_the_streams_key_in_order()
    {
        var grain = shared.Cluster.Client.GetGrain<IListenerGrain>("stream-1");
        await grain.Publish(20);
        await Listened.Wait("stream-1", 20);
        Assert.Equal(Enumerable.Range(0, 20), Listened.Numbers("stream-1"));
        Assert.Equal(0, Listened.Count("stream-other"));
    }

    [Fact]
    public async Task A_batch_reaches_a_batch_observer_as_a_batch()
    {
        var grain = shared.Cluster.Client.GetGrain<IListenerGrain>("stream-2");
        await grain.PublishBatch(10);
        await Listened.Wait("batch:stream-2", 10);
        Assert.Equal(Enumerable.Range(0, 10), Listened.Numbers("batch:stream-2"));
        Assert.Equal([10], Listened.BatchSizes("batch:stream-2"));
    }

    [Fact]
    public async Task Tokens_grow_along_the_stream()
    {
        var grain = shared.Cluster.Client.GetGrain<IListenerGrain>("stream-3");
        await grain.Publish(10);
        await Listened.Wait("stream-3", 10);
        var tokens = Listened.Tokens("stream-3");
        for (var i = 1; i < tokens.Length; i++)
            Assert.True(tokens[i].CompareTo(tokens[i - 1]) > 0);
    }

    [Fact]
    public void Stream_ids_are_equal_when_namespace_and_key_together_are()
    {
        Assert.Equal(StreamId.Create("ab", "c"), StreamId.Create("a", "bc"));
        Assert.NotEqual(StreamId.Create("a/", "b"), StreamId.Create("a/", "c"));
        Assert.Equal("c", StreamId.Create("ab", "c").GetKeyAsString());
        Assert.Equal("ab", StreamId.Create("ab", "c").GetNamespace());
    }
}

public static class Listened
{
    private static readonly ConcurrentDictionary<string, ConcurrentQueue<(int Number, StreamSequenceToken? Token, int Batch)>> All = new();

    public static void Add(string key, int number, StreamSequenceToken? token, int batch)
    {
        var queue = All.GetOrAdd(key, _ => new());
        queue.Enqueue((number, token, batch));
        Signals.Set($"{key} heard {queue.Count}");
    }

    public static Task Wait(string key, int count) => Signals.Wait($"{key} heard {count}");

    public static int Count(string key) => Numbers(key).Length;

    public static int[] Numbers(string key) => [.. Of(key).Select(e => e.Number)];

    public static StreamSequenceToken[] Tokens(string key) => [.. Of(key).Select(e => e.Token!)];

    public static int[] BatchSizes(string key) => [.. Of(key).GroupBy(e => e.Batch).Select(g => g.Count())];

    private static IEnumerable<(int Number, StreamSequenceToken? Token, int Batch)> Of(string key) =>
        All.TryGetValue(key, out var queue) ? queue : [];
}

[Alias("tests.IListenerGrain")]
public interface IListenerGrain : IGrainWithStringKey
{
    Task Publish(int count);

    Task PublishBatch(int count);
}

[ImplicitStreamSubscription("numbers/")]
[ImplicitStreamSubscription("batches/")]
public class ListenerGrain : Grain, IListenerGrain, IStreamSubscriptionObserver, IAsyncBatchObserver<int>
{
    private int _batches;

    public async Task Publish(int count)
    {
        var stream = this.GetStreamProvider("memory").GetStream<int>(StreamId.Create("numbers/", this.GetPrimaryKeyString()));
        for (var i = 0; i < count; i++)
            await stream.OnNextAsync(i);
    }

    public Task PublishBatch(int count) => this.GetStreamProvider("memory")
        .GetStream<int>(StreamId.Create("batches/", this.GetPrimaryKeyString())).OnNextBatchAsync(Enumerable.Range(0, count));

    public async Task OnSubscribed(IStreamSubscriptionHandleFactory handleFactory)
    {
        var handle = handleFactory.Create<int>();
        if (handleFactory.StreamId.GetNamespace() == "batches/")
            await handle.ResumeAsync((IAsyncBatchObserver<int>)this);
        else
            await handle.ResumeAsync((number, token) =>
            {
                Listened.Add(this.GetPrimaryKeyString(), number, token, 0);
                return Task.CompletedTask;
            });
    }

    public Task OnNextAsync(IList<SequentialItem<int>> items)
    {
        _batches++;
        foreach (var item in items)
            Listened.Add("batch:" + this.GetPrimaryKeyString(), item.Item, item.Token, _batches);
        return Task.CompletedTask;
    }

    public Task OnCompletedAsync() => Task.CompletedTask;

    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;
}
