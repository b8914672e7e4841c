using System.Diagnostics;
using System.Globalization;
using Watch.Bench.Load;
using Watch.Core;

namespace Watch.Bench.Watching;

/// <summary>
/// What watchers cost writers: the same writes with and without them, turn and turn about (ABBA), each in a process of its own, so that
/// the one's garbage is not the other's. Of every pair the ratio counts, so what else the machine does weighs on both.
/// </summary>
/// <remarks>
/// Beside the writes a second, each process says how much of the processor a write took: that is what watchers can cost where the disk
/// is what limits, and it is far less moved by what else runs.
/// </remarks>
internal static class Writes
{
    /// <summary>How a process is told that it is one of the two.</summary>
    public const string Child = "writes-child";

    private const int Clients = 64;
    private const int Keys = 1_000;
    private const int ValueBytes = 256;
    private const int WarmUps = 8;

    public static async Task<int> RunAsync(BenchOptions options, string folder, bool idleOnly)
    {
        var phase = options.Phase ?? TimeSpan.FromSeconds(0.5);
        var rounds = options.Rounds ?? 40;
        (string Kind, int Watchers)[] all = idleOnly
            ? [("idle", options.Watchers ?? 100_000)]
            : [("idle", 1_000), ("idle", 100_000), ("matching", 1_000)];
        foreach (var (kind, watchers) in all)
        {
            await using var without = await StartAsync("idle", 0, Path.Combine(folder, "without" + kind + watchers), phase);
            await using var with = await StartAsync(kind, watchers, Path.Combine(folder, "with" + kind + watchers), phase);
            Console.WriteLine(with.Ready);
            var (rate, processor, plain, watched, pauses, watchedPauses) = (new Ratios(), new Ratios(), 0.0, 0.0, 0.0, 0.0);
            // The two are compared when both run what the compiler makes of them in the end.
            for (var warm = 0; warm < WarmUps; warm++)
            {
                await MeasureAsync(without);
                await MeasureAsync(with);
            }

            for (var round = 0; round < rounds; round++)
            {
                var first = round % 2 == 0 ? await MeasureAsync(without) : await MeasureAsync(with);
                var second = round % 2 == 0 ? await MeasureAsync(with) : await MeasureAsync(without);
                var (a, b) = round % 2 == 0 ? (first, second) : (second, first);
                rate.Add(b.PerSecond, a.PerSecond);
                processor.Add(b.Microseconds, a.Microseconds);
                plain += a.PerSecond / rounds;
                watched += b.PerSecond / rounds;
                pauses += a.Paused / rounds;
                watchedPauses += b.Paused / rounds;
            }

            var name = string.Create(CultureInfo.InvariantCulture, $"writes, {watchers:N0} {kind} watchers in the process");
            Said.Row(name + ": with / without", string.Create(CultureInfo.InvariantCulture, $"{watched:N0} / {plain:N0} writes/s"));
            Said.Row(name + ": processor per write, of that without", processor.ToString());
            Said.Row(name + ": collector's pauses per write, with / without", string.Create(CultureInfo.InvariantCulture, $"{watchedPauses:F1} / {pauses:F1} µs"));
            if (kind == "idle" && watchers == 100_000)
                Said.Gate(name + ": writes/s, of those without", rate, 0.98, atMost: false);
            else
                Said.Row(name + ": writes/s, of those without", rate.ToString());
        }

        return 0;
    }

    /// <summary>One of the two processes: has its watchers, and writes for a phase whenever it is told to.</summary>
    public static async Task<int> RunChildAsync(string[] arguments)
    {
        var (kind, watchers, folder, phase) = (arguments[0], int.Parse(arguments[1], CultureInfo.InvariantCulture), arguments[2], TimeSpan.FromSeconds(double.Parse(arguments[3], CultureInfo.InvariantCulture)));
        await using var cluster = await VoterCluster.StartAsync(VoterCluster.IsOrleans ? 3 : 1, folder, configure: watch => watch.WatchersMax = 1_000_000);
        var client = cluster.Clients[0];
        long delivered = 0;
        await using var followers = new Followers();
        await followers.AddAsync(client, watchers, "observer", at => WatchTarget.Key(kind == "matching" ? KeyText(at % Clients, at / Clients) : $"/idle/{at}"), (_, _, _) => Interlocked.Increment(ref delivered));
        Console.WriteLine($"{Said.Circumstances((await client.StatusAsync()).Engine)}; {Clients} clients, {ValueBytes}-byte values, {phase.TotalSeconds} s a phase");
        for (var isWarm = false; Console.ReadLine() is "go"; isWarm = true)
        {
            var (before, processor, paused) = (Volatile.Read(ref delivered), Environment.CpuUsage.TotalTime, GC.GetTotalPauseDuration());
            var (count, took) = await WriteAsync(client, phase);
            processor = Environment.CpuUsage.TotalTime - processor;
            // Where everything written is watched, watchers that stopped would make the writes look cheap. The first phase counts for nothing.
            if (kind == "matching" && isWarm && Volatile.Read(ref delivered) == before)
                throw new InvalidOperationException("The watchers were told nothing.");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count / took.TotalSeconds} {processor.TotalMicroseconds / count} {(GC.GetTotalPauseDuration() - paused).TotalMicroseconds / count:F2}"));
        }

        return 0;
    }

    private static async Task<(long Count, TimeSpan Took)> WriteAsync(IWatchClient client, TimeSpan phase)
    {
        var (begun, value) = (Stopwatch.GetTimestamp(), new byte[ValueBytes]);
        var counts = await Task.WhenAll(Enumerable.Range(0, Clients).Select(writer => Task.Run(async () =>
        {
            var count = 0L;
            for (; Stopwatch.GetElapsedTime(begun) < phase; count++)
                await client.PutAsync(Key.Of(KeyText(writer, (int)(count % Keys))), value);
            return count;
        })));
        return (counts.Sum(), Stopwatch.GetElapsedTime(begun));
    }

    private static string KeyText(int writer, int at) => string.Create(CultureInfo.InvariantCulture, $"/load/{writer}/{at}");

    /// <summary>What a phase gave.</summary>
    private readonly record struct Measured(double PerSecond, double Microseconds, double Paused);

    private static Task<Worker> StartAsync(string kind, int watchers, string folder, TimeSpan phase) =>
        Worker.StartAsync([Child, kind, $"{watchers}", folder, phase.TotalSeconds.ToString(CultureInfo.InvariantCulture)]);

    private static async Task<Measured> MeasureAsync(Worker worker)
    {
        var words = await worker.AskAsync("go");
        return new Measured(double.Parse(words[0], CultureInfo.InvariantCulture), double.Parse(words[1], CultureInfo.InvariantCulture), double.Parse(words[2], CultureInfo.InvariantCulture));
    }
}
