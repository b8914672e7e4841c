using System.Reflection;
using Orleans;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>What the cluster's grain says, behind doors some of which are frozen.</summary>
internal sealed class FakeCluster
{
    private readonly List<TaskCompletionSource> _changes = [];
    private ClusterNodes _now = new();
    private int _looks;

    public HashSet<int> Frozen { get; } = [];

    /// <summary>Called with the name, and with what the teller had seen.</summary>
    public Func<string, long, Task<long>> OnAdd { get; set; } = (_, _) => Task.FromResult(0L);

    /// <summary>Called with name and number, and with what the teller had seen.</summary>
    public Func<string, string, long, Task<long>> OnRemove { get; set; } = (_, _, _) => Task.FromResult(0L);

    /// <summary>What is answered to those who follow, instead of the next change; called with the token and how long it may be held.</summary>
    public Func<string, TimeSpan, Task<NodesNews>>? OnNext { get; set; }

    /// <summary>Called when an answer has left its server.</summary>
    public Action OnAnswered { get; set; } = () => { };

    public int Looks => _looks;

    /// <summary>Called with the number of each look.</summary>
    public Action<int> OnLook { get; set; } = _ => { };

    public ClusterNodes Now
    {
        get => _now;
        set
        {
            _now = value;
            foreach (var each in _changes)
                each.TrySetResult();
            _changes.Clear();
        }
    }

    public async Task<T> AnswerAsync<T>(int door, Func<Task<T>> answer)
    {
        await NotWhileFrozenAsync(door);
        var said = await answer();
        await NotWhileFrozenAsync(door);
        OnAnswered();
        return said;
    }

    public ClusterNodes Look()
    {
        OnLook(++_looks);
        return _now;
    }

    public async Task<NodesNews> NextAsync(string seen, TimeSpan hold)
    {
        if (OnNext is { } next)
            return await next(seen, hold);
        while (Look() is var nodes)
        {
            if (nodes.Fingerprint() != seen)
                return new NodesNews(nodes, nodes.Fingerprint());
            var change = new TaskCompletionSource();
            _changes.Add(change);
            await change.Task;
        }

        throw new InvalidOperationException();
    }

    private Task NotWhileFrozenAsync(int door) => Frozen.Contains(door) ? new TaskCompletionSource().Task : Task.CompletedTask;
}

/// <summary>The cluster's grain as one of its doors shows it.</summary>
internal sealed class FakeDoor(FakeCluster cluster, int door) : IClusterGrain
{
    public Task<WatcherList> ListWatchers(WatchersQuestion question, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<bool> EndWatcher(string silo, long id, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<ClusterNodes> ListNodes(CancellationToken cancellationToken) => cluster.AnswerAsync(door, () => Task.FromResult(cluster.Look()));

    public Task<NodesNews> NextNodes(string seen, TimeSpan hold, CancellationToken cancellationToken) => cluster.AnswerAsync(door, () => cluster.NextAsync(seen, hold));

    public Task<long> AddNode(string name, long seen, CancellationToken cancellationToken) => cluster.AnswerAsync(door, () => cluster.OnAdd(name, seen));

    public Task<long> RemoveNode(string name, string id, long seen, bool force, CancellationToken cancellationToken) =>
        cluster.AnswerAsync(door, () => cluster.OnRemove(name, id, seen));

    public Task Feel() => cluster.AnswerAsync(door, () => Task.FromResult(true));
}

/// <summary>A factory that knows the cluster's grain only, by its doors.</summary>
internal class FakeFactory : DispatchProxy
{
    private FakeCluster _cluster = new();

    public static IGrainFactory Over(FakeCluster cluster)
    {
        var factory = Create<IGrainFactory, FakeFactory>();
        ((FakeFactory)(object)factory)._cluster = cluster;
        return factory;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        new FakeDoor(_cluster, Enumerable.Range(0, GrainKeys.Doors).Single(door => GrainKeys.OfClusterDoor(door) == (string)args![0]!));
}
