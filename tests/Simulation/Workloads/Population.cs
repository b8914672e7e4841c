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
    private const int WatchesEach = 2;

    private readonly TaskCompletionSource _stop = new();
    private readonly List<Task> _remotes = [];
    private readonly List<Task> _hosted = [];
    private readonly List<Task> _watching = [];
    private readonly Audience _audience = new(cluster);

    /// <summary>Everybody who follows something.</summary>
    public Audience Audience => _audience;

    private Random Random => cluster.Random;

    /// <summary>Lets everybody begin.</summary>
    public void Begin()
    {
        for (var at = 0; at < Remotes; at++)
            _remotes.Add(LiveOutsideAsync($"remote{at}"));
        _remotes.Add(ActAsync(new FlurryActor("flurry", history, Random), cluster.AddRemote("flurry"), cluster.World.TimeProvider));
        if (cluster.Plan.Compacts)
            _remotes.Add(GiveUpHistoryAsync());
        foreach (var node in cluster.Nodes)
            _hosted.Add(HostAsync(node));
    }

    /// <summary>Has everybody outside finish the operation that is under way.</summary>
    public async Task StopAsync()
    {
        _stop.TrySetResult();
        await Task.WhenAll(_remotes);
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

    /// <summary>A program that writes and watches; when its process ends another one begins, and goes on where the cursors are that it had kept.</summary>
    private async Task LiveOutsideAsync(string name)
    {
        var watches = Enumerable.Range(0, WatchesEach).Select(at => _audience.Enter($"{name}.{at}")).ToList();
        for (var life = 0; !_stop.Task.IsCompleted; life++)
        {
            var (process, client) = cluster.AddProgram($"{name}.{life}");
            var actor = NewActor(process.Name);
            foreach (var watch in watches)
                _watching.Add(process.RunAsync(() => watch.AttendAsync(client, process.Clock, process.Ended)));
            await Task.WhenAny(process.RunAsync(() => ActAsync(actor, client, process.Clock)), process.Ended);
        }
    }

    private async Task GiveUpHistoryAsync()
    {
        var (client, nodes) = (cluster.AddRemote("historian"), cluster.AddOperator("operator"));
        while (!_stop.Task.IsCompleted)
        {
            await Task.WhenAny(cluster.PassAsync(TimeSpan.FromSeconds(0.5 + (Random.NextDouble() * 3))), _stop.Task);
            try
            {
                var status = await client.StatusAsync();
                await nodes.CompactAsync(new Revision(Math.Max(0, status.Revision.Value - Random.Next(80))));
                cluster.Counts.Add(FaultKind.HistoryGivenUp);
            }
            catch (WatchException)
            {
                continue;
            }
        }
    }

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
            var watching = silo.RunAsync(() => _audience.Enter(name).AttendAsync(client, clock, silo.Ended));
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
}
