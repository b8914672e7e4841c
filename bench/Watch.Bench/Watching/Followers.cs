using System.Diagnostics;

namespace Watch.Bench.Watching;

/// <summary>Watchers that are told to call something with each event, in the way that is measured.</summary>
internal sealed class Followers : IAsyncDisposable
{
    private const int AtOnce = 64;
    private readonly List<IAsyncDisposable> _watches = [];
    private readonly List<Task> _reading = [];

    /// <summary>How many there are.</summary>
    public int Count => _watches.Count;

    /// <summary>One of them.</summary>
    public object At(int number) => _watches[number];

    /// <summary>Registers watchers.</summary>
    /// <param name="client">Whose watchers they are.</param>
    /// <param name="count">How many.</param>
    /// <param name="by">How they read.</param>
    /// <param name="target">What each follows, by its number.</param>
    /// <param name="seen">Called with the watcher's number, each event, and when it came.</param>
    /// <param name="options">How they watch.</param>
    public async Task AddAsync(IWatchClient client, int count, string by, Func<int, WatchTarget> target, Action<int, WatchEvent, long> seen, WatchOptions? options = null)
    {
        var next = -1;
        var gate = new Lock();
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => Task.Run(async () =>
        {
            for (int at; (at = Interlocked.Increment(ref next)) < count;)
            {
                var number = at;
                var watch = await OneAsync(client, by, target(number), number, seen, options);
                lock (gate)
                    _watches.Add(watch);
            }
        })));
    }

    public async ValueTask DisposeAsync()
    {
        await Parallel.ForEachAsync(_watches, async (watch, _) => await watch.DisposeAsync());
        await Task.WhenAll(_reading);
    }

    private async Task<IAsyncDisposable> OneAsync(IWatchClient client, string by, WatchTarget target, int number, Action<int, WatchEvent, long> seen, WatchOptions? options)
    {
        switch (by)
        {
            case "observer":
                return await client.SubscribeAsync(target, new Observer(number, seen), options);
            case "nobody":
                return await client.WatchAsync(target, options);
            case "stream":
                var stream = await client.WatchAsync(target, options);
                Keep(ReadAsync(stream, number, seen));
                return stream;
            default:
                var watcher = client.CreateWatcher(target, (each, _) =>
                {
                    seen(number, each, Stopwatch.GetTimestamp());
                    return default;
                }, options is null ? null : new WatcherOptions { Watch = options });
                Keep(watcher.RunAsync());
                await watcher.WaitReadyAsync(TimeSpan.FromMinutes(1));
                return watcher;
        }
    }

    private void Keep(Task reading)
    {
        lock (_reading)
            _reading.Add(reading);
    }

    private static async Task ReadAsync(IWatchStream stream, int number, Action<int, WatchEvent, long> seen)
    {
        await foreach (var each in stream)
            seen(number, each, Stopwatch.GetTimestamp());
    }

    private sealed class Observer(int number, Action<int, WatchEvent, long> seen) : IWatchObserver
    {
        public Task OnBatch(WatchBatch batch)
        {
            var now = Stopwatch.GetTimestamp();
            foreach (var each in batch.Events)
                seen(number, each, now);
            return Task.CompletedTask;
        }
    }
}
