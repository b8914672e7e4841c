// UseOrleansClient on the generic host. A client whose services hold an EmbeddedCluster belongs to
// that cluster of the same process; any other connects to a silo's gateway.
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Configuration;
using Orleans.Hosting;
using Watch.Embedded.Hosting;
using Watch.Embedded.Runtime;

namespace Microsoft.Extensions.Hosting;

public static class OrleansClientGenericHostExtensions
{
    public static IHostApplicationBuilder UseOrleansClient(this IHostApplicationBuilder hostAppBuilder, Action<IClientBuilder> configureDelegate)
    {
        AddClient(hostAppBuilder.Services, hostAppBuilder.Configuration, configureDelegate);
        return hostAppBuilder;
    }

    public static HostApplicationBuilder UseOrleansClient(this HostApplicationBuilder hostAppBuilder, Action<IClientBuilder> configureDelegate)
    {
        AddClient(hostAppBuilder.Services, hostAppBuilder.Configuration, configureDelegate);
        return hostAppBuilder;
    }

    public static IHostBuilder UseOrleansClient(this IHostBuilder hostBuilder, Action<IClientBuilder> configureDelegate) =>
        hostBuilder.UseOrleansClient((_, client) => configureDelegate(client));

    public static IHostBuilder UseOrleansClient(this IHostBuilder hostBuilder, Action<HostBuilderContext, IClientBuilder> configureDelegate) =>
        hostBuilder.ConfigureServices((context, services) =>
            AddClient(services, context.Configuration, client => configureDelegate(context, client)));

    private static void AddClient(IServiceCollection services, IConfiguration configuration, Action<IClientBuilder> configure)
    {
        ClientServices.Add(services);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ClientHostedService>());
        configure(new ClientBuilder(services, configuration));
    }

    private sealed class ClientBuilder(IServiceCollection services, IConfiguration configuration) : IClientBuilder
    {
        public IServiceCollection Services { get; } = services;

        public IConfiguration Configuration { get; } = configuration;
    }

    private sealed class ClientHostedService(ClientConnection connection) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => connection.OpenAsync(cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) => connection.CloseAsync(cancellationToken);
    }
}
