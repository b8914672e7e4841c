using Microsoft.Extensions.Options;
using Watch.Client;
using Watch.Interfaces;
using Xunit.Abstractions;

namespace Watch.Simulation.Tests;

/// <summary>An operator outside the cluster looks at the nodes, follows them and changes them, while a server that is not declared dead is frozen.</summary>
public sealed class FrozenServerNodesTests(ITestOutputHelper output)
{
    /// <summary>Half of them have called before the server freezes.</summary>
    private const int Operators = 12;

    /// <summary>Whoever is not bound to the frozen server waits for a look only.</summary>
    private static readonly TimeSpan s_metMin = TimeSpan.FromSeconds(1.5);

    /// <summary>The wait before a call is asked again, a sign of life, and a look, which gives every silo a second.</summary>
    private static readonly TimeSpan s_listMax = TimeSpan.FromSeconds(4);

    /// <summary>The same for one that was quiet, and an election.</summary>
    private static readonly TimeSpan s_followMax = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 1)]
    [InlineData(3, 2)]
    public void The_nodes_are_listed_followed_and_changed_while_a_server_is_frozen(int seed, int frozen)
    {
        var (list, follow, remove) = Run(seed, frozen);
        Assert.True(list > s_metMin, $"seed {seed}: a list took {list} at most, so nobody met the silence");
        Assert.True(list < s_listMax, $"seed {seed}: a list took {list}");
        Assert.True(follow < s_followMax, $"seed {seed}: one who follows saw the frozen node unreachable after {follow}");
        Assert.True(remove < s_followMax, $"seed {seed}: removing the frozen node took {remove}");
    }

    [Fact]
    public void Without_a_second_way_somebodys_question_is_not_answered_while_the_server_is_frozen()
    {
        var options = new WatchClientOptions { HedgeAfter = TimeSpan.FromHours(1), WatchQuiet = TimeSpan.FromHours(1) };
        WithFrozen(seed: 2, frozen: 1, options, async (cluster, operators) =>
        {
            var unanswered = 0;
            foreach (var each in operators)
            {
                try
                {
                    await each.ListNodesAsync();
                }
                catch (WatchException error) when (error.Code == WatchErrorCode.Unavailable)
                {
                    unanswered++;
                }
            }

            Assert.True(unanswered > 0, "the frozen server was nobody's: the runs above show nothing");
        });
    }

    /// <summary>Whoever has something awaited that is canceled may be sent on elsewhere by the framework: here that would end the run.</summary>
    [Fact]
    public void Giving_up_while_another_way_is_looked_for_goes_on_where_it_was_called() =>
        WithFrozen(seed: 2, frozen: 1, new WatchClientOptions(), async (cluster, operators) =>
        {
            cluster.World.Silos[0].Freeze();
            cluster.World.Silos[2].Freeze();
            using var patience = new CancellationTokenSource();
            var asked = operators.Select(each => each.ListNodesAsync(patience.Token)).ToList();
            await cluster.PassAsync(TimeSpan.FromSeconds(2.5));
            patience.Cancel();
            foreach (var each in asked)
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => each);
        });

    /// <summary>A telling of a removal lies at a frozen server; meanwhile the removal is recorded by another door, and taken back.</summary>
    [Fact]
    public void A_wish_that_thaws_when_its_opposite_was_wished_changes_nothing() => Assert.Equal(NodeStanding.Member, AfterTheThaw(nodes => nodes.Index));

    [Fact]
    public void Did_a_wish_not_say_what_its_teller_had_seen_it_would_undo_its_opposite() => Assert.NotEqual(NodeStanding.Member, AfterTheThaw(_ => long.MaxValue));

    /// <summary>Where n2 is after a telling came late that says it had seen the nodes up to some entry; null where it is gone.</summary>
    private static NodeStanding? AfterTheThaw(Func<ClusterNodes, long> seen)
    {
        NodeStanding? standing = null;
        WithFrozen(seed: 2, frozen: 1, new WatchClientOptions(), async (cluster, operators) =>
        {
            var before = await operators[0].ListNodesAsync();
            var meant = before.Nodes.Single(node => node.Name == "n2");
            var client = cluster.World.AddClient("late");
            var told = Enumerable.Range(0, GrainKeys.Doors)
                .Select(door => client.GetGrain<IClusterGrain>(GrainKeys.OfClusterDoor(door)).RemoveNode("n2", meant.Id, seen(before), force: true, CancellationToken.None))
                .ToList();
            // Without n1 and n2 nobody would answer n0: the removal waits.
            await cluster.PassAsync(TimeSpan.FromSeconds(5));
            Assert.Contains((await operators[0].ListNodesAsync()).Nodes, node => node.Id == meant.Id && node.Standing == NodeStanding.Leaving);
            Assert.Contains(told, each => !each.IsCompleted);
            await operators[0].AddNodeAsync("n2");
            cluster.World.Silos[1].Thaw();
            await cluster.PassAsync(TimeSpan.FromSeconds(30));
            standing = (await operators[0].ListNodesAsync()).Nodes.FirstOrDefault(node => node.Id == meant.Id)?.Standing;
        });
        return standing;
    }

    private (TimeSpan List, TimeSpan Follow, TimeSpan Remove) Run(int seed, int frozen)
    {
        var (list, follow, remove) = (TimeSpan.Zero, TimeSpan.Zero, TimeSpan.Zero);
        var name = $"n{frozen}";
        var following = new List<Task>();
        WithFrozen(
            seed,
            frozen,
            new WatchClientOptions(),
            async (cluster, operators) =>
            {
                var began = cluster.World.TimeProvider.GetTimestamp();
                // Who has not called before meets the silence with its first question.
                var lists = operators.Skip(Operators / 2).Select(each => TimedAsync(cluster, each.ListNodesAsync())).ToList();
                await Task.WhenAll(following);
                follow = cluster.World.TimeProvider.GetElapsedTime(began);
                list = (await Task.WhenAll(lists)).Max();
                remove = await TimedAsync(cluster, operators[^1].RemoveNodeAsync(name));
                Assert.DoesNotContain(name, (await operators[0].ListNodesAsync()).Nodes.Select(node => node.Name));
                cluster.World.Silos[frozen].Thaw();
                await cluster.PassAsync(TimeSpan.FromSeconds(30));
                Assert.Equal(2, (await operators[0].ListNodesAsync()).Nodes.Length);
            },
            async each =>
            {
                var begun = new TaskCompletionSource();
                following.Add(FollowAsync(each, name, begun));
                await begun.Task;
            });
        output.WriteLine($"seed {seed}: the longest list took {list.TotalMilliseconds:F0} ms, the last who followed knew after {follow.TotalMilliseconds:F0} ms, removing took {remove.TotalMilliseconds:F0} ms");
        return (list, follow, remove);
    }

    /// <summary>Three nodes, operators who are bound to one server or another, and one of the servers frozen.</summary>
    private static void WithFrozen(
        int seed, int frozen, WatchClientOptions options, Func<SimulatedCluster, List<GrainWatchCluster>, Task> test, Func<GrainWatchCluster, Task>? before = null)
    {
        var cluster = new SimulatedCluster(seed);
        cluster.World.IsTracing = false;
        cluster.World.StepLimit = 10_000_000;
        cluster.World.Run(async () =>
        {
            await cluster.StartAsync();
            var operators = new List<GrainWatchCluster>();
            for (var at = 0; at < Operators; at++)
            {
                var client = cluster.World.AddClient($"operator-{at}");
                // Names are bound to the servers in turn, so the usual door of each third leads to another one.
                for (var door = 1; door <= at % 3; door++)
                    await client.GetGrain<IClusterGrain>(GrainKeys.OfClusterDoor(door)).Feel();
                operators.Add(new GrainWatchCluster(client, Options.Create(options), cluster.World.TimeProvider, cluster.Random, isOutside: true));
            }

            await operators[0].AddNodeAsync("n1");
            await operators[0].AddNodeAsync("n2");
            foreach (var each in operators.Take(Operators / 2))
                await (before?.Invoke(each) ?? Task.CompletedTask);
            cluster.World.Silos[frozen].Freeze();
            await test(cluster, operators);
        });
    }

    private static async Task FollowAsync(GrainWatchCluster nodes, string name, TaskCompletionSource begun)
    {
        await foreach (var sight in nodes.WatchNodesAsync())
        {
            begun.TrySetResult();
            if (sight.Nodes.Any(node => node.Name == name && !node.IsReachable))
                return;
        }
    }

    private static async Task<TimeSpan> TimedAsync(SimulatedCluster cluster, Task call)
    {
        var began = cluster.World.TimeProvider.GetTimestamp();
        await call;
        return cluster.World.TimeProvider.GetElapsedTime(began);
    }
}
