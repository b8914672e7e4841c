using System.Diagnostics;
using Watch.Simulation.Tests.Faults;

namespace Watch.Simulation.Tests.Running;

/// <summary>Runs many seeds, several at a time, each world on a thread of its own.</summary>
internal sealed class Runner
{
    private readonly Lock _gate = new();
    private readonly Summary _summary = new();
    private readonly Stopwatch _watch = new();
    private int _next;
    private long _toldAt;

    public required int From { get; init; }

    public required int Seeds { get; init; }

    public int Workers { get; init; } = 2;

    /// <summary>After this time no more seeds are begun.</summary>
    public TimeSpan? Limit { get; init; }

    public string? Variant { get; init; }

    /// <summary>Stop at a violation of which this is true.</summary>
    public Func<RunResult, bool> StopsAt { get; init; } = _ => false;

    /// <summary>Where progress is told.</summary>
    public Action<string> Say { get; init; } = _ => { };

    public Summary Run()
    {
        Say($"{Seeds} seeds from {From}");
        _watch.Start();
        var threads = Enumerable.Range(0, Workers).Select(_ => new Thread(Work)).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        _summary.Took = _watch.Elapsed;
        return _summary;
    }

    private void Work()
    {
        while (TakeSeed() is { } seed)
        {
            var result = SeedRun.Run(PlanOf(seed, Variant));
            lock (_gate)
                Note(result);
        }
    }

    /// <summary>The plan of a seed, with a deliberate defect or without.</summary>
    public static FaultPlan PlanOf(int seed, string? variant) => variant is null ? FaultPlan.Draw(seed) : Variants.Defects.Of(variant).Plan(seed);

    private int? TakeSeed()
    {
        lock (_gate)
        {
            var over = _next == Seeds || (Limit is { } limit && _watch.Elapsed > limit) || _summary.Violations.Any(StopsAt);
            return over ? null : From + _next++;
        }
    }

    private void Note(RunResult result)
    {
        _summary.Add(result);
        if (result.Violation is not null)
            Say(Report.Of(result));
        if (_watch.ElapsedMilliseconds - _toldAt < 10_000)
            return;
        _toldAt = _watch.ElapsedMilliseconds;
        Say($"{_summary.Runs} of {Seeds} seeds, {_summary.Runs / _watch.Elapsed.TotalSeconds:F1} a second, {_summary.Violations.Count} violations, {_summary.Invalid.Count} invalid");
    }
}

/// <summary>What came of many runs.</summary>
internal sealed class Summary
{
    public int Runs { get; private set; }

    /// <summary>Runs that proved something.</summary>
    public int Passed { get; private set; }

    public List<RunResult> Violations { get; } = [];

    public List<RunResult> Invalid { get; } = [];

    public FaultCounts Counts { get; } = new();

    public long Operations { get; private set; }

    public TimeSpan Took { get; set; }

    public void Add(RunResult result)
    {
        Runs++;
        Counts.Add(result.Counts);
        Operations += result.Operations;
        if (result.Violation is not null)
            Violations.Add(result);
        else if (!result.IsValid)
            Invalid.Add(result);
        else
            Passed++;
    }

    public override string ToString() =>
        $"{Runs} seeds in {Took.TotalSeconds:F0} s ({Runs / Math.Max(0.001, Took.TotalSeconds):F1} a second), {Operations} operations: {Passed} passed, {Violations.Count} violations, {Invalid.Count} invalid"
        + string.Concat(Violations.Select(each => $"{Environment.NewLine}  violation: seed {each.Plan.Seed}"))
        + (Invalid.Count == 0 ? "" : $"{Environment.NewLine}invalid, for want of: {string.Join(", ", Invalid.SelectMany(each => each.IsUndecided ? ["a verdict"] : each.Missing.Select(kind => kind.ToString())).GroupBy(each => each).Select(each => $"{each.Key} {each.Count()}"))}")
        + $"{Environment.NewLine}faults: {Counts}";
}

/// <summary>How a run is told of.</summary>
internal static class Report
{
    public static string Of(RunResult result) => result switch
    {
        { Violation: { } violation } => $"VIOLATION in {result.Plan}{Environment.NewLine}{violation}{Environment.NewLine}faults: {result.Counts}{Environment.NewLine}again: dotnet run --project tests/Simulation -- --seed {result.Plan.Seed} --trace{(result.Plan.Variant is null ? "" : $" --variant \"{result.Plan.Variant}\"")}",
        { IsUndecided: true } => $"INVALID: {result.Plan}: a checker gave up",
        { Missing.Count: > 0 } => $"INVALID: {result.Plan}: there was no {string.Join(", ", result.Missing)}",
        _ => $"passed: {result.Plan}; faults: {result.Counts}",
    };
}
