using Watch.Core;
using Watch.Embedded.Simulation;
using Watch.Simulation.Tests.Checkers;
using Watch.Simulation.Tests.Faults;
using Watch.Simulation.Tests.Watches;

namespace Watch.Simulation.Tests.Dropping;

/// <summary>
/// A short run with watches of every kind in which nothing happens but a change of leaders, and in which one thing on the way of events is
/// lost: a publishing, or a message between two nodes that watching consists of. What is lost is told by its number, which means the same
/// in every run: up to it all runs are alike.
/// </summary>
internal sealed class DropRun
{
    private const int Writes = 12;

    private static readonly TimeSpan s_recovery = TimeSpan.FromSeconds(90);

    private static readonly HashSet<string> s_ofReplicas = ["History", "HistoryAt", "Snapshot", "SnapshotAt", "Register", "Progress", "Unregister"];

    private static readonly WatchWish[] s_wishes =
    [
        new() { Target = new Pattern.One("/tree/a/1"), PreviousValues = true },
        new() { Target = new Pattern.Below("/tree/"), Snapshot = true },
        new() { Target = new Pattern.AnyOf(new Pattern.Like("/tree/*/1"), new Pattern.Beginning("x")), QueueEventsMax = 2 },
    ];

    private readonly Recorder _recorder = new();
    private readonly ClusterUnderTest _cluster;
    private readonly List<WatchActor> _watchers = [];
    private readonly List<Task> _watching = [];
    private readonly int? _drop;
    private int _number;
    private bool _counts;

    private DropRun(int seed, int? drop)
    {
        _drop = drop;
        _cluster = new ClusterUnderTest(new FaultPlan { Seed = seed, Nodes = 3, Named = new HashSet<FaultKind>() }, _recorder, trace: false);
        var usual = _cluster.World.Network.Fate!;
        _cluster.World.Network.Fate = message => IsOfWatching(message) && IsDropped($"{message.From} -> {message.To} {message.Contract}.{message.Method}") ? new MessageFate(0, TimeSpan.Zero) : usual(message);
        _cluster.World.StreamFate = publishing => IsDropped($"publishing to {publishing.Stream}") ? new MessageFate(0, TimeSpan.Zero) : MessageFate.Usual;
    }

    /// <summary>What was lost; null where nothing was.</summary>
    public string? Dropped { get; private set; }

    /// <summary>How many things could be lost.</summary>
    public int Count => _number;

    /// <summary>What went wrong; null where nothing did.</summary>
    public string? Violation { get; private set; }

    /// <summary>Runs, and loses the one with that number.</summary>
    public static DropRun Run(int seed, int? drop)
    {
        var run = new DropRun(seed, drop);
        try
        {
            run._cluster.World.Run(run.LiveAsync);
            run.Violation = run.Judge();
        }
        catch (SimulationException error)
        {
            run.Violation = error.InnerException?.Message ?? error.Message;
        }

        return run;
    }

    private static bool IsOfWatching(SimulatedMessage message) => message.Contract switch
    {
        "watch.IReplicaService" => s_ofReplicas.Contains(message.Method),
        "watch.IWatchDispatcherService" or "watch.IWatchSessionGrain" or "watch.IWatchSessionObserver" => true,
        _ => false,
    };

    private bool IsDropped(string what)
    {
        if (!_counts || _number++ != _drop)
            return false;
        Dropped = what;
        return true;
    }

    private async Task LiveAsync()
    {
        await _cluster.StartAsync();
        var writer = _cluster.AddRemote("writer");
        await writer.PutAsync("/tree/a/1", "before");
        _counts = true;
        var (program, remote) = _cluster.AddProgram("program");
        foreach (var wish in s_wishes)
        {
            Begin($"{wish.Target} outside", wish, remote, program.Clock, program.RunAsync, program.Ended);
            var silo = _cluster.Nodes[_watchers.Count % 3].Silo!;
            Begin($"{wish.Target} within {silo.Name}", wish, _cluster.Nodes[(_watchers.Count - 1) % 3 == 0 ? 1 : 2].Client, silo.Clock, silo.RunAsync, silo.Ended);
        }

        for (var write = 0; write < Writes; write++)
        {
            if (write == Writes / 2)
                await ChangeLeaderAsync();
            await WriteAsync(writer, write);
            await _cluster.PassAsync(TimeSpan.FromMilliseconds(50));
        }

        _counts = false;
        var committed = new CommittedHistory(_recorder.Entries);
        var started = _cluster.World.TimeProvider.GetTimestamp();
        while (_watchers.FirstOrDefault(each => !each.IsRunning || each.Record.Cursor < committed.LastChangeOf(each.Record.Target)) is { } behind)
        {
            if (_cluster.World.TimeProvider.GetElapsedTime(started) > s_recovery)
                throw new ViolationException($"The {behind.Record} stands at {behind.Record.Cursor} {s_recovery.TotalSeconds} s after the last write, and its target last changed in {committed.LastChangeOf(behind.Record.Target)}.", ViolationKind.Standstill);
            await _cluster.PassAsync(TimeSpan.FromMilliseconds(100));
        }
    }

    private void Begin(string name, WatchWish wish, IWatchClient client, TimeProvider clock, Func<Func<Task>, Task> run, Task gone)
    {
        var watcher = new WatchActor(new WatchRecord(name, wish), Pace.Steady, new WatchHabits(false, []), _cluster.Random);
        _watchers.Add(watcher);
        _watching.Add(run(() => watcher.AttendAsync(client, clock, gone)));
    }

    private static async Task WriteAsync(IWatchClient writer, int write)
    {
        string[] keys = ["/tree/a/1", "/tree/b/1", "/tree/2", "x:1"];
        if (write % 5 == 4)
            await writer.DeleteAsync(keys[write % 4]);
        else
            await writer.PutAsync(keys[write % 4], $"v{write}");
    }

    private async Task ChangeLeaderAsync()
    {
        var leader = _cluster.Leader!;
        _cluster.Network.Cut(FaultKind.LeaderIsolated, [leader.Name], [.. _cluster.Nodes.Select(node => node.Name)], bothWays: true);
        while (_cluster.Nodes.All(node => node == leader || !node.Leads))
            await _cluster.PassAsync(TimeSpan.FromMilliseconds(50));
        _cluster.Network.Join();
    }

    private string? Judge()
    {
        var committed = new CommittedHistory(_recorder.Entries);
        return _recorder.Violation
            ?? _watching.FirstOrDefault(each => each.IsFaulted)?.Exception!.InnerException!.ToString()
            ?? _watchers.SelectMany(each => each.Records).Select(each => WatchJudge.Check(each, committed.Changes)).FirstOrDefault(wrong => wrong is not null);
    }
}
