using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Watch.Core;
using Xunit.Abstractions;

namespace Watch.Cluster.Tests;

/// <summary>
/// A node begins from its newest snapshot and the log behind it. With the environment variable WATCH_RESTART_WRITES=1000000 it is as
/// large as docs/guarantees.md promises it for: over a tenth as many keys, values of 256 bytes. With WATCH_RESTART_FOLDER as well, a copy of
/// the data is left in that folder, and further runs only start on it: their figures, the memory above all, are those of a process that has
/// done nothing else.
/// </summary>
/// <remarks>What snapshots cost the writes is printed and not judged: others may use the machine, too. That each piece of their work is
/// bounded is shown by counts, in SnapshotTests and SnapshotStoreTests of tests/Core.</remarks>
public sealed class RestartTests(ITestOutputHelper output)
{
    private const int Writers = 64;
    private const int ValueBytes = 256;
    private static readonly TimeSpan s_restartMax = TimeSpan.FromSeconds(10);
    private static readonly int s_writes = int.Parse(Environment.GetEnvironmentVariable("WATCH_RESTART_WRITES") ?? "20000", CultureInfo.InvariantCulture);

    private static readonly string? s_kept = Environment.GetEnvironmentVariable("WATCH_RESTART_FOLDER");

    [Fact]
    public async Task A_node_with_many_writes_is_back_within_ten_seconds()
    {
        var folder = Directory.CreateTempSubdirectory("watch-tests-").FullName;
        var isAlone = s_kept is not null && Directory.Exists(s_kept);
        if (isAlone)
            Copy(s_kept!, folder);
        var clock = Stopwatch.StartNew();
        await using var cluster = await StartAsync(folder);
        if (!isAlone)
        {
            await WriteAllAsync(cluster, folder);
            var silo = cluster.Silos[0];
            await cluster.Host.StopSiloAsync(silo);
            if (s_kept is not null)
                Copy(folder, s_kept);
            GC.Collect();
            clock.Restart();
            await cluster.Host.RestartSiloAsync(silo);
        }
        var last = await cluster.Client.GetAsync($"/r/{s_writes / 10 - 1}");
        var restart = clock.Elapsed;
        using var process = Process.GetCurrentProcess();
        output.WriteLine($"restart to the first read{(isAlone ? " in a process of its own, its start included" : "")}: {restart.TotalMilliseconds:F0} ms; peak working set {process.PeakWorkingSet64 >> 20} MiB, {GC.GetTotalMemory(forceFullCollection: true) >> 20} MiB in use");
        Assert.Equal(10, last.Key!.Version);
        Assert.Equal(s_writes, last.Revision.Value);
        Assert.InRange(restart, TimeSpan.Zero, s_restartMax);
    }

    private Task<WatchCluster> StartAsync(string folder) => WatchCluster.StartAsync(
        1,
        options => options.SnapshotEntries = Math.Max(1000, s_writes / 5),
        folder,
        services => services.AddLogging(logging => logging.AddProvider(new SnapshotLines(output)).AddFilter<SnapshotLines>("Watch.Grains.Consensus", LogLevel.Information)));

    private async Task WriteAllAsync(WatchCluster cluster, string folder)
    {
        var latencies = new List<TimeSpan>(s_writes);
        var clock = Stopwatch.StartNew();
        var paused = GC.GetTotalPauseDuration();
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => WriteAsync(cluster.HostedIn(0), writer, s_writes / 10, latencies)));
        var writing = clock.Elapsed;
        latencies.Sort();
        var status = await cluster.HostedIn(0).StatusAsync();
        output.WriteLine($"{s_writes} writes in {writing.TotalSeconds:F1} s, median {latencies[latencies.Count / 2].TotalMilliseconds:F1} ms, 99.9 % within {latencies[(int)(latencies.Count * 0.999)].TotalMilliseconds:F1} ms, slowest {latencies[^1].TotalMilliseconds:F1} ms; the collector paused {(GC.GetTotalPauseDuration() - paused).TotalMilliseconds:F0} ms in all; log {status.LogBytes >> 20} MiB");
        var snapshots = Directory.GetFiles(Path.Combine(folder, "Silo_0", "snapshots"), "0000000001-*.snap");
        Assert.NotEmpty(snapshots);
        foreach (var file in snapshots)
            output.WriteLine($"{Path.GetFileName(file)}: {new FileInfo(file).Length >> 10} KiB");
    }

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
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

    /// <summary>Prints what is logged of snapshots.</summary>
    private sealed class SnapshotLines(ITestOutputHelper output) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (formatter(state, exception) is var line && line.StartsWith("Took", StringComparison.Ordinal))
                output.WriteLine(line);
        }

        public void Dispose()
        {
        }
    }
}
