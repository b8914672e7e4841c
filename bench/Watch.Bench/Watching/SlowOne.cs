using System.Globalization;
using Watch.Bench.Load;

namespace Watch.Bench.Watching;

/// <summary>
/// A thousand watch one key; one of each policy among them stops reading for a minute of writing. The others must not notice, memory must
/// stay within its bounds, and afterwards each that had stopped must have what its policy promises.
/// </summary>
/// <remarks>
/// Two processes take turns, slice by slice (ABBA): in one all read, in the other those that stop do so from the first slice to the last. So
/// whatever else the machine does weighs on both.
/// </remarks>
internal static class SlowOne
{
    /// <summary>How a process is told that it is one of the two.</summary>
    public const string Child = "slow-child";

    private const string NobodyStops = "none";

    /// <summary>By so much the heaps of two processes differ that do the same.</summary>
    private const double NoiseKiB = 4_096;

    private static readonly TimeSpan s_slice = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(5);

    public static async Task<int> RunAsync(BenchOptions options, string folder)
    {
        var (watchers, stop) = (options.Watchers ?? 1_000, options.Phase ?? TimeSpan.FromSeconds(60));
        var policies = options.Policy is { } one ? one.ToString() : string.Join(',', Enum.GetValues<SlowPolicy>());
        await using var without = await Worker.StartAsync(Child, policies, NobodyStops, $"{watchers}", options.By, Path.Combine(folder, "without"));
        await using var with = await Worker.StartAsync(Child, policies, policies, $"{watchers}", options.By, Path.Combine(folder, "with"));
        Console.WriteLine(with.Ready);
        foreach (var each in new[] { without, with })
        {
            await SliceAsync(each, s_warmUp);
            await each.AskAsync("stop");
        }

        var (delivery, sending, pairs) = (new Ratios(), new Ratios(), (int)Math.Ceiling(stop / s_slice));
        for (var pair = 0; pair < pairs; pair++)
        {
            var first = await SliceAsync(pair % 2 == 0 ? without : with, s_slice);
            var second = await SliceAsync(pair % 2 == 0 ? with : without, s_slice);
            var (a, b) = pair % 2 == 0 ? (first, second) : (second, first);
            delivery.Add(b.Delivery, a.Delivery);
            sending.Add(b.Sending, a.Sending);
        }

        var name = string.Create(CultureInfo.InvariantCulture, $"slow: {policies.Split(',').Length} of {watchers:N0} stop for {(pairs * s_slice).TotalSeconds} s of {SlowCluster.PutsPerSecond} puts/s");
        await SayAsync("all read", without);
        await SayAsync("some stopped", with);
        Said.Gate($"{name}: the others' p99, put acknowledged → call, of what it is otherwise", delivery, 1.10, atMost: true);
        Said.Row($"{name}: the others' p99, put sent → call, of what it is otherwise", sending.ToString());
        var (heldWith, heldWithout) = (await HeldAsync(with), await HeldAsync(without));
        Said.Row($"{name}: memory taken meanwhile, with / without", string.Create(CultureInfo.InvariantCulture, $"{heldWith:N0} / {heldWithout:N0} KiB"));
        Said.Gate($"{name}: memory that those who stopped take", heldWith - heldWithout, SlowCluster.HeldMaxKiB(policies.Split(',').Length) + NoiseKiB, atMost: true, "KiB");
        foreach (var policy in policies.Split(','))
            Console.WriteLine(string.Join(' ', await with.AskAsync("go-on " + policy)));
        return 0;
    }

    /// <summary>One of the two processes: has its watchers, and does what it is told, line by line.</summary>
    public static async Task<int> RunChildAsync(string[] arguments)
    {
        var (policies, stopping, watchers, by, folder) = (Policies(arguments[0]), Policies(arguments[1]), int.Parse(arguments[2], CultureInfo.InvariantCulture), arguments[3], arguments[4]);
        await using var cluster = await VoterCluster.StartAsync(VoterCluster.IsOrleans ? 3 : 1, folder, withOutside: true);
        await using var slow = await SlowCluster.StartAsync(cluster, VoterCluster.IsOrleans, watchers, policies, by);
        Console.WriteLine(Said.Circumstances((await cluster.Clients[0].StatusAsync()).Engine));
        while (Console.ReadLine() is { } line)
        {
            var words = line.Split(' ');
            Console.WriteLine(words[0] switch
            {
                "slice" => await slow.SliceAsync(TimeSpan.FromSeconds(double.Parse(words[1], CultureInfo.InvariantCulture))),
                "stop" => await slow.StopAsync(stopping),
                "say" => slow.ToString(),
                "held" => slow.Held(),
                _ => await slow.GoOnAsync(Enum.Parse<SlowPolicy>(words[1])),
            });
        }

        return 0;
    }

    private static SlowPolicy[] Policies(string text) => text == NobodyStops ? [] : [.. text.Split(',').Select(Enum.Parse<SlowPolicy>)];

    private static async Task<(double Delivery, double Sending)> SliceAsync(Worker worker, TimeSpan slice)
    {
        var words = await worker.AskAsync(string.Create(CultureInfo.InvariantCulture, $"slice {slice.TotalSeconds}"));
        return (double.Parse(words[0], CultureInfo.InvariantCulture), double.Parse(words[1], CultureInfo.InvariantCulture));
    }

    private static async Task SayAsync(string what, Worker worker) => Console.WriteLine($"  the others, {what}: {string.Join(' ', await worker.AskAsync("say"))}");

    private static async Task<double> HeldAsync(Worker worker) => double.Parse((await worker.AskAsync("held"))[0], CultureInfo.InvariantCulture);
}
