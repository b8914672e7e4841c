using Microsoft.Extensions.Options;
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
    [Trait("DE", "M12")]
    public Task Two_sights_are_read_in_order_with_their_fields_and_the_sequence_ends_by_its_reader() => TwoNodes.InTurnsAsync(async () =>
    {
        using var reading = new CancellationTokenSource();
        _cluster.Now = Sight(7, ("a", "1", NodeStanding.Member));
        await using var watch = _nodes.WatchNodesAsync(reading.Token).GetAsyncEnumerator();
        Assert.True((await TimeAsync(watch.MoveNextAsync().AsTask())).Result);
        var first = watch.Current;
        var next = watch.MoveNextAsync().AsTask();
        _cluster.Now = Sight(8, ("a", "1", NodeStanding.Member), ("b", "2", NodeStanding.Joining));
        Assert.True((await TimeAsync(next)).Result);

        Assert.Equal((7, "a 1 Member"), (first.Index, Words(first)));
        Assert.Equal((8, "a 1 Member, b 2 Joining"), (watch.Current.Index, Words(watch.Current)));
        var last = watch.MoveNextAsync().AsTask();
        reading.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => TimeAsync(last));

        static string Words(ClusterNodes nodes) => string.Join(", ", nodes.Nodes.Select(node => $"{node.Name} {node.Id} {node.Standing}"));
    });

    [Fact]
    [Trait("DE", "M11")]
    public Task Whoever_follows_is_told_at_once_where_the_server_refuses_for_good() => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.OnNext = (_, _) => throw new WatchException(WatchErrorCode.Unauthorized, "not for you");
        await using var watch = _nodes.WatchNodesAsync().GetAsyncEnumerator();
        var refused = await Assert.ThrowsAsync<WatchException>(() => TimeAsync(watch.MoveNextAsync().AsTask()));
        Assert.Equal((WatchErrorCode.Unauthorized, "not for you"), (refused.Code, refused.Message));
    });

    [Fact]
    [Trait("DE", "M13")]
    public Task Whoever_stops_following_before_there_was_a_sight_is_through_at_once() => TwoNodes.InTurnsAsync(async () =>
    {
        using var reading = new CancellationTokenSource();
        _cluster.OnNext = (_, _) => new TaskCompletionSource<NodesNews>().Task;
        await using var watch = _nodes.WatchNodesAsync(reading.Token).GetAsyncEnumerator();
        var first = watch.MoveNextAsync().AsTask();
        await PassAsync(TimeSpan.FromMilliseconds(100));
        Assert.False(first.IsCompleted);
        var began = _time.GetTimestamp();
        reading.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => TimeAsync(first));
        Assert.InRange(_time.GetElapsedTime(began), TimeSpan.Zero, s_step);
    });

    [Fact]
    public Task A_wish_is_told_by_another_door_where_one_leads_to_a_frozen_server() => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.Now = Sight(7, ("a", "1", NodeStanding.Member));
        // It freezes between the look and the wish.
        _cluster.OnAnswered = () => _cluster.Frozen.Add(0);
        _cluster.OnAdd = (name, _) =>
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
        _cluster.OnAdd = (_, _) => Task.FromResult(9L);
        _cluster.OnLook = looks => _cluster.Now = looks switch
        {
            3 => Sight(8, ("b", "1", NodeStanding.Leaving)),
            4 => Sight(9, ("b", "1", NodeStanding.Leaving), ("b", "2", NodeStanding.Joining)),
            5 => Sight(10, ("b", "2", NodeStanding.Member)),
            _ => _cluster.Now,
        };
        Assert.Equal("2", (await TimeAsync(_nodes.AddNodeAsync("b"))).Result.Id);
    });

    [Fact]
    public Task A_wish_says_what_its_teller_had_seen_and_who_goes_by_its_number_the_same_with_every_telling() => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.Now = Sight(7, ("a", "1", NodeStanding.Member), ("b", "2", NodeStanding.Member), ("b", "3", NodeStanding.Leaving));
        var told = new List<string>();
        _cluster.OnRemove = (name, id, seen) => TellAsync($"remove {name} {id} {seen}");
        await TimeAsync(DoneAsync(_nodes.RemoveNodeAsync("b")));
        Assert.Equal(["remove b 2 7", "remove b 2 7"], told);

        told.Clear();
        _cluster.OnAdd = (name, seen) => TellAsync($"add {name} {seen}");
        await TimeAsync(_nodes.AddNodeAsync("a"));
        Assert.Equal(["add a 9", "add a 9"], told);

        Task<long> TellAsync(string telling)
        {
            told.Add(telling);
            _cluster.Now = Sight(8 + told.Count - 1, ("a", "1", NodeStanding.Member));
            return told.Count == 1 ? throw new SiloUnavailableException("lost on the way back") : Task.FromResult(9L);
        }
    });

    [Fact]
    public Task A_node_is_removed_by_what_a_leader_knows_and_one_that_is_missing_there_is_unknown() => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.OnLook = looks => _cluster.Now = looks switch
        {
            // Nobody leads, and who answers knows of no node.
            < 4 => new ClusterNodes { Waits = ["No silo that answers belongs to a cluster."] },
            _ => Sight(7, ("a", "1", NodeStanding.Member)),
        };
        var told = 0;
        _cluster.OnRemove = (_, _, _) => Task.FromResult((long)++told);
        var unknown = await Assert.ThrowsAsync<WatchException>(() => TimeAsync(DoneAsync(_nodes.RemoveNodeAsync("b"))));
        Assert.Equal((WatchErrorCode.UnknownNode, 0, 4), (unknown.Code, told, _cluster.Looks));

        _cluster.OnLook = _ => _cluster.Now = new ClusterNodes();
        var began = _time.GetTimestamp();
        Assert.Equal(WatchErrorCode.NoQuorum, (await Assert.ThrowsAsync<WatchException>(() => TimeAsync(DoneAsync(_nodes.RemoveNodeAsync("a"))))).Code);
        Assert.InRange(_time.GetElapsedTime(began), _options.WriteTimeout, _options.WriteTimeout + s_soon);
    });

    [Fact]
    public Task A_node_counts_as_removed_or_as_staying_after_all_by_no_sight_that_is_older_than_the_wish() => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.OnRemove = (_, _, _) => Task.FromResult(9L);
        _cluster.OnLook = looks => _cluster.Now = looks switch
        {
            1 => Sight(7, ("a", "1", NodeStanding.Member), ("b", "2", NodeStanding.Member)),
            // An old leader does not know the node yet; then the leader is lost, and the best informed has not heard of the wish.
            2 => Sight(5, ("a", "1", NodeStanding.Member)),
            3 => Sight(9, ("a", "1", NodeStanding.Member), ("b", "2", NodeStanding.Leaving)),
            4 => Sight(8, ("a", "1", NodeStanding.Member), ("b", "2", NodeStanding.Member)) with { Leaders = [] },
            _ => Sight(10, ("a", "1", NodeStanding.Member)),
        };
        await TimeAsync(DoneAsync(_nodes.RemoveNodeAsync("b")));
        Assert.Equal(5, _cluster.Looks);
    });

    /// <summary>What was wished is so already, so what an older sight shows and a newer one is the same.</summary>
    [Fact]
    public Task A_wish_is_fulfilled_by_the_first_sight_that_is_new_enough_though_it_looks_like_one_that_was_not() => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.Now = Sight(7, ("a", "1", NodeStanding.Member), ("b", "2", NodeStanding.Member));
        _cluster.OnAdd = (_, _) => Task.FromResult(9L);
        _cluster.OnNext = (_, _) =>
        {
            var nodes = _cluster.Look();
            _cluster.Now = nodes with { Index = nodes.Index + 1 };
            return Task.FromResult(new NodesNews(nodes, nodes.Fingerprint()));
        };
        Assert.Equal("2", (await TimeAsync(_nodes.AddNodeAsync("b"))).Result.Id);
        Assert.Equal(4, _cluster.Looks);
    });

    [Fact]
    public Task A_removal_that_was_taken_back_is_told_as_that() => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.OnRemove = (_, _, _) => Task.FromResult(9L);
        _cluster.OnLook = looks => _cluster.Now = Sight(looks == 1 ? 7 : 11, ("a", "1", NodeStanding.Member), ("b", "2", NodeStanding.Member));
        Assert.Equal(WatchErrorCode.ChangeUnderWay, (await Assert.ThrowsAsync<WatchException>(() => TimeAsync(DoneAsync(_nodes.RemoveNodeAsync("b"))))).Code);
    });

    /// <summary>Silos of different versions, and one that still sees an old leader, answer every question at once.</summary>
    [Theory]
    [InlineData(7)]
    [InlineData(6)]
    public Task Answers_without_news_are_not_asked_for_at_the_speed_of_calls(long index) => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.Now = Sight(7, ("a", "1", NodeStanding.Member));
        await using var watch = _nodes.WatchNodesAsync().GetAsyncEnumerator();
        Assert.True((await TimeAsync(watch.MoveNextAsync().AsTask())).Result);
        var asked = new List<string>();
        _cluster.OnNext = (seen, _) =>
        {
            asked.Add(seen);
            return Task.FromResult(new NodesNews(Sight(index, ("a", "1", index == 7 ? NodeStanding.Member : NodeStanding.Joining)), $"token {asked.Count}"));
        };
        var next = watch.MoveNextAsync().AsTask();
        for (var second = 0; second < 10; second++)
            await PassAsync(TimeSpan.FromSeconds(1));

        Assert.InRange(asked.Count, 10, 41);
        // What a silo says of its sight is told back to it, whatever it means.
        Assert.Equal(Enumerable.Range(1, asked.Count - 1).Select(at => $"token {at}"), asked.Skip(1));
        _cluster.OnNext = null;
        _cluster.Now = Sight(8, ("a", "1", NodeStanding.Member), ("b", "2", NodeStanding.Joining));
        Assert.True((await TimeAsync(next)).Result);
        Assert.Equal(2, watch.Current.Nodes.Length);
    });

    [Theory]
    [InlineData(10, 2000)]
    [InlineData(2, 1000)]
    [InlineData(1, 500)]
    public Task A_question_is_held_so_long_only_that_its_answer_comes_in_time(int callTimeoutSeconds, int holdMs) => TwoNodes.InTurnsAsync(async () =>
    {
        _options.CallTimeout = TimeSpan.FromSeconds(callTimeoutSeconds);
        _cluster.Now = Sight(7, ("a", "1", NodeStanding.Member));
        var held = new List<TimeSpan>();
        _cluster.OnNext = (_, hold) =>
        {
            held.Add(hold);
            return Task.FromResult(new NodesNews(_cluster.Look(), "token"));
        };
        await using var watch = _nodes.WatchNodesAsync().GetAsyncEnumerator();
        Assert.True((await TimeAsync(watch.MoveNextAsync().AsTask())).Result);
        Assert.Equal(TimeSpan.FromMilliseconds(holdMs), Assert.Single(held));
    });

    [Fact]
    public Task A_wish_ends_when_its_time_is_over_though_a_telling_might_take_longer() => TwoNodes.InTurnsAsync(async () =>
    {
        _options.WriteTimeout = TimeSpan.FromSeconds(15);
        _cluster.Now = Sight(7, ("a", "1", NodeStanding.Member));
        _cluster.OnAdd = (_, _) => new TaskCompletionSource<long>().Task;
        var began = _time.GetTimestamp();
        Assert.Equal(WatchErrorCode.OutcomeUnknown, (await Assert.ThrowsAsync<WatchException>(() => TimeAsync(_nodes.AddNodeAsync("b")))).Code);
        Assert.InRange(_time.GetElapsedTime(began), _options.WriteTimeout, _options.WriteTimeout + s_soon);
    });

    [Fact]
    public Task A_refusal_after_a_telling_that_was_lost_leaves_the_outcome_open_and_is_the_truth_without_one() => TwoNodes.InTurnsAsync(async () =>
    {
        _cluster.Now = Sight(7, ("a", "1", NodeStanding.Member));
        var refused = new WatchException(WatchErrorCode.ChangeUnderWay, "another comes");
        _cluster.OnAdd = (_, _) => throw refused;
        Assert.Equal(WatchErrorCode.ChangeUnderWay, (await Assert.ThrowsAsync<WatchException>(() => TimeAsync(_nodes.AddNodeAsync("b")))).Code);
        var tellings = 0;
        _cluster.OnAdd = (_, _) => throw (++tellings == 1 ? new TimeoutException("lost") : refused);
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

    private async Task PassAsync(TimeSpan span)
    {
        for (var until = span; until > TimeSpan.Zero; until -= s_step)
        {
            await TwoNodes.PassAsync();
            _time.Advance(s_step);
            _time.Fire();
        }
    }
}
