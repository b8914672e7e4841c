using Orleans.Configuration;
using Orleans.Hosting;

namespace Watch.Silo.Engine;

/// <summary>How the silo finds the others of its cluster, as far as the engine can.</summary>
internal static class Clustering
{
    public static void Use(ISiloBuilder silo, ServerSettings settings)
    {
        silo.Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (settings.ClusterId, settings.ServiceId));
        if (settings.Clustering == ClusteringKind.Localhost)
        {
            silo.UseLocalhostClustering(settings.SiloPort, settings.GatewayPort, null, settings.ServiceId, settings.ClusterId);
            silo.Configure<EndpointOptions>(options => options.AdvertisedIPAddress = settings.ListenAddress);
            return;
        }

        UseAdoNet(silo, settings);
    }

#if ENGINE_ORLEANS
    private static void UseAdoNet(ISiloBuilder silo, ServerSettings settings)
    {
        silo.Configure<EndpointOptions>(options =>
        {
            options.AdvertisedIPAddress = settings.AdvertisedAddress;
            (options.SiloPort, options.GatewayPort) = (settings.SiloPort, settings.GatewayPort);
            options.SiloListeningEndpoint = new System.Net.IPEndPoint(settings.ListenAddress, settings.SiloPort);
            options.GatewayListeningEndpoint = new System.Net.IPEndPoint(settings.ListenAddress, settings.GatewayPort);
        });
        silo.UseAdoNetClustering(options => (options.Invariant, options.ConnectionString) = (settings.AdoNetInvariant, settings.AdoNetConnectionString));
    }
#else
    private static void UseAdoNet(ISiloBuilder silo, ServerSettings settings) =>
        throw new BadSettingException($"The setting Watch:Clustering is {settings.Clustering}, and this program was built on the Embedded engine, which is one process: allowed is {ClusteringKind.Localhost}. Build it on the Orleans engine for more.");
#endif
}
