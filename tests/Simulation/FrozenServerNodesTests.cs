using Microsoft.Extensions.Options;
using Watch.Client;
using Xunit.Abstractions;

namespace Watch.Simulation.Tests;

/// <summary>An operator outside the cluster looks at the nodes, follows them and changes them, while a server that is not declared dead is frozen.</summary>
public sealed class FrozenServerNodesTests(ITestOutputHelper output)
{
    private const int Operators = 6;

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
                await Task.WhenAll(following);
                follow = cluster.World.TimeProvider.GetElapsedTime(began);
                foreach (var each in operators)
                    list = Max(list, await TimedAsync(cluster, each.ListNodesAsync()));
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

    /// <summary>Three nodes, operators who by chance are bound to one server or another, and one of the servers frozen.</summary>
    private static void WithFrozen(
        int seed, int frozen, WatchClientOptions options, Func<SimulatedCluster, List<GrainWatchCluster>, Task> test, Func<GrainWatchCluster, Task>? before = null)
    {
        var cluster = new SimulatedCluster(seed);
        cluster.World.IsTracing = false;
        cluster.World.StepLimit = 10_000_000;
        cluster.World.Run(async () =>
        {
            await cluster.StartAsync();
            var operators = Enumerable.Range(0, Operators)
                .Select(at => new GrainWatchCluster(cluster.World.AddClient($"operator-{at}"), Options.Create(options), cluster.World.TimeProvider, cluster.Random, isOutside: true))
                .ToList();
            await operators[0].AddNodeAsync("n1");
            await operators[0].AddNodeAsync("n2");
            foreach (var each in operators)
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

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;
}
