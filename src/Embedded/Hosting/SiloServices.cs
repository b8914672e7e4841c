// The services of a silo, whether it runs in the generic host, in a test cluster or in a simulation.
using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Runtime;
using Watch.Embedded.Activations;
using Watch.Embedded.Lifecycle;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Hosting;

internal static class SiloServices
{
    public static void Add(IServiceCollection services)
    {
        services.AddLogging();
        services.AddOptions();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IEmbeddedEnvironment>(s => new RealEnvironment(s.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton<EmbeddedCluster>();
        services.TryAddSingleton(MessageCopying.Shared);
        services.TryAddSingleton(CreateIdentity);
        services.TryAddSingleton<SiloNode>();
        services.TryAddSingleton(s => new Silo(s.GetRequiredService<SiloNode>()));
        services.TryAddSingleton<SiloLifecycle>();
        services.TryAddSingleton<ISiloLifecycle>(s => s.GetRequiredService<SiloLifecycle>());
        services.TryAddSingleton<SiloRuntime>();
        services.TryAddSingleton<IClusterClient>(s => new ClusterClient(s.GetRequiredService<SiloNode>(), s));
        services.TryAddSingleton<IGrainFactory>(s => s.GetRequiredService<IClusterClient>());
        services.TryAddScoped<IGrainContext>(_ => (ExecutionScope.Current as Activation)?.Context
            ?? throw new InvalidOperationException("IGrainContext can be had by a grain only."));
        services.TryAddSingleton<ILocalSiloDetails, LocalSiloDetails>();
        services.TryAddSingleton<IClusterMembershipService>(s => s.GetRequiredService<EmbeddedCluster>().Membership);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigurationValidator, CollectionValidator>());
    }

    private static SiloIdentity CreateIdentity(IServiceProvider services)
    {
        var name = services.GetRequiredService<IOptions<SiloOptions>>().Value.SiloName;
        var endpoint = services.GetRequiredService<IOptions<EndpointOptions>>().Value;
        var time = services.GetRequiredService<IEmbeddedEnvironment>().TimeProvider;
        var generation = Generations.Next(time);
        return new SiloIdentity(
            string.IsNullOrEmpty(name) ? $"Silo_{generation:x}" : name,
            SiloAddress.New(new IPEndPoint(endpoint.AdvertisedIPAddress, endpoint.SiloPort), generation),
            services.GetRequiredService<IOptions<ClusterOptions>>().Value.ClusterId);
    }

    private sealed class LocalSiloDetails(SiloIdentity identity, IOptions<EndpointOptions> endpoint) : ILocalSiloDetails
    {
        public string Name => identity.Name;

        public string ClusterId => identity.ClusterId;

        public string DnsHostName => "localhost";

        public SiloAddress SiloAddress => identity.Address;

        public SiloAddress GatewayAddress => SiloAddress.New(
            new IPEndPoint(endpoint.Value.AdvertisedIPAddress, endpoint.Value.GatewayPort), 0);
    }

    private sealed class CollectionValidator(IOptions<GrainCollectionOptions> options) : IConfigurationValidator
    {
        public void ValidateConfiguration()
        {
            var value = options.Value;
            if (value.CollectionQuantum <= TimeSpan.Zero)
                throw new OrleansConfigurationException(
                    $"GrainCollectionOptions.CollectionQuantum is {value.CollectionQuantum}; it has to be longer than zero.");
            if (value.CollectionAge <= value.CollectionQuantum)
                throw new OrleansConfigurationException(
                    $"GrainCollectionOptions.CollectionAge is {value.CollectionAge}; it has to be longer than CollectionQuantum, {value.CollectionQuantum}.");
        }
    }
}

/// <summary>Generations of silo addresses: seconds of the clock, but never the same twice in a process.</summary>
internal static class Generations
{
    private static readonly Lock Gate = new();
    private static int _last;

    public static int Next(TimeProvider time)
    {
        var seconds = (int)(time.GetUtcNow() - new DateTimeOffset(2022, 1, 1, 0, 0, 0, TimeSpan.Zero)).TotalSeconds;
        lock (Gate)
            return _last = Math.Max(seconds, _last + 1);
    }
}
