using System.Diagnostics;
using System.Globalization;
using Watch.Bench.Load;

namespace Watch.Bench.Watching;

/// <summary>
/// Everything that has a gate, one after the other, each in a process of its own, and then one table of it all: about eight minutes.
/// </summary>
internal static class All
{
    public static async Task<int> RunAsync(BenchOptions options)
    {
        string[] ways = VoterCluster.IsOrleans ? ["observer", "stream"] : ["observer", "stream", "callback"];
        string[][] measurements =
        [
            ["latency"],
            .. ways.Select(by => new[] { "fanout", "--by", by }),
            .. ways.Select(by => new[] { "memory", "--by", by }),
            ["writes"],
            ["slow"],
        ];
        var begun = Stopwatch.GetTimestamp();
        var rows = new List<string>();
        var failed = 0;
        foreach (var each in measurements)
            failed += await OneAsync([.. each, "--folder", options.Folder], rows) ? 0 : 1;

        Console.WriteLine();
        Console.WriteLine(Said.Circumstances(VoterCluster.IsOrleans ? "Orleans" : "Embedded"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"took {Stopwatch.GetElapsedTime(begun).TotalMinutes:F1} minutes, data in {options.Folder}"));
        Console.WriteLine();
        Console.WriteLine("| what | measured | gate | |");
        Console.WriteLine("|---|---|---|---|");
        foreach (var row in rows)
            Console.WriteLine(row);
        Console.WriteLine();
        var missed = rows.Count(row => row.Contains(Said.Missed, StringComparison.Ordinal));
        Console.WriteLine($"gates: {rows.Count(row => row.EndsWith($"| {Said.Met} |", StringComparison.Ordinal))} met, {missed} missed, {rows.Count(row => row.EndsWith("| undecided |", StringComparison.Ordinal))} undecided; {failed} measurements failed");
        return missed + failed == 0 ? 0 : 1;
    }

    private static async Task<bool> OneAsync(string[] arguments, List<string> rows)
    {
        Console.WriteLine($"# watch {string.Join(' ', arguments)}");
        using var process = Worker.Begin(arguments, withInput: false);
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            Console.WriteLine(line);
            if (line.StartsWith("| ", StringComparison.Ordinal))
                rows.Add(line);
        }

        await process.WaitForExitAsync();
        return process.ExitCode == 0;
    }
}
