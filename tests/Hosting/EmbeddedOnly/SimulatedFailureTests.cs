// Timeouts, collection and grain timers in virtual time: what takes minutes takes none.
using Orleans.Hosting;
using Watch.Embedded.Simulation;

namespace Watch.Hosting.Tests.EmbeddedOnly;

public sealed class SimulatedFailureTests
{
    [Fact]
    public void A_call_that_nobody_answers_times_out_after_its_time()
    {
        var world = new SimulatedWorld(11);
        var silo = world.AddSilo("n1", (ISiloBuilder _) => { });
        world.Run(async () =>
        {
            await silo.StartAsync();
            var before = world.TimeProvider.GetTimestamp();
            await Assert.ThrowsAsync<TimeoutException>(() => world.Client.GetGrain<IDeafGrain>("deaf").Listen());
            Assert.InRange(world.TimeProvider.GetElapsedTime(before), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(31));
        });
    }

    [Fact]
    public void An_idle_grain_is_collected_after_its_age()
    {
        var world = new SimulatedWorld(12);
        var silo = world.AddSilo("n1", (ISiloBuilder _) => { });
        world.Run(async () =>
        {
            await silo.StartAsync();
            var grain = world.Client.GetGrain<ICallGrain>("sim-idle");
            await grain.WhoAmI();
            await world.Pass(TimeSpan.FromMinutes(14));
            Assert.Equal(["activated"], Journal.Read("sim-idle"));
            await world.Pass(TimeSpan.FromMinutes(3));
            Assert.Equal(["activated", "deactivated: ActivationIdle"], Journal.Read("sim-idle"));
        });
    }

    [Fact]
    public void A_stopped_silo_ends_its_grains_within_the_scenario()
    {
        var world = new SimulatedWorld(13);
        var silo = world.AddSilo("n1", (ISiloBuilder _) => { });
        world.Run(async () =>
        {
            await silo.StartAsync();
            await world.Client.GetGrain<ICallGrain>("sim-stop").WhoAmI();
            await silo.StopAsync();
            Assert.Equal(["activated", "deactivated: ShuttingDown"], Journal.Read("sim-stop"));
            await Assert.ThrowsAsync<SiloUnavailableException>(() => world.Client.GetGrain<ICallGrain>("sim-stop").WhoAmI());
        });
    }
}

[Alias("tests.IDeafGrain")]
public interface IDeafGrain : IGrainWithStringKey
{
    Task Listen();
}

public class DeafGrain : Grain, IDeafGrain
{
    private readonly TaskCompletionSource _never = new();

    public Task Listen() => _never.Task;
}
