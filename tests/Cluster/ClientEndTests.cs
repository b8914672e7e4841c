using Microsoft.Extensions.Options;
using Watch.Client;
using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>The end of a client outside the cluster, and whose its loops are while it lives.</summary>
public sealed class ClientEndTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("end");

    [Fact]
    public async Task A_client_that_is_disposed_of_ends_its_watches_tells_their_readers_and_leaves_none_behind()
    {
        var client = NewClient();
        await using var stream = await client.WatchAsync(WatchTarget.Prefix(_root));
        await using var reader = stream.Reader();
        var observer = new RecordingObserver();
        await using var pushed = await client.SubscribeAsync(WatchTarget.Prefix(_root), observer);
        await using var watcher = client.CreateWatcher(WatchTarget.Prefix(_root), (_, _) => default);
        var run = watcher.RunAsync();
        await watcher.WaitReadyAsync(WatchCluster.Patience);
        await using var dictionary = await client.WatchDictionaryAsync(WatchTarget.Prefix(_root));
        await using var unread = await client.WatchAsync(WatchTarget.Prefix(_root));
        Assert.Equal(5, await CountAsync());
        var next = reader.NextAsync("the last event");

        await client.DisposeAsync().AsTask().WaitAsync(WatchCluster.Patience);

        Assert.Equal(0, await CountAsync());
        // What reads by itself has ended when the client has.
        Assert.Equal(WatchEndReason.Disposed, pushed.Completion.IsCompleted ? await pushed.Completion : WatchEndReason.None);
        Assert.Equal(WatchEndReason.Disposed, Assert.Single(await observer.WaitForAsync(1)).Reason);
        Assert.Equal((WatchEventType.Canceled, WatchEndReason.Disposed), ((await next).Type, (await next).Reason));
        Assert.True(await reader.EndsAsync());
        await run.WaitAsync(WatchCluster.Patience);
        Assert.Equal(WatchEndReason.Disposed, await watcher.Completion);
        Assert.Equal(WatchEndReason.Disposed, await dictionary.Completion.WaitAsync(WatchCluster.Patience));
        await using var late = unread.Reader();
        Assert.Equal(WatchEndReason.Disposed, (await late.NextAsync()).Reason);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task A_client_that_was_disposed_of_refuses_everything_by_code()
    {
        var client = NewClient();
        await using var stream = await client.WatchAsync(WatchTarget.Key(_root + "k"));
        client.Dispose();
        await client.DisposeAsync();
        Func<Task>[] calls =
        [
            () => client.PutAsync(_root + "k", "1"),
            () => client.DeleteAsync(_root + "k"),
            () => client.GetAsync(_root + "k"),
            () => client.GetManyAsync([Key.Of(_root + "k")]),
            () => client.ScanAllAsync(Key.Of(_root)),
            () => client.StatusAsync(),
            () => client.NewWriteIdAsync(),
            () => client.WatchAsync(WatchTarget.Key(_root + "k")),
            () => client.SubscribeAsync(WatchTarget.Key(_root + "k"), new RecordingObserver()),
            () => client.WatchDictionaryAsync(WatchTarget.Prefix(_root)),
            () => client.CreateWatcher(WatchTarget.Key(_root + "k"), (_, _) => default).RunAsync(),
        ];
        foreach (var call in calls)
            Assert.Equal(WatchErrorCode.ClientDisposed, (await Assert.ThrowsAsync<WatchException>(call)).Code);
    }

    [Fact]
    public async Task A_watch_that_waits_to_be_resumed_ends_at_once_with_its_client()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1, client: options =>
        {
            // Whoever is lost tries again after an hour.
            (options.BackoffFirst, options.BackoffMax) = (TimeSpan.FromHours(1), TimeSpan.FromHours(2));
            options.CallTimeout = TimeSpan.FromSeconds(3);
        });
        await using var stream = await cluster.Client.WatchAsync(WatchTarget.Prefix("/k/"), new WatchOptions { StaleAfter = TimeSpan.FromSeconds(2) });
        await using var reader = stream.Reader();
        await using var pushed = await cluster.Client.SubscribeAsync(WatchTarget.Prefix("/k/"), new RecordingObserver());
        await cluster.Host.StopSiloAsync(cluster.Silos[0]);
        while ((await reader.NextAsync("the word that it is stale")).Type != WatchEventType.Stale)
        {
        }

        await ((RemoteWatchClient)cluster.Client).DisposeAsync().AsTask().WaitAsync(WatchCluster.Patience);
        Assert.Equal(WatchEndReason.Disposed, (await reader.NextAsync("the end")).Reason);
        Assert.True(pushed.Completion.IsCompletedSuccessfully, "a watch that reads itself outlived its client");
    }

    [Fact]
    public async Task A_host_that_stops_ends_its_clients_watches_while_the_server_can_still_be_told()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        await using var stream = await cluster.Client.WatchAsync(WatchTarget.Prefix("/k/"));
        await using var reader = stream.Reader();
        var next = reader.NextAsync("the end");
        await cluster.Host.StopClusterClientAsync();
        // Long before its lease would be over.
        Assert.Equal(0, await cluster.CountWatchersAsync());
        Assert.Equal(WatchEndReason.Disposed, (await next).Reason);
    }

    [Fact]
    public async Task What_a_client_does_by_itself_runs_in_nobodys_context()
    {
        var flowing = new AsyncLocal<string?>();
        var seen = new List<string>();
        var random = new NotingRandom(() => seen.Add($"{SynchronizationContext.Current?.GetType().Name} {flowing.Value}".Trim()));
        var client = NewClient(random);
        seen.Clear();
        flowing.Value = "the first caller's";
        var before = SynchronizationContext.Current;
        var opening = Task.CompletedTask;
        SynchronizationContext.SetSynchronizationContext(new BlockedContext());
        try
        {
            // Whoever comes first has a context in which nothing ever runs.
            opening = OpenAsync();
            Assert.IsType<BlockedContext>(SynchronizationContext.Current);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }

        await using (var other = await client.WatchAsync(WatchTarget.Key(_root + "b")).WaitAsync(WatchCluster.Patience))
        await using (var reader = other.Reader())
        {
            await _cluster.Client.PutAsync(_root + "b", "1");
            Assert.Equal("1", (await reader.NextAsync()).Value.Text());
        }

        Assert.NotEmpty(seen);
        Assert.All(seen, each => Assert.Equal("", each));
        Assert.Equal("the first caller's", flowing.Value);
        Assert.False(opening.IsCompleted, "the first caller went on although its context is blocked: nothing was shown");
        await client.DisposeAsync().AsTask().WaitAsync(WatchCluster.Patience);

        async Task OpenAsync()
        {
            await using var first = await client.WatchAsync(WatchTarget.Key(_root + "a"));
        }
    }

    private RemoteWatchClient NewClient(IWatchRandom? random = null) =>
        new(_cluster.Host.Client, Options.Create(new WatchClientOptions()), TimeProvider.System, random ?? new SystemWatchRandom());

    private async Task<int> CountAsync() => (await _cluster.Nodes.ListWatchersAsync(new WatchersQuestion { Target = _root })).Watchers.Length;

    /// <summary>A context whose thread never comes back to it.</summary>
    private sealed class BlockedContext : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
        }
    }

    /// <summary>Notes from where it is asked.</summary>
    private sealed class NotingRandom(Action note) : IWatchRandom
    {
        private readonly SystemWatchRandom _random = new();
        private readonly Lock _gate = new();

        public ulong NextBits()
        {
            lock (_gate)
                note();
            return _random.NextBits();
        }
    }
}
