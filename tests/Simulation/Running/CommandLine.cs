using System.Globalization;
using Watch.Simulation.Tests.Faults;

namespace Watch.Simulation.Tests.Running;

/// <summary>The simulator as a program.</summary>
internal static class CommandLine
{
    private const string Usage = """
        Runs the whole cluster in a simulated world, one run per seed.

          --seeds N        how many seeds to run (default 1000)
          --from N         the first seed (default: drawn from the clock)
          --workers N      how many at a time (default: one per processor)
          --minutes M      stop after so many minutes
          --seed N         one seed only; says everything about it
          --trace          with --seed: print what happened, step by step
          --hash           with --seed: print a number that two equal traces have in common
          --variant NAME   with a deliberate defect; 'all' tries each until it is caught

        Ends with 0 if nothing was found, with 1 at a violation, with 2 if the arguments make no sense.
        """;

    public static int Run(string[] args)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var at = 0; at < args.Length; at++)
        {
            if (args[at] is "--trace" or "--hash")
                options[args[at]] = "";
            else if (at + 1 < args.Length && args[at] is "--seeds" or "--from" or "--workers" or "--minutes" or "--seed" or "--variant")
                options[args[at]] = args[++at];
            else
            {
                Console.Error.WriteLine(Usage);
                return 2;
            }
        }

        if (options.FirstOrDefault(each => !IsFit(each.Key, each.Value)) is { Key: { } name } wrong)
        {
            Console.Error.WriteLine($"{name}: '{wrong.Value}' is not allowed.{Environment.NewLine}{Usage}");
            return 2;
        }

        var variant = options.GetValueOrDefault("--variant");
        if (variant == "all")
            return CatchAll();
        return options.TryGetValue("--seed", out var seed)
            ? RunOne(Runner.PlanOf(Parse(seed), variant), options.ContainsKey("--trace"), options.ContainsKey("--hash"))
            : RunMany(options, variant);
    }

    private static bool IsFit(string option, string value) => option switch
    {
        "--seeds" or "--workers" => int.TryParse(value, CultureInfo.InvariantCulture, out var count) && count > 0,
        "--from" or "--seed" => int.TryParse(value, CultureInfo.InvariantCulture, out _),
        "--minutes" => double.TryParse(value, CultureInfo.InvariantCulture, out var minutes) && minutes > 0,
        "--variant" => value == "all" || Variants.Defects.All.Any(each => each.Name == value),
        _ => true,
    };

    private static int CatchAll()
    {
        var missed = 0;
        foreach (var variant in Variants.Defects.All)
        {
            var summary = new Runner { From = 1, Seeds = variant.SeedsMax, Variant = variant.Name, StopsAt = variant.Shows }.Run();
            var caught = summary.Violations.FirstOrDefault(variant.Shows);
            missed += caught is null ? 1 : 0;
            Console.WriteLine($"{variant.Name}: {(caught is null ? "NOT CAUGHT" : "caught")} within {summary.Runs} seeds, {summary.Took.TotalSeconds:F1} s; {caught?.Violation?.Split(Environment.NewLine)[0] ?? summary.ToString()}");
        }

        return missed == 0 ? 0 : 1;
    }

    private static int RunOne(FaultPlan plan, bool trace, bool hash)
    {
        Console.WriteLine(plan);
        var started = Environment.TickCount64;
        var result = SeedRun.Run(plan, trace || hash);
        foreach (var line in trace ? result.Trace : [])
            Console.WriteLine(line);
        if (hash)
            Console.WriteLine($"trace {result.Trace.Count} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(string.Join('\n', result.Trace))))}");
        Console.WriteLine(Report.Of(result));
        Console.WriteLine($"{Environment.TickCount64 - started} ms, {result.Steps} steps, {result.Operations} operations, of which {result.Known} with a known end");
        return result.Violation is null ? 0 : 1;
    }

    private static int RunMany(Dictionary<string, string> options, string? variant)
    {
        var from = options.TryGetValue("--from", out var first) ? Parse(first) : (int)(DateTime.UtcNow.Ticks / TimeSpan.TicksPerSecond % 1_000_000) * 1000;
        var runner = new Runner
        {
            From = from,
            Seeds = options.TryGetValue("--seeds", out var seeds) ? Parse(seeds) : 1000,
            Workers = options.TryGetValue("--workers", out var workers) ? Parse(workers) : Environment.ProcessorCount,
            Limit = options.TryGetValue("--minutes", out var minutes) ? TimeSpan.FromMinutes(double.Parse(minutes, CultureInfo.InvariantCulture)) : null,
            Variant = variant,
            Say = Console.WriteLine,
        };
        var summary = runner.Run();
        Console.WriteLine(summary);
        return summary.Violations.Count == 0 ? 0 : 1;
    }

    private static int Parse(string number) => int.Parse(number, CultureInfo.InvariantCulture);
}
