using Watch.Core;
using Xunit.Abstractions;

namespace Watch.Cluster.Tests;

/// <summary>Tests that weigh the whole process: nothing else may run beside them.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

/// <summary>What watchers weigh that have nothing to do.</summary>
[Collection(nameof(Alone))]
public sealed class IdleCostTests(ITestOutputHelper output)
{
    // So many fill the tables of the silo and of the leader nearly up: what is weighed is watches, and not the room for more.
    private const int Watchers = 30_000;
    private const int Others = 100;
    private const long SettledBytes = 64 << 10;
    private const double ImplausibleBytes = 512;

    [Fact]
    [Trait("DE", "P06")]
    public async Task An_idle_watcher_in_the_process_takes_at_most_a_kibibyte_of_all_that_the_process_has_for_it()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        var client = cluster.HostedIn(0);
        var watches = new List<(IWatchSubscription Watch, FirstBatch Observer)>(Watchers + Others);
        watches.AddRange(await AddAsync(client, "/first/", Others));
        // What clusters of earlier tests let go of meanwhile, megabytes at a time, would make watches light, down to less than nothing.
        var perWatcher = 0.0;
        for (var attempt = 0; attempt < 3 && perWatcher < ImplausibleBytes; attempt++)
        {
            var before = Settled();
            for (var begun = 0; begun < Watchers; begun += 1_000)
                watches.AddRange(await AddAsync(client, $"/idle{attempt}/{begun:D6}/", 1_000));
            perWatcher = (Settled() - before) / (double)Watchers;
        }

        output.WriteLine($"{perWatcher:F0} bytes per idle watcher: its key and observer, the silo's part and the leader's");
        Assert.InRange(perWatcher, ImplausibleBytes, 1_024);

        // They are not just light: one of them is told, and all of them end.
        var put = await client.PutAsync("/idle0/000000/000", "v");
        Assert.Equal(put.Revision, await watches[Others].Observer.Told.WaitAsync(WatchCluster.Patience));
        await Task.WhenAll(watches.Select(each => each.Watch.DisposeAsync().AsTask()));
        foreach (var (watch, _) in watches)
            Assert.Equal(WatchEndReason.Disposed, await watch.Completion);
    }

    /// <summary>What the process holds when nothing more goes: what tests before left behind is collected in parts, as it is finalized.</summary>
    private static long Settled()
    {
        var now = GC.GetTotalMemory(forceFullCollection: true);
        for (long before = 0, stable = 0; stable < 3; stable = before - now < SettledBytes ? stable + 1 : 0)
        {
            GC.WaitForPendingFinalizers();
            (before, now) = (now, GC.GetTotalMemory(forceFullCollection: true));
        }

        return now;
    }

    private static async Task<(IWatchSubscription Watch, FirstBatch Observer)[]> AddAsync(IWatchClient client, string prefix, int count) =>
        await Task.WhenAll(Enumerable.Range(0, count).Select(async at =>
        {
            var observer = new FirstBatch();
            return (await client.SubscribeAsync(WatchTarget.Key(Key.Of($"{prefix}{at:D3}")), observer), observer);
        }));

    /// <summary>Tells of the first batch; it weighs no more than an object and what somebody asked of it.</summary>
    private sealed class FirstBatch : IWatchObserver
    {
        private TaskCompletionSource<Revision>? _told;

        public Task<Revision> Told => Source().Task;

        public Task OnBatch(WatchBatch batch)
        {
            Source().TrySetResult(batch.Revision);
            return Task.CompletedTask;
        }

        private TaskCompletionSource<Revision> Source()
        {
            var made = new TaskCompletionSource<Revision>(TaskCreationOptions.RunContinuationsAsynchronously);
            return Interlocked.CompareExchange(ref _told, made, null) ?? made;
        }
    }
}
