// What a simulated world can do to streams, to grains and to clients that are processes.
using Orleans.Hosting;
using Watch.Embedded.Simulation;

namespace Watch.Hosting.Tests.EmbeddedOnly;

public sealed class SimulatedHookTests
{
    [Fact]
    public void A_publishing_can_be_lost_doubled_or_late_and_the_others_arrive()
    {
        var world = new SimulatedWorld(41);
        world.StreamFate = publishing => publishing.Number switch
        {
            2 => new MessageFate(0, TimeSpan.Zero),
            3 => new MessageFate(1, TimeSpan.FromSeconds(1)),
            4 => new MessageFate(2, TimeSpan.Zero),
            _ => MessageFate.Usual,
        };
        var silo = world.AddSilo("n1", builder => builder.AddMemoryStreams("memory"));
        world.Run(async () =>
        {
            await silo.StartAsync();
            await world.Client.GetGrain<IListenerGrain>("hook-1").Publish(5);
            await world.Pass(TimeSpan.FromSeconds(2));
        });

        Assert.Equal([0, 3, 3, 4, 2], Listened.Numbers("hook-1"));
        Assert.Equal(5, world.Publishings);
    }

    [Fact]
    public void A_killed_grain_says_no_goodbye_and_its_successor_begins_anew()
    {
        var world = new SimulatedWorld(42);
        var silo = world.AddSilo("n1", (ISiloBuilder _) => { });
        world.Run(async () =>
        {
            await silo.StartAsync();
            var grain = world.Client.GetGrain<ICallGrain>("hook-2");
            await grain.WhoAmI();
            Assert.Equal(0, silo.Kill("no.such.type"));

            Assert.Equal(1, silo.Kill("call"));
            await grain.WhoAmI();
        });

        Assert.Equal(["activated", "activated"], Journal.Read("hook-2"));
    }

    [Fact]
    public void A_frozen_client_does_nothing_and_goes_on_where_it_was()
    {
        var (world, ticks) = (new SimulatedWorld(43), 0);
        var silo = world.AddSilo("n1", (ISiloBuilder _) => { });
        var client = world.AddClientProcess("outside");
        world.Run(async () =>
        {
            await silo.StartAsync();
            var running = client.RunAsync(async () =>
            {
                using var ticking = new PeriodicTimer(TimeSpan.FromSeconds(1), client.Clock);
                for (; ticks < 10; ticks++)
                {
                    await client.Grains.GetGrain<ICallGrain>("hook-3").WhoAmI();
                    await ticking.WaitForNextTickAsync();
                }
            });
            await world.Pass(TimeSpan.FromSeconds(3.5));
            var before = ticks;
            Assert.InRange(before, 2, 4);

            client.Freeze();
            await world.Pass(TimeSpan.FromMinutes(1));
            Assert.Equal(before, ticks);

            client.Thaw();
            await running;
            Assert.Equal(10, ticks);
        });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_observer_of_a_client_that_has_ended_is_not_reached(bool noticed)
    {
        var world = new SimulatedWorld(44);
        var silo = world.AddSilo("n1", (ISiloBuilder _) => { });
        var (client, observer) = (world.AddClientProcess("gone"), new Counting());
        world.Run(async () =>
        {
            await silo.StartAsync();
            var reference = client.Grains.CreateObjectReference<IRecorder>(observer);
            var caller = world.Client.GetGrain<ICallerGrain>("hook-4");
            Assert.Equal(7, await caller.Call(reference, 7));

            client.End(noticed);
            await client.Ended;
            if (noticed)
                await Assert.ThrowsAsync<ClientNotAvailableException>(() => caller.Call(reference, 8));
            else
                await Assert.ThrowsAsync<TimeoutException>(() => caller.Call(reference, 8));

            var again = world.AddClientProcess("gone again");
            await again.RunAsync(() => again.Grains.GetGrain<ICallGrain>("hook-4").WhoAmI());
        });
        Assert.Equal(1, observer.Calls);
    }

    private sealed class Counting : IRecorder
    {
        public int Calls { get; private set; }

        public Task<int> Take(int number)
        {
            Calls++;
            return Task.FromResult(number);
        }
    }
}
