using System.Reflection;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Runtime;
using Watch.Client;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>How a client asks for the cluster's nodes, and wishes for changes of them, where servers freeze or are lost; by a clock that the test moves.</summary>
public sealed class ClusterCallsTests
{
    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(2);

    private readonly ManualTime _time = new();
    private readonly WatchClientOptions _options = new();
    private readonly FakeCluster _cluster = new();
    private readonly GrainWatchCluster _nodes;

    public ClusterCallsTests() => _nodes = new GrainWatchCluster(FakeFactory.Over(_cluster), Options.Create(_options), _time, new SystemWatchRandom(), isOutside: true);

    [Fact]
    public Task The_list_is_asked_for_by_another_door_where_one_leads_to_a_frozen_server() => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.Frozen.UnionWith([0, 1, 2, 3, 4]);
        _cluster.Now = Sight(7, ("a", "1", NodeStanding.Member));
        var (nodes, took) = await TimeAsync(_nodes.ListNodesAsync());
        Assert.Equal("a", Assert.Single(nodes.Nodes).Name);
        Assert.InRange(took, TimeSpan.Zero, s_soon);

        // Whoever has met the silence avoids it.
        Assert.Equal(TimeSpan.Zero, (await TimeAsync(_nodes.ListNodesAsync())).Took);
    });

    [Fact]
    public Task Those_who_follow_the_nodes_leave_a_frozen_server_too() => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.Now = Sight(7, ("a", "1", NodeStanding.Member));
        await using var watch = _nodes.WatchNodesAsync().GetAsyncEnumerator();
        Assert.True((await TimeAsync(watch.MoveNextAsync().AsTask())).Result);
        var next = watch.MoveNextAsync().AsTask();
        _cluster.Frozen.Add(0);
        _cluster.Now = Sight(8, ("a", "1", NodeStanding.Member), ("b", "2", NodeStanding.Joining));
        var (more, took) = await TimeAsync(next);
        Assert.True(more);
        Assert.Equal(2, watch.Current.Nodes.Length);
        Assert.InRange(took, _options.WatchQuiet, _options.WatchQuiet + s_soon);
    });

    [Fact]
    public Task A_wish_is_told_by_another_door_where_one_leads_to_a_frozen_server() => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.Frozen.Add(0);
        _cluster.OnAdd = name =>
        {
            _cluster.Now = Sight(9, (name, "2", NodeStanding.Member));
            return Task.FromResult(9L);
        };
        var (added, took) = await TimeAsync(_nodes.AddNodeAsync("b"));
        Assert.Equal("2", added.Id);
        Assert.InRange(took, TimeSpan.Zero, s_soon);
    });

    [Fact]
    public Task A_node_counts_as_added_by_no_sight_that_is_older_than_the_wish() => TwoNodes.InTurnsAsync(async () =>
    {
        // The leader that recorded the wish is lost, and the others have not heard of it: they show the old node of the name.
        _cluster.Now = Sight(7, ("b", "1", NodeStanding.Member));
        _cluster.OnAdd = _ => Task.FromResult(9L);
        _cluster.OnLook = looks => _cluster.Now = looks switch
        {
            2 => Sight(8, ("b", "1", NodeStanding.Leaving)),
            3 => Sight(9, ("b", "1", NodeStanding.Leaving), ("b", "2", NodeStanding.Joining)),
            4 => Sight(10, ("b", "2", NodeStanding.Member)),
            _ => _cluster.Now,
        };
        Assert.Equal("2", (await TimeAsync(_nodes.AddNodeAsync("b"))).Result.Id);
    });

    [Fact]
    public Task A_node_that_goes_is_named_by_its_number_so_that_a_wish_that_comes_late_meets_no_other() => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.Now = Sight(7, ("a", "1", NodeStanding.Member), ("b", "2", NodeStanding.Member), ("b", "3", NodeStanding.Leaving));
        var told = new List<string>();
        _cluster.OnRemove = (name, id) =>
        {
            told.Add($"{name} {id}");
            if (told.Count == 1)
                throw new SiloUnavailableException("lost on the way back");
            _cluster.Now = Sight(9, ("a", "1", NodeStanding.Member));
            return Task.CompletedTask;
        };
        await TimeAsync(DoneAsync(_nodes.RemoveNodeAsync("b")));
        Assert.Equal(["b 2", "b 2"], told);
    });

    [Fact]
    public Task A_refusal_after_a_telling_that_was_lost_leaves_the_outcome_open_and_is_the_truth_without_one() => TwoNodes.InTurnsAsync(async () =>
    {
        var refused = new WatchException(WatchErrorCode.ChangeUnderWay, "another comes");
        _cluster.OnAdd = _ => throw refused;
        Assert.Equal(WatchErrorCode.ChangeUnderWay, (await Assert.ThrowsAsync<WatchException>(() => TimeAsync(_nodes.AddNodeAsync("b")))).Code);
        var tellings = 0;
        _cluster.OnAdd = _ => throw (++tellings == 1 ? new TimeoutException("lost") : refused);
        var unknown = await Assert.ThrowsAsync<WatchException>(() => TimeAsync(_nodes.AddNodeAsync("b")));
        Assert.Equal((WatchErrorCode.OutcomeUnknown, 2), (unknown.Code, tellings));
        Assert.Contains("another comes", unknown.Message, StringComparison.Ordinal);
    });

    [Fact]
    public Task What_is_lost_at_once_is_asked_for_again_until_its_time_is_over() => TwoNodes.InTurnsAsync(async () =>
    {
        var looks = 0;
        _cluster.OnLook = at => looks = at <= 5 ? throw new SiloUnavailableException("connection refused") : at;
        _cluster.Now = Sight(7, ("a", "1", NodeStanding.Member));
        Assert.Single((await TimeAsync(_nodes.ListNodesAsync())).Result.Nodes);
        Assert.Equal(6, looks);

        _cluster.OnLook = _ => throw new SiloUnavailableException("connection refused");
        var began = _time.GetTimestamp();
        var lost = await Assert.ThrowsAsync<WatchException>(() => TimeAsync(_nodes.ListNodesAsync()));
        Assert.Equal(WatchErrorCode.Unavailable, lost.Code);
        Assert.Contains("connection refused", lost.Message, StringComparison.Ordinal);
        Assert.InRange(_time.GetElapsedTime(began), _options.CallTimeout, _options.CallTimeout + s_soon);
    });

    private static ClusterNodes Sight(long index, params (string Name, string Id, NodeStanding Standing)[] nodes) => new()
    {
        Index = index,
        Nodes = [.. nodes.Select(node => new ClusterNode { Name = node.Name, Id = node.Id, Standing = node.Standing })],
        Leaders = [new GroupLeader(ClusterNodes.SystemGroup, "a", 1)],
    };

    private static async Task<bool> DoneAsync(Task task)
    {
        await task;
        return true;
    }

    /// <summary>Lets time pass until a task ends.</summary>
    private async Task<(T Result, TimeSpan Took)> TimeAsync<T>(Task<T> task)
    {
        var began = _time.GetTimestamp();
        while (true)
        {
            await TwoNodes.PassAsync();
            if (task.IsCompleted)
                break;
            Assert.True(_time.GetElapsedTime(began) < TimeSpan.FromMinutes(2), "it never ends");
            _time.Advance(s_step);
            _time.Fire();
        }

        return (await task, _time.GetElapsedTime(began));
    }

    /// <summary>What the cluster's grain says, behind doors some of which are frozen.</summary>
    private sealed class FakeCluster
    {
        private readonly List<TaskCompletionSource> _changes = [];
        private ClusterNodes _now = new();
        private int _looks;

        public HashSet<int> Frozen { get; } = [];

        public Func<string, Task<long>> OnAdd { get; set; } = _ => Task.FromResult(0L);

        public Func<string, string, Task> OnRemove { get; set; } = (_, _) => Task.CompletedTask;

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
            return said;
        }

        public ClusterNodes Look()
        {
            OnLook(++_looks);
            return _now;
        }

        public async Task<ClusterNodes> NextAsync(string seen)
        {
            while (Look() is var nodes)
            {
                if (nodes.Fingerprint() != seen)
                    return nodes;
                var change = new TaskCompletionSource();
                _changes.Add(change);
                await change.Task;
            }

            throw new InvalidOperationException();
        }

        private Task NotWhileFrozenAsync(int door) => Frozen.Contains(door) ? new TaskCompletionSource().Task : Task.CompletedTask;
    }

    /// <summary>The cluster's grain as one of its doors shows it.</summary>
    private sealed class FakeDoor(FakeCluster cluster, int door) : IClusterGrain
    {
        public Task<ClusterNodes> ListNodes(CancellationToken cancellationToken) => cluster.AnswerAsync(door, () => Task.FromResult(cluster.Look()));

        public Task<ClusterNodes> NextNodes(string seen, CancellationToken cancellationToken) => cluster.AnswerAsync(door, () => cluster.NextAsync(seen));

        public Task<long> AddNode(string name, CancellationToken cancellationToken) => cluster.AnswerAsync(door, () => cluster.OnAdd(name));

        public Task RemoveNode(string name, string id, bool force, CancellationToken cancellationToken) =>
            cluster.AnswerAsync(door, () => DoneAsync(cluster.OnRemove(name, id)));

        public Task Feel() => cluster.AnswerAsync(door, () => Task.FromResult(true));
    }

    /// <summary>A factory that knows the cluster's grain only, by its doors.</summary>
    private class FakeFactory : DispatchProxy
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
}
