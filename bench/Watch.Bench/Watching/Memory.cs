using System.Diagnostics;
using System.Globalization;
using Watch.Bench.Load;

namespace Watch.Bench.Watching;

/// <summary>What watchers take that have nothing to do: bytes of the whole process, for each of many that watch a key of their own.</summary>
internal static class Memory
{
    public static async Task RunAsync(VoterCluster cluster, BenchOptions options, bool isRemote)
    {
        var watchers = options.Watchers ?? (isRemote ? 10_000 : 100_000);
        var client = isRemote ? cluster.Outside : cluster.Clients[0];
        await using var first = new Followers();
        await first.AddAsync(client, 100, options.By, at => WatchTarget.Key($"/first/{at}"), (_, _, _) => { });
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var begun = Stopwatch.GetTimestamp();
        await using var followers = new Followers();
        await followers.AddAsync(client, watchers, options.By, at => WatchTarget.Key($"/idle/{at}"), (_, _, _) => { });
        var took = Stopwatch.GetElapsedTime(begun);
        var each = (GC.GetTotalMemory(forceFullCollection: true) - before) / (double)watchers;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{watchers} idle watchers by {options.By}: {each:F0} bytes each (targets and all), registered at {watchers / took.TotalSeconds:N0}/s"));
        var name = string.Create(CultureInfo.InvariantCulture, $"memory, {watchers:N0} idle watchers {(isRemote ? "outside" : "in the process")}, by {options.By}");
        if (!isRemote && options.By is not "stream")
            Said.Gate(name, each, 1_024, atMost: true, "bytes each");
        else
            Said.Row(name, string.Create(CultureInfo.InvariantCulture, $"{each:N0} bytes each"));
        foreach (var line in options.Profile ? Held.ByType(followers.At(10), followers.At(11)) : [])
            Console.WriteLine(line);
        var cpu = Environment.CpuUsage.TotalTime;
        begun = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(options.Phase ?? TimeSpan.FromSeconds(5));
        await timer.WaitForNextTickAsync();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  nothing written: {(Environment.CpuUsage.TotalTime - cpu) / Stopwatch.GetElapsedTime(begun):P2} of one processor"));
        GC.KeepAlive(followers);
    }
}
