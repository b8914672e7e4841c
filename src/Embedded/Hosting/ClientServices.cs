// The services of a client, and the two ways in which it reaches its silos.
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Configuration;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Hosting;

internal static class ClientServices
{
    public static void Add(IServiceCollection services)
    {
        services.AddLogging();
        services.AddOptions();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(MessageCopying.Shared);
        services.TryAddSingleton(CreateConnection);
        services.TryAddSingleton<IClusterClient>(s => new ClusterClient(s.GetRequiredService<ClientConnection>().Node, s));
        services.TryAddSingleton<IGrainFactory>(s => s.GetRequiredService<IClusterClient>());
    }

    private static ClientConnection CreateConnection(IServiceProvider services)
    {
        var timeout = services.GetRequiredService<IOptions<ClientMessagingOptions>>().Value.ResponseTimeout;
        var copier = services.GetRequiredService<IMessageCopier>();
        var logger = services.GetRequiredService<ILogger<ClientConnection>>();
        if (services.GetService<EmbeddedCluster>() is { } cluster)
            return new InProcessConnection(new ClientNode(NewId(cluster.Environment.Random), cluster, copier, timeout, logger));
        return GatewayClient.Create(services, NewId(Random.Shared), copier, timeout, logger);
    }

    private static string NewId(Random random) => $"client-{random.NextInt64():x16}";
}

/// <summary>A client's way to its silos: opened when its host starts, closed when it stops.</summary>
internal abstract class ClientConnection(Node node)
{
    public Node Node { get; } = node;

    public abstract Task OpenAsync(CancellationToken cancellationToken);

    public abstract Task CloseAsync(CancellationToken cancellationToken);
}

internal sealed class InProcessConnection(ClientNode client) : ClientConnection(client)
{
    public override Task OpenAsync(CancellationToken cancellationToken)
    {
        client.Connect();
        return Task.CompletedTask;
    }

    public override Task CloseAsync(CancellationToken cancellationToken)
    {
        client.Disconnect();
        return Task.CompletedTask;
    }
}
