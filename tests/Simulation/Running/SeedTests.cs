using System.Diagnostics;
using System.Globalization;
using Watch.Simulation.Tests.Faults;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace Watch.Simulation.Tests.Running;

/// <summary>Whole clusters under faults: fresh seeds each time, and those that once found something.</summary>
public sealed class SeedTests(ITestOutputHelper output, SeedTests.Teller teller) : IClassFixture<SeedTests.Teller>
{
    /// <summary>Says what has to be seen of tests that pass, too.</summary>
    public sealed class Teller(IMessageSink sink)
    {
        public void Say(string line) => sink.OnMessage(new DiagnosticMessage(line));
    }

    private const int FreshSeeds = 300;

    /// <summary>Wide enough for a slow machine with two cores; on one on which it is not, the test fails and says how many seeds there were.</summary>
    private static readonly TimeSpan s_timeBox = TimeSpan.FromMinutes(10);

    [Fact]
    public void Fresh_seeds_find_no_violation()
    {
        var first = Environment.GetEnvironmentVariable("WATCH_TEST_SEED") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture)
            : (int)(DateTime.UtcNow.Ticks / TimeSpan.TicksPerSecond % 2_000_000) * 1000;
        teller.Say($"{FreshSeeds} seeds from {first}, for at most {s_timeBox.TotalMinutes} minutes (again: dotnet run --project tests/Simulation -- --from {first} --seeds {FreshSeeds})");
        var summary = new Runner { From = first, Seeds = FreshSeeds, Limit = s_timeBox, Say = output.WriteLine }.Run();
        teller.Say(summary.ToString());
        Assert.Empty(summary.Violations.Select(each => Report.Of(each)));
        Assert.True(summary.Invalid.Count * 10 <= summary.Runs, $"{summary.Invalid.Count} of {summary.Runs} runs proved nothing");
        Assert.True(summary.Runs == FreshSeeds, $"only {summary.Runs} of {FreshSeeds} seeds ran within {s_timeBox.TotalMinutes} minutes");
        Assert.DoesNotContain(Enum.GetValues<FaultKind>(), kind => summary.Counts[kind] == 0);
    }

    [Fact]
    public void Recorded_seeds_find_no_violation()
    {
        var (runs, valid) = (0, 0);
        foreach (var seed in Recorded())
        {
            var result = SeedRun.Run(FaultPlan.Draw(seed));
            Assert.True(result.Violation is null, Report.Of(result));
            (runs, valid) = (runs + 1, valid + (result.IsValid ? 1 : 0));
        }

        teller.Say($"{runs} recorded seeds, of which {valid} met every fault that they name");
        Assert.True(valid * 2 > runs, $"only {valid} of {runs} recorded seeds met every fault that they name");
    }

    [Fact]
    public async Task A_seed_gives_the_same_trace_in_two_processes()
    {
        foreach (var seed in Recorded().Take(3))
        {
            var traces = await Task.WhenAll(HashAsync(seed), HashAsync(seed));
            Assert.True(traces[0] == traces[1], $"seed {seed}: {traces[0]} in one process, {traces[1]} in another");
        }
    }

    private static IEnumerable<int> Recorded() => File.ReadLines(Path.Combine(AppContext.BaseDirectory, "seeds.txt"))
        .Select(line => line.Split('#')[0].Trim()).Where(line => line.Length > 0).Select(line => int.Parse(line, CultureInfo.InvariantCulture));

    private static async Task<string> HashAsync(int seed)
    {
        var program = new ProcessStartInfo("dotnet", [typeof(SeedTests).Assembly.Location, "--seed", seed.ToString(CultureInfo.InvariantCulture), "--hash"]) { RedirectStandardOutput = true };
        using var process = Process.Start(program)!;
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return said.Split('\n').Single(line => line.StartsWith("trace ", StringComparison.Ordinal));
    }
}
