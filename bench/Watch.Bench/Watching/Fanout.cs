using System.Diagnostics;
using System.Globalization;
using Watch.Bench.Load;
using Watch.Core;

namespace Watch.Bench.Watching;

/// <summary>How many deliveries a second: everybody watches one key, and it is written as fast as it reaches everybody.</summary>
internal static class Fanout
{
    /// <summary>So many puts may be on their way to the watchers, so that nobody's queue is ever full.</summary>
    private const int PutsUnderWay = 256;
    private const int Writers = 32;

    public static async Task RunAsync(VoterCluster cluster, BenchOptions options, bool isRemote)
    {
        var watchers = options.Watchers ?? (isRemote ? 1_000 : 10_000);
        var run = new Run(watchers);
        await using var followers = new Followers();
        await followers.AddAsync(isRemote ? cluster.Outside : cluster.Clients[0], watchers, options.By, _ => WatchTarget.Key("/fanout"), run.Seen);
        var phase = options.Phase ?? TimeSpan.FromSeconds(10);
        await run.WriteAsync(cluster.Clients[0], phase / 5);
        var (delivered, processor, allocated, begun) = (run.Delivered, Environment.CpuUsage.TotalTime, GC.GetTotalAllocatedBytes(), Stopwatch.GetTimestamp());
        await run.WriteAsync(cluster.Clients[0], phase);
        var (count, took) = (run.Delivered - delivered, Stopwatch.GetElapsedTime(begun));
        processor = Environment.CpuUsage.TotalTime - processor;
        allocated = GC.GetTotalAllocatedBytes() - allocated;
        var perSecond = count / took.TotalSeconds;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{watchers} watchers of one key: {perSecond:N0} deliveries/s ({count / watchers / took.TotalSeconds:F0} puts/s), {processor.TotalMicroseconds / count:F2} us processor and {(double)allocated / count:F0} bytes allocated per delivery"));
        var name = string.Create(CultureInfo.InvariantCulture, $"fan-out, {watchers:N0} watchers of one key {(isRemote ? "of one client outside" : "in the process")}, by {options.By}");
        Said.Row(name + ": per delivery", string.Create(CultureInfo.InvariantCulture, $"{processor.TotalMicroseconds / count:F2} µs processor, {(double)allocated / count:F0} bytes allocated"));
        if (isRemote ? watchers == 1_000 : watchers == 10_000)
            Said.Gate(name, perSecond, isRemote ? 200_000 : 1_000_000, atMost: false, "deliveries/s");
        else
            Said.Row(name, string.Create(CultureInfo.InvariantCulture, $"{perSecond:N0} deliveries/s"));
    }

    private sealed class Run(int watchers)
    {
        private readonly SemaphoreSlim _room = new(PutsUnderWay);
        private readonly CancellationTokenSource _failed = new();
        private string? _failure;
        private long _delivered;

        public long Delivered => Volatile.Read(ref _delivered);

        public void Seen(int watcher, WatchEvent each, long when)
        {
            if (each.Type == WatchEventType.Canceled && each.Reason != WatchEndReason.Disposed)
            {
                _failure = $"A watch ended: {each.Reason}. {each.Message}";
                _failed.Cancel();
            }

            if (each.Type == WatchEventType.Put && Interlocked.Increment(ref _delivered) % watchers == 0)
                _room.Release();
        }

        /// <summary>Writes for a while, and until all of it was delivered.</summary>
        public async Task WriteAsync(IWatchClient client, TimeSpan duration)
        {
            try
            {
                await TryWriteAsync(client, duration);
            }
            catch (OperationCanceledException)
            {
                throw new InvalidOperationException(_failure);
            }
        }

        private async Task TryWriteAsync(IWatchClient client, TimeSpan duration)
        {
            var begun = Stopwatch.GetTimestamp();
            await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => Task.Run(async () =>
            {
                while (Stopwatch.GetElapsedTime(begun) < duration)
                {
                    await _room.WaitAsync(_failed.Token);
                    await client.PutAsync(Key.Of("/fanout"), new byte[16]);
                }
            })));
            for (var got = 0; got < PutsUnderWay; got++)
                await _room.WaitAsync(_failed.Token);
            _room.Release(PutsUnderWay);
        }
    }
}
