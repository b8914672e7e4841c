using Watch.Core;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>However a watch ends, its place is free again, and whoever had it can learn why.</summary>
public sealed class EndTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("end");

    [Theory, BothOrigins]
    [Trait("DE", "U03"), Trait("DE", "U04"), Trait("DE", "U36"), Trait("DE", "U01"), Trait("DE", "U02")]
    public async Task Disposal_gives_each_watch_back_one_by_one(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var streams = new List<IWatchStream>();
        foreach (var target in new[] { WatchTarget.Key(_root + "k"), WatchTarget.Key(_root + "k"), WatchTarget.Prefix(_root) })
        {
            streams.Add(await _cluster.Of(origin).WatchAsync(target));
            Assert.Equal(before + streams.Count, await _cluster.CountWatchersAsync());
        }

        for (var left = streams.Count - 1; left >= 0; left--)
        {
            await streams[left].DisposeAsync();
            await streams[left].DisposeAsync();
            await _cluster.WatchersComeToAsync(before + left);
            Assert.Equal(WatchEndReason.Disposed, await streams[left].Completion);
        }
    }

    [Theory, BothOrigins]
    public async Task Leaving_the_loop_gives_the_watch_back(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        await _cluster.Client.PutAsync(_root + "k", "1");
        await _cluster.Client.PutAsync(_root + "k", "2");

        await foreach (var each in stream)
        {
            Assert.Equal("1", each.Value.Text());
            break;
        }

        await _cluster.WatchersComeToAsync(before);
        Assert.Equal(WatchEndReason.Disposed, await stream.Completion);
    }

    [Theory, BothOrigins]
    public async Task An_exception_in_the_loop_reaches_the_caller_and_gives_the_watch_back(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        await _cluster.Client.PutAsync(_root + "k", "1");

        await Assert.ThrowsAsync<FormatException>(async () =>
        {
            await foreach (var each in stream)
                throw new FormatException(each.Short());
        });

        await _cluster.WatchersComeToAsync(before);
    }

    [Theory, BothOrigins]
    public async Task Canceling_the_readers_token_ends_the_waiting_read_and_gives_the_watch_back(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        using var source = new CancellationTokenSource();
        var reading = ReadAsync(stream, source.Token);
        await _cluster.Client.PutAsync(_root + "k", "1");
        await reading.First.Task.WaitAsync(WatchCluster.Patience);

        source.Cancel();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.All.WaitAsync(WatchCluster.Patience));
        await _cluster.WatchersComeToAsync(before);
        Assert.Equal(WatchEndReason.Disposed, await stream.Completion.WaitAsync(WatchCluster.Patience));
    }

    [Theory, BothOrigins]
    public async Task Disposing_of_a_watch_under_a_waiting_read_ends_the_read_without_an_event(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        var reader = stream.Reader();
        await _cluster.Client.PutAsync(_root + "k", "1");
        await reader.NextAsync();
        var waiting = reader.EndsAsync();

        await stream.DisposeAsync().AsTask().WaitAsync(WatchCluster.Patience);

        Assert.True(await waiting);
        await reader.DisposeAsync();
        await _cluster.WatchersComeToAsync(before);
    }

    [Theory, BothOrigins]
    [Trait("DE", "U06")]
    public async Task A_detached_reader_keeps_the_watch_until_its_own_loop_is_left(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var sequence = (await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"))).DetachReader();
        GC.Collect();
        await _cluster.Client.PutAsync(_root + "k", "1");
        Assert.Equal(before + 1, await _cluster.CountWatchersAsync());

        await foreach (var each in sequence)
        {
            Assert.Equal("1", each.Value.Text());
            Assert.Equal(before + 1, await _cluster.CountWatchersAsync());
            break;
        }

        await _cluster.WatchersComeToAsync(before);
    }

    [Theory, BothOrigins]
    public async Task A_detached_reader_that_is_disposed_of_unread_gives_the_watch_back(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var sequence = (await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"))).DetachReader();

        await sequence.GetAsyncEnumerator().DisposeAsync();

        await _cluster.WatchersComeToAsync(before);
    }

    [Theory, BothOrigins]
    public async Task A_second_reader_is_refused_and_the_first_goes_on(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        await using var reader = stream.Reader();
        await _cluster.Client.PutAsync(_root + "k", "1");
        await reader.NextAsync();

        await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            await foreach (var each in stream)
                Assert.Fail($"the second reader got {each.Short()}");
        });

        await _cluster.Client.PutAsync(_root + "k", "2");
        Assert.Equal("2", (await reader.NextAsync()).Value.Text());
    }

    [Theory, BothOrigins]
    public async Task Disposing_of_a_pushed_watch_gives_it_back_and_no_call_follows_the_one_under_way(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var observer = new RecordingObserver();
        var subscription = await _cluster.Of(origin).SubscribeAsync(WatchTarget.Key(_root + "k"), observer);
        await _cluster.Client.PutAsync(_root + "k", "1");
        await observer.WaitForAsync(1);

        await subscription.DisposeAsync();

        await _cluster.WatchersComeToAsync(before);
        Assert.Equal(WatchEndReason.Disposed, await subscription.Completion.WaitAsync(WatchCluster.Patience));
        await using var marker = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        await using var reader = marker.Reader();
        await _cluster.Client.PutAsync(_root + "k", "2");
        await reader.NextAsync();
        Assert.Equal(["1"], (await observer.WaitForAsync(1)).Select(each => each.Value.Text()));
    }

    [Theory, BothOrigins]
    public async Task An_observer_may_dispose_of_its_own_watch_inside_its_call(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var observer = new DisposingObserver();
        var subscription = await _cluster.Of(origin).SubscribeAsync(WatchTarget.Key(_root + "k"), observer);
        observer.Subscription.SetResult(subscription);

        await _cluster.Client.PutAsync(_root + "k", "1");

        Assert.Equal(WatchEndReason.Disposed, await subscription.Completion.WaitAsync(WatchCluster.Patience));
        await _cluster.WatchersComeToAsync(before);
    }

    [Theory, BothOrigins]
    public async Task An_observer_that_throws_ends_its_own_watch_with_that_reason_and_disturbs_no_other(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var good = new RecordingObserver();
        await using var other = await _cluster.Of(origin).SubscribeAsync(WatchTarget.Key(_root + "k"), good);
        await using var broken = await _cluster.Of(origin).SubscribeAsync(WatchTarget.Key(_root + "k"), new RecordingObserver { Fails = true });

        await _cluster.Client.PutAsync(_root + "k", "1");
        Assert.Equal(WatchEndReason.CallbackFailed, await broken.Completion.WaitAsync(WatchCluster.Patience));
        await _cluster.Client.PutAsync(_root + "k", "2");

        Assert.Equal(["1", "2"], (await good.WaitForAsync(2)).Select(each => each.Value.Text()));
        await _cluster.WatchersComeToAsync(before + 1);
    }

    [Theory, BothOrigins]
    public async Task An_observer_that_never_returns_ends_its_own_watch_and_delays_neither_writers_nor_others(Origin origin)
    {
        var before = await _cluster.CountWatchersAsync();
        var good = new RecordingObserver();
        await using var other = await _cluster.Of(origin).SubscribeAsync(WatchTarget.Key(_root + "k"), good);
        var stuck = new StuckObserver();
        await using var subscription = await _cluster.Of(origin).SubscribeAsync(WatchTarget.Key(_root + "k"), stuck);

        for (var at = 0; at < 20; at++)
            await _cluster.Client.PutAsync(_root + "k", $"{at}");

        Assert.Equal(Enumerable.Range(0, 20).Select(at => $"{at}"), (await good.WaitForAsync(20)).Select(each => each.Value.Text()));
        Assert.Equal(WatchEndReason.CallbackTimedOut, await subscription.Completion.WaitAsync(WatchCluster.Patience));
        await _cluster.WatchersComeToAsync(before + 1);
        Assert.Equal(1, stuck.Calls);
    }

    private static (Task All, TaskCompletionSource First) ReadAsync(IWatchStream stream, CancellationToken token)
    {
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return (LoopAsync(), first);

        async Task LoopAsync()
        {
            await foreach (var each in stream.WithCancellation(token))
                first.TrySetResult();
        }
    }

    private sealed class DisposingObserver : IWatchObserver
    {
        public TaskCompletionSource<IWatchSubscription> Subscription { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async Task OnBatch(WatchBatch batch) => await (await Subscription.Task).DisposeAsync();
    }

    private sealed class StuckObserver : IWatchObserver
    {
        private int _calls;

        public int Calls => Volatile.Read(ref _calls);

        public Task OnBatch(WatchBatch batch)
        {
            Interlocked.Increment(ref _calls);
            return new TaskCompletionSource().Task;
        }
    }
}
