using System.Diagnostics;
using System.Globalization;
using Watch.Core;
using Xunit.Abstractions;

namespace Watch.Cluster.Tests;

/// <summary>
/// A node begins from its newest snapshot and the log behind it. With the environment variable WATCH_RESTART_WRITES=1000000 it is as
/// large as docs/guarantees.md promises it for: over a tenth as many keys, values of 256 bytes.
/// </summary>
public sealed class RestartTests(ITestOutputHelper output)
{
    private const int Writers = 64;
    private const int ValueBytes = 256;
    private static readonly TimeSpan s_restartMax = TimeSpan.FromSeconds(10);
    private static readonly int s_writes = int.Parse(Environment.GetEnvironmentVariable("WATCH_RESTART_WRITES") ?? "20000", CultureInfo.InvariantCulture);

    [Fact]
    public async Task A_node_with_many_writes_is_back_within_ten_seconds_and_its_snapshots_held_no_writer_up_for_long()
    {
        var folder = Directory.CreateTempSubdirectory("watch-tests-").FullName;
        await using var cluster = await WatchCluster.StartAsync(1, options => options.SnapshotEntries = Math.Max(1000, s_writes / 5), folder);
        var keys = s_writes / 10;
        var latencies = new List<TimeSpan>(s_writes);
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => WriteAsync(cluster.HostedIn(0), writer, keys, latencies)));
        var writing = clock.Elapsed;
        latencies.Sort();
        var before = await cluster.HostedIn(0).StatusAsync();
        output.WriteLine($"{s_writes} writes in {writing.TotalSeconds:F1} s, median {latencies[latencies.Count / 2].TotalMilliseconds:F1} ms, 99.9 % within {latencies[(int)(latencies.Count * 0.999)].TotalMilliseconds:F1} ms, slowest {latencies[^1].TotalMilliseconds:F1} ms; log {before.LogBytes >> 20} MiB");
        foreach (var file in Directory.GetFiles(Path.Combine(folder, "Silo_0", "snapshots")))
            output.WriteLine($"{Path.GetFileName(file)}: {new FileInfo(file).Length >> 10} KiB");
        Assert.NotEmpty(Directory.GetFiles(Path.Combine(folder, "Silo_0", "snapshots"), "0000000001-*.snap"));

        var silo = cluster.Silos[0];
        await cluster.Host.StopSiloAsync(silo);
        GC.Collect();
        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        clock.Restart();
        await cluster.Host.RestartSiloAsync(silo);
        var last = await cluster.Client.GetAsync($"/r/{keys - 1}");
        var restart = clock.Elapsed;
        cpu = Process.GetCurrentProcess().TotalProcessorTime - cpu;
        output.WriteLine($"restart to the first read: {restart.TotalMilliseconds:F0} ms, {cpu.TotalMilliseconds:F0} ms of processors, {GC.GetTotalMemory(forceFullCollection: true) >> 20} MiB in use");
        Assert.Equal(10, last.Key!.Version);
        Assert.Equal(before.Revision, last.Revision);
        Assert.InRange(restart, TimeSpan.Zero, s_restartMax);
    }

    private static async Task WriteAsync(IWatchClient client, int writer, int keys, List<TimeSpan> latencies)
    {
        var value = new byte[ValueBytes];
        for (var at = writer; at < s_writes; at += Writers)
        {
            var began = Stopwatch.GetTimestamp();
            await client.PutAsync(Key.Of($"/r/{at % keys}"), value);
            lock (latencies)
                latencies.Add(Stopwatch.GetElapsedTime(began));
        }
    }
}
