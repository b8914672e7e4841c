using Watch.Core;
using Watch.Simulation.Tests.Faults;

namespace Watch.Simulation.Tests.Workloads;

/// <summary>
/// Everybody who uses the cluster in a run: programs outside, and services hosted in the silos, which begin again with every silo of
/// their node and end in the middle of whatever they do when it crashes.
/// </summary>
internal sealed class Population(ClusterUnderTest cluster, History history)
{
    private const int Remotes = 3;
    private static readonly string[] s_prefixes = ["/", "/registers/", "/sets/"];

    private readonly TaskCompletionSource _stop = new();
    private readonly List<Task> _remotes = [];
    private readonly List<Task> _hosted = [];
    private readonly List<WatchActor> _watchers = [];

    private Random Random => cluster.Random;

    /// <summary>Lets everybody begin.</summary>
    public void Begin()
    {
        for (var at = 0; at < Remotes; at++)
        {
            var name = $"remote{at}";
            var client = cluster.AddRemote(name);
            _remotes.Add(ActAsync(NewActor(name), client, cluster.World.TimeProvider));
            _remotes.Add(WatchAsync(name, client, new TaskCompletionSource().Task));
        }

        foreach (var node in cluster.Nodes)
            _hosted.Add(HostAsync(node));
    }

    /// <summary>Has everybody outside finish the operation that is under way.</summary>
    public async Task StopAsync()
    {
        _stop.TrySetResult();
        await Task.WhenAll(_remotes.Where((_, at) => at % 2 == 0));
    }

    /// <summary>Done when every watch that still runs has delivered everything up to its target's last change.</summary>
    public async Task CatchUpAsync(Func<WatchTarget, Revision> lastChange, TimeSpan limit)
    {
        var started = cluster.World.TimeProvider.GetTimestamp();
        while (_watchers.Where(each => each.IsRunning).Select(each => each.Record).FirstOrDefault(each => CursorOf(each) < lastChange(each.Target)) is { } behind)
        {
            if (cluster.World.TimeProvider.GetElapsedTime(started) > limit)
                throw new ViolationException($"The {behind} stands at {CursorOf(behind)} {limit.TotalSeconds} s after everything was healed, and its target last changed in {lastChange(behind.Target)}.{Environment.NewLine}{cluster.Describe()}", ViolationKind.Standstill);
            await cluster.PassAsync(TimeSpan.FromMilliseconds(200));
        }

        foreach (var watcher in _watchers.Where(each => each.IsRunning))
            watcher.Record.IsCutShort = false;
    }

    /// <summary>Something that failed in a client by itself, which no client may.</summary>
    public void ThrowIfFailed()
    {
        foreach (var failed in _remotes.Concat(_hosted).Where(each => each.IsFaulted))
            throw new ViolationException($"A client failed: {failed.Exception!.InnerException}", ViolationKind.Run);
    }

    private static Revision CursorOf(WatchRecord record) => record.Batches.Count == 0 ? record.Start : record.Batches[^1].Revision;

    private Actor NewActor(string name) => Random.Next(4) switch
    {
        0 => new BankActor(name, history, Random),
        1 => new SetActor(name, history, Random),
        _ => new RegisterActor(name, history, Random),
    };

    private async Task HostAsync(NodeUnderTest node)
    {
        for (var life = 0; !_stop.Task.IsCompleted; life++)
        {
            await Task.WhenAny(node.Came, _stop.Task);
            if (_stop.Task.IsCompleted || node.Silo is not { } silo)
                return;
            var name = $"{node.Name}.{life}";
            var clock = silo.Clock;
            var actor = NewActor(name);
            var client = node.Client;
            var reading = silo.RunAsync(() => ActAsync(new ReaderActor($"{name}r", history, Random), client, clock));
            var watching = silo.RunAsync(() => WatchAsync(name, client, silo.Ended));
            await Task.WhenAny(silo.RunAsync(() => ActAsync(actor, client, clock)), silo.Ended);
            foreach (var failed in new[] { watching, reading }.Where(each => each.IsFaulted))
                await failed;
        }
    }

    private async Task ActAsync(Actor actor, IWatchClient client, TimeProvider clock)
    {
        while (!_stop.Task.IsCompleted)
        {
            await actor.StepAsync(client);
            var pause = Passing.On(clock, actor.OnlyReads ? actor.Pause : actor.Pause * cluster.Plan.Leisure);
            await Task.WhenAny(pause, _stop.Task);
        }
    }

    private Task WatchAsync(string name, IWatchClient client, Task gone)
    {
        var target = Random.Next(2) == 0
            ? WatchTarget.Prefix(s_prefixes[Random.Next(s_prefixes.Length)])
            : WatchTarget.Key($"/registers/{Random.Next(RegisterActor.Keys)}");
        var watcher = new WatchActor(name, target, history, Random.Next(3) == 0 ? new Revision(1) : null, gone);
        _watchers.Add(watcher);
        return watcher.RunAsync(client, cluster.World.TimeProvider);
    }
}
