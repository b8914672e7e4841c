using System.Globalization;
using Watch.Bench.Load;

namespace Watch.Bench.Watching;

/// <summary>
/// <c>watch all|latency|fanout|idle|writes|memory|slow</c>: what watching costs and how fast it is, whole product, real disk, on the engine that
/// the build was made for. Each says what it was measured on and whether its gate was met.
/// </summary>
internal static class WatchProgram
{
    public static async Task<int> RunAsync(string[] arguments)
    {
        if (arguments is [Writes.Child, .. var child])
            return await Writes.RunChildAsync(child);
        if (arguments is [SlowOne.Child, .. var slow])
            return await SlowOne.RunChildAsync(slow);
        if (arguments is not [var what, .. var rest])
            return Fail(BenchOptions.Usage);
        BenchOptions options;
        try
        {
            options = BenchOptions.Parse(rest);
        }
        catch (FormatException error)
        {
            return Fail(error.Message);
        }

        var folder = Directory.CreateDirectory(Path.Combine(options.Folder, string.Create(CultureInfo.InvariantCulture, $"watch-bench-{Environment.ProcessId}"))).FullName;
        try
        {
            return what switch
            {
                "all" => await All.RunAsync(options),
                "writes" or "idle" => await Writes.RunAsync(options, folder, what == "idle"),
                "latency" => await InClusterAsync(options, folder, Latency.RunAsync),
                "fanout" => await InClusterAsync(options, folder, Fanout.RunAsync),
                "memory" => await InClusterAsync(options, folder, Memory.RunAsync),
                "slow" => await SlowOne.RunAsync(options, folder),
                _ => Fail(BenchOptions.Usage),
            };
        }
        catch (InvalidOperationException error)
        {
            return Fail(error.Message);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Measures in a cluster as the engine's gates want it: one silo and watchers in it on Embedded, three and watchers outside on Orleans.</summary>
    private static async Task<int> InClusterAsync(BenchOptions options, string folder, Func<VoterCluster, BenchOptions, bool, Task> measure)
    {
        var silos = options.Silos ?? (VoterCluster.IsOrleans ? 3 : 1);
        var isRemote = options.IsRemote ?? VoterCluster.IsOrleans;
        await using var cluster = await VoterCluster.StartAsync(silos, folder, withOutside: true, watch => watch.WatchersMax = 1_000_000);
        var engine = (await cluster.Clients[0].StatusAsync()).Engine;
        Console.WriteLine(Said.Circumstances(engine));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{silos} silo(s) in one process, all voting; watchers {(isRemote ? "outside" : "in the first")}, by {options.By}; data in {folder}"));
        using var allocations = options.Profile ? new Allocations() : null;
        await measure(cluster, options, isRemote);
        foreach (var line in allocations?.Largest(40) ?? [])
            Console.WriteLine(line);
        return 0;
    }

    private static int Fail(string message)
    {
        Console.Error.WriteLine(message);
        return 2;
    }
}
