// The simulated world: equal seeds give equal traces, different seeds different schedules; time is
// virtual; a scenario that does not end says so.
using Orleans.Hosting;
using Watch.Embedded.Simulation;

namespace Watch.Hosting.Tests.EmbeddedOnly;

public sealed class SimulationTests
{
    private static SimulatedWorld World(int seed, int silos = 2)
    {
        var world = new SimulatedWorld(seed);
        for (var i = 0; i < silos; i++)
            world.AddSilo($"silo-{i}", (ISiloBuilder silo) => silo.AddMemoryStreams("memory").AddGrainService<EchoService>());
        return world;
    }

    private static async Task StartAsync(SimulatedWorld world)
    {
        foreach (var silo in world.Silos)
            await silo.StartAsync();
    }

    private static SimulatedWorld RunMixture(int seed)
    {
        var world = World(seed);
        world.Run(async () =>
        {
            await StartAsync(world);
            var counters = Enumerable.Range(0, 5).Select(i => world.Client.GetGrain<IReentrantGrain>($"sim-{i}")).ToList();
            await Task.WhenAll(counters.Select(c => c.CountTo(5)).Concat(counters.Select(c => c.CountTo(7))));
            var listener = world.Client.GetGrain<IListenerGrain>($"sim-{seed}");
            await listener.Publish(5);
            await foreach (var number in world.Client.GetGrain<ISequenceGrain>("sim").Count(20))
                Assert.InRange(number, 0, 19);
            Assert.Equal(60, (await Task.WhenAll(counters.Select(c => c.Count()))).Sum());
            foreach (var silo in world.Silos)
                await silo.StopAsync();
        });
        return world;
    }

    [Fact]
    public void Equal_seeds_give_equal_traces()
    {
        var first = RunMixture(7);
        var second = RunMixture(7);
        Assert.NotEmpty(first.Trace);
        Assert.Equal(first.Trace, second.Trace);
    }

    [Fact]
    public void Different_seeds_give_different_schedules()
    {
        var traces = Enumerable.Range(1, 5).Select(seed => string.Join('\n', RunMixture(seed).Trace)).ToList();
        Assert.Equal(traces.Count, traces.Distinct().Count());
    }

    [Fact]
    public void A_response_timeout_passes_in_virtual_time()
    {
        var world = World(3);
        world.Run(async () =>
        {
            await StartAsync(world);
            var before = world.TimeProvider.GetTimestamp();
            var never = new TaskCompletionSource();
            await Assert.ThrowsAsync<TimeoutException>(() => never.Task.WaitAsync(TimeSpan.FromHours(2), world.TimeProvider));
            Assert.True(world.TimeProvider.GetElapsedTime(before) >= TimeSpan.FromHours(2));
        });
    }

    [Fact]
    public void A_scenario_that_waits_for_nothing_is_a_deadlock_and_names_its_seed()
    {
        var e = Assert.Throws<SimulationException>(() => new SimulatedWorld(99).Run(() => new TaskCompletionSource().Task));
        Assert.Contains("Seed 99", e.Message);
        Assert.Contains("Deadlock", e.Message);
    }

    [Fact]
    public void A_scenario_that_does_not_end_runs_into_the_step_limit()
    {
        var world = new SimulatedWorld(1) { StepLimit = 1000 };
        var e = Assert.Throws<SimulationException>(() => world.Run(async () =>
        {
            while (true)
                await Task.Yield();
        }));
        Assert.Contains("1000 steps", e.Message);
    }

    [Fact]
    public void What_a_scenario_throws_comes_out_with_the_seed()
    {
        var e = Assert.Throws<SimulationException>(() => new SimulatedWorld(5).Run(() => throw new FormatException("so it is")));
        Assert.IsType<FormatException>(e.InnerException);
        Assert.Contains("Seed 5", e.Message);
    }

    [Fact]
    public void Calls_to_a_crashed_silo_fail_and_its_grains_live_on_elsewhere()
    {
        for (var seed = 1; seed <= 5; seed++)
        {
            var world = World(seed, silos: 3);
            world.Run(async () =>
            {
                await StartAsync(world);
                foreach (var i in Enumerable.Range(0, 10))
                    await world.Client.GetGrain<IReentrantGrain>($"crash-{i}").CountTo(1);
                world.Silos[0].Crash();
                await world.Client.GetGrain<IReentrantGrain>("crash-x").CountTo(1);
                var counts = new List<int>();
                foreach (var i in Enumerable.Range(0, 10))
                    counts.Add(await world.Client.GetGrain<IReentrantGrain>($"crash-{i}").Count());
                Assert.All(counts, count => Assert.InRange(count, 0, 1));
            });
        }
    }
}
