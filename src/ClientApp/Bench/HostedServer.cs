using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Watch.Silo;

namespace Watch.ClientApp.Bench;

/// <summary>A server inside this process, on data that goes with it: what a service hosted in a silo sees.</summary>
internal sealed class HostedServer : IAsyncDisposable
{
    private readonly IHost _host;

    private HostedServer(IHost host) => _host = host;

    public IWatchClient Client => _host.Services.GetRequiredService<IWatchClient>();

    public static async Task<HostedServer> StartAsync(string folder, (int Silo, int Gateway) ports, CancellationToken cancellationToken)
    {
        var settings = ServerSettings.Read(new Dictionary<string, string?>
        {
            ["Watch:DataDirectory"] = folder,
            ["Watch:NodeName"] = "bench",
            ["Watch:SiloPort"] = $"{ports.Silo}",
            ["Watch:GatewayPort"] = $"{ports.Gateway}",
        });
        var server = new HostedServer(ServerHost.Build(settings));
        await server._host.StartAsync(cancellationToken);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}
