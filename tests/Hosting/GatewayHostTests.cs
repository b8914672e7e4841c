// A silo and a client as two hosts that know nothing of each other but a port.
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using Orleans.Hosting;

namespace Watch.Hosting.Tests;

public sealed class GatewayHostTests
{
    [Fact]
    public async Task A_client_calls_grains_watches_sequences_and_is_called_back()
    {
        var (siloPort, gatewayPort) = FreePorts();
        using var silo = SiloHost(siloPort, gatewayPort);
        await silo.StartAsync();
        using var client = ClientHost(gatewayPort);
        await client.StartAsync();
        var grains = client.Services.GetRequiredService<IClusterClient>();

        var box = await grains.GetGrain<ICallGrain>("gateway-1").Exchange(new Box { Number = 1 });
        Assert.Equal(2, box.Number);
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => grains.GetGrain<ICallGrain>("gateway-1").Fail("so it is"));
        Assert.Equal("so it is", e.Message);

        var numbers = new List<int>();
        await foreach (var number in grains.GetGrain<ISequenceGrain>("gateway-1").Count(25))
            numbers.Add(number);
        Assert.Equal(Enumerable.Range(0, 25), numbers);

        using var source = new CancellationTokenSource();
        var waiting = grains.GetGrain<ICallGrain>("gateway-2").WaitForCancel("gateway-2", source.Token);
        await Signals.Wait("gateway-2 waits");
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await Signals.Wait("gateway-2 canceled");

        var observer = new Doubler();
        var reference = grains.CreateObjectReference<IRecorder>(observer);
        Assert.Equal(42, await grains.GetGrain<ICallerGrain>("gateway-3").Call(reference, 21));
        GC.KeepAlive(observer);

        await client.StopAsync();
        await silo.StopAsync();
    }

    [Fact]
    public async Task A_client_without_a_silo_does_not_start_unless_its_filter_says_to_go_on()
    {
        var (_, gatewayPort) = FreePorts();
        using var client = ClientHost(gatewayPort);
        await Assert.ThrowsAnyAsync<Exception>(() => client.StartAsync());

        var attempts = 0;
        using var patient = ClientHost(gatewayPort, builder => builder.UseConnectionRetryFilter((_, _) => Task.FromResult(++attempts < 3)));
        await Assert.ThrowsAnyAsync<Exception>(() => patient.StartAsync());
        Assert.Equal(3, attempts);
    }

    private static IHost SiloHost(int siloPort, int gatewayPort)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.UseOrleans(silo => silo.UseLocalhostClustering(siloPort, gatewayPort));
        return builder.Build();
    }

    private static IHost ClientHost(int gatewayPort, Action<IClientBuilder>? configure = null)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.UseOrleansClient(client =>
        {
            client.UseLocalhostClustering(gatewayPort);
            configure?.Invoke(client);
        });
        return builder.Build();
    }

    private static (int Silo, int Gateway) FreePorts()
    {
        using var first = new TcpListener(IPAddress.Loopback, 0);
        using var second = new TcpListener(IPAddress.Loopback, 0);
        first.Start();
        second.Start();
        return (((IPEndPoint)first.LocalEndpoint).Port, ((IPEndPoint)second.LocalEndpoint).Port);
    }

    private sealed class Doubler : IRecorder
    {
        public Task<int> Take(int number) => Task.FromResult(number * 2);
    }
}
