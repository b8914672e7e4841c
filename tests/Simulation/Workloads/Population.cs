using Watch.Core;
using Watch.Simulation.Tests.Faults;
using Watch.Simulation.Tests.Watches;

namespace Watch.Simulation.Tests.Workloads;

/// <summary>
/// Everybody who uses the cluster in a run: programs outside, and services hosted in the silos, which begin again with every silo of
/// their node and end in the middle of whatever they do when it crashes.
/// </summary>
internal sealed class Population(ClusterUnderTest cluster, History history)
{
    private const int Remotes = 3;
    private const int Watches = 2;

    private readonly TaskCompletionSource _stop = new();
    private readonly List<Task> _remotes = [];
    private readonly List<Task> _hosted = [];
    private readonly List<Task> _watching = [];
    private readonly List<WatchActor> _watchers = [];
    private readonly WatchDraw _draw = new(cluster.Random);

    private Random Random => cluster.Random;

    /// <summary>Lets everybody begin.</summary>
    public void Begin()
    {
        for (var at = 0; at < Remotes; at++)
        {
            var name = $"remote{at}";
            var client = cluster.AddRemote(name);
            _remotes.Add(ActAsync(NewActor(name), client, cluster.World.TimeProvider));
            for (var watch = 0; watch < Watches; watch++)
                _watching.Add(WatchAsync($"{name}.{watch}", client, new TaskCompletionSource().Task));
        }

        _remotes.Add(ActAsync(new FlurryActor("flurry", history, Random), cluster.AddRemote("flurry"), cluster.World.TimeProvider));

        foreach (var node in cluster.Nodes)
            _hosted.Add(HostAsync(node));
    }

    /// <summary>Has everybody outside finish the operation that is under way.</summary>
    public async Task StopAsync()
    {
        _stop.TrySetResult();
        await Task.WhenAll(_remotes);
    }

    /// <summary>Done when every watch that still runs has delivered everything up to its target's last change.</summary>
    public async Task CatchUpAsync(Func<Pattern, Revision> lastChange, TimeSpan limit)
    {
        foreach (var watcher in _watchers)
            watcher.Hurry();
        var started = cluster.World.TimeProvider.GetTimestamp();
        while (_watchers.Where(each => each.IsRunning).Select(each => each.Record).FirstOrDefault(each => each.Cursor < lastChange(each.Target)) is { } behind)
        {
            if (cluster.World.TimeProvider.GetElapsedTime(started) > limit)
                throw new ViolationException($"The {behind} stands at {behind.Cursor} {limit.TotalSeconds} s after everything was healed, and its target last changed in {lastChange(behind.Target)}.{Environment.NewLine}{cluster.Describe()}", ViolationKind.Standstill);
            await cluster.PassAsync(TimeSpan.FromMilliseconds(200));
        }
    }

    /// <summary>Something that failed in a client by itself, which no client may.</summary>
    public void ThrowIfFailed()
    {
        foreach (var failed in _remotes.Concat(_watching).Concat(_hosted).Where(each => each.IsFaulted))
            throw new ViolationException($"A client failed: {failed.Exception!.InnerException}", ViolationKind.Run);
    }

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
        var wish = _draw.Wish();
        var record = new WatchRecord(name, wish);
        history.Add(record);
        var watcher = new WatchActor(record, _draw.Pace(), _draw.Habits(wish), Random, gone);
        _watchers.Add(watcher);
        return watcher.RunAsync(client, cluster.World.TimeProvider);
    }
}
