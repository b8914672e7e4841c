// What this host promises about silos and clients that are gone, where Orleans leaves it to timing.
namespace Watch.Hosting.Tests.EmbeddedOnly;

public sealed class DeathTests
{
    [Fact]
    public async Task A_call_under_way_to_a_killed_silo_fails_at_once()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var dead = cluster.Silos[1];
        var service = cluster.Silos[0].ServiceProvider.GetRequiredService<EchoServiceClient>().On(dead.SiloAddress);
        var call = service.Hold("death-1");
        await Signals.Wait("death-1 began");
        await cluster.KillSiloAsync(dead);
        await Assert.ThrowsAsync<SiloUnavailableException>(() => call);
        Signals.Set("death-1 may end");
    }

    [Fact]
    public async Task A_call_of_a_closed_clients_observer_fails_with_ClientNotAvailableException()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var observer = new Silent();
        var reference = cluster.Client.CreateObjectReference<IRecorder>(observer);
        var grains = cluster.Silos[0].ServiceProvider.GetRequiredService<IGrainFactory>();
        Assert.Equal(1, await grains.GetGrain<ICallerGrain>("death-2").Call(reference, 1));
        await cluster.KillClientAsync();
        await Assert.ThrowsAsync<ClientNotAvailableException>(() => grains.GetGrain<ICallerGrain>("death-2").Call(reference, 1));
        GC.KeepAlive(observer);
    }

    private sealed class Silent : IRecorder
    {
        public Task<int> Take(int number) => Task.FromResult(number);
    }
}
