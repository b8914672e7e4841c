using Watch.Core.Storage;
using Watch.Embedded.Simulation;
using Watch.Simulation.Tests.Checkers;
using Watch.Simulation.Tests.Faults;
using Watch.Simulation.Tests.Workloads;

namespace Watch.Simulation.Tests.Running;

/// <summary>What came of a run.</summary>
/// <param name="Plan">What it was to be.</param>
/// <param name="Violation">What the product did wrong; null where nothing.</param>
/// <param name="Kind">Of what kind that is.</param>
/// <param name="Missing">The faults that it names and that did not happen: then it proves nothing.</param>
/// <param name="IsUndecided">Whether a checker gave up.</param>
/// <param name="Counts">What really went wrong.</param>
/// <param name="Operations">How many operations the clients began.</param>
/// <param name="Known">Of how many it is known what came of them.</param>
/// <param name="Steps">How many steps the world took.</param>
/// <param name="Trace">What happened; empty where nobody asked for it.</param>
internal sealed record RunResult(
    FaultPlan Plan, string? Violation, ViolationKind Kind, IReadOnlyList<FaultKind> Missing, bool IsUndecided, FaultCounts Counts, int Operations, int Known, long Steps, IReadOnlyList<string> Trace)
{
    public bool IsValid => Missing.Count == 0 && !IsUndecided;
}

/// <summary>One run: a cluster is born, used while faults happen, healed, read to the end, and judged.</summary>
internal sealed class SeedRun
{
    private static readonly TimeSpan s_recovery = TimeSpan.FromSeconds(90);

    private readonly ClusterUnderTest _cluster;
    private readonly Recorder _recorder;
    private readonly History _history;
    private readonly Population _population;
    private bool _isUndecided;

    private SeedRun(FaultPlan plan, bool trace)
    {
        _recorder = plan.Variant is { } name ? Variants.Defects.Of(name).Seams() : new Recorder();
        _cluster = new ClusterUnderTest(plan, _recorder, trace);
        _recorder.Limits = new LogOptions { SegmentBytesMax = plan.SnapshotEntries > 0 ? 16 << 10 << (plan.Seed & 3) : 64 << 20, AllocateBytes = 4 << 10 << (plan.Seed & 3) };
        _recorder.Installed = () => _cluster.Counts.Add(FaultKind.SnapshotInstalled);
        _history = new History(plan.LeaseReads);
        _population = new Population(_cluster, _history);
    }

    /// <summary>Runs a plan.</summary>
    public static RunResult Run(FaultPlan plan, bool trace = false)
    {
        var run = new SeedRun(plan, trace);
        string? violation = null;
        var kind = ViolationKind.Wrong;
        try
        {
            run._cluster.World.Run(run.LiveAsync);
            violation = run.Judge();
        }
        catch (SimulationException error)
        {
            kind = (error.InnerException as ViolationException)?.Kind ?? ViolationKind.Run;
            violation = error.InnerException is ViolationException found ? found.Message : $"The run did not end well: {error.InnerException}{Environment.NewLine}{run._cluster.Describe()}";
            if (run.JudgeSafely() is { } better)
                (violation, kind) = better;
        }

        var counts = run._cluster.Counts;
        counts.Add(FaultKind.WatchOvertaken, run._population.Audience.Overtaken);
        counts.Add(FaultKind.MessageReordered, run._cluster.World.Network.Overtakings);
        return new RunResult(
            plan, violation, kind, [.. plan.Named.Where(kind => counts[kind] == 0).Order()], run._isUndecided, counts,
            run._history.Operations.Count, run._history.Operations.Count(each => each.Effect != Effect.Unknown), run._cluster.World.Steps, run._cluster.World.Trace);
    }

    private async Task LiveAsync()
    {
        await _cluster.StartAsync();
        await ReadAsync("birth", _cluster.AddRemote("birth"), BankActor.Key);
        _population.Begin();
        await new Nemesis(_cluster).RunAsync();
        await _cluster.HealAsync();
        await _cluster.PassAsync(TimeSpan.FromSeconds(1));
        await _population.StopAsync();
        _population.ThrowIfFailed();
        await ReadToTheEndAsync();
        var committed = new CommittedHistory(_recorder.Entries);
        await _population.Audience.CatchUpAsync(committed, s_recovery);
        await AgreeAsync();
    }

    /// <summary>All states are equal when all have applied the same, whether entry by entry or from a snapshot: results of writes included.</summary>
    private async Task AgreeAsync()
    {
        var started = _cluster.World.TimeProvider.GetTimestamp();
        while (_cluster.Nodes.Select(node => node.State?.Applied).Distinct().Count() > 1)
        {
            if (_cluster.World.TimeProvider.GetElapsedTime(started) > s_recovery)
                throw new ViolationException($"Not all nodes have applied the same {s_recovery.TotalSeconds} s after everything was healed.{Environment.NewLine}{_cluster.Describe()}", ViolationKind.Standstill);
            await _cluster.PassAsync(TimeSpan.FromMilliseconds(200));
        }

        if (_cluster.Nodes.Select(node => node.State?.Digest()).Distinct().Count() > 1)
            throw new ViolationException($"States: the nodes have applied the same and are not in the same state: {string.Join(", ", _cluster.Nodes.Select(node => $"{node.Name} {node.State?.Digest():x16}"))}.");
    }

    /// <summary>Reads every key until that succeeds: what was acknowledged has to be there.</summary>
    private async Task ReadToTheEndAsync()
    {
        var client = _cluster.AddRemote("judge");
        foreach (var key in Enumerable.Range(0, RegisterActor.Keys).Select(at => $"/registers/{at}").Append(BankActor.Key).Append(SetActor.Key))
            await ReadAsync("judge", client, key);
    }

    private async Task ReadAsync(string name, IWatchClient client, string key)
    {
        var started = _cluster.World.TimeProvider.GetTimestamp();
        while (true)
        {
            var read = await _history.GetAsync(name, client, key);
            if (read.Effect == Effect.Done)
                return;
            if (_cluster.World.TimeProvider.GetElapsedTime(started) > s_recovery)
                throw new ViolationException($"Nobody could read {key} for {s_recovery.TotalSeconds} s though nothing was wrong any more: {read.Error}{Environment.NewLine}{_cluster.Describe()}", ViolationKind.Standstill);
            await _cluster.PassAsync(TimeSpan.FromMilliseconds(100));
        }
    }

    /// <summary>A run that did not end may have gone wrong before: that is the better message.</summary>
    private (string Violation, ViolationKind Kind)? JudgeSafely()
    {
        try
        {
            return Judge() is { } violation ? (violation, ViolationKind.Wrong) : null;
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            return ($"The run cannot be judged: {error}", ViolationKind.Run);
        }
    }

    private string? Judge()
    {
        if (_recorder.Violation is { } disagreement)
            return disagreement;
        if (_cluster.Nodes.Select(node => node.BrokenRule).FirstOrDefault(broken => broken is not null) is { } broken)
            return broken;
        var committed = new CommittedHistory(_recorder.Entries);
        return OnceChecker.Check(_history.Operations, committed)
            ?? ReadChecker.Check(_history.Operations, committed)
            ?? RevisionChecker.Check(_history.Operations)
            ?? BankChecker.Check(committed)
            ?? _population.Audience.Judge(committed)
            ?? LinearizabilityChecker.Check(_history.Operations, out _isUndecided);
    }
}
