// Where the runtime and the gateway's two ends meet: the silo listens once it is active and runs the
// calls of its clients as its own; the client connects.
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Configuration;
using Orleans.Runtime;
using Watch.Embedded.Activations;
using Watch.Embedded.Calls;
using Watch.Embedded.Gateway;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Hosting;

internal static class GatewayWiring
{
    public static GatewayConnector Connector(ILoggerFactory loggers) =>
        (endpoint, clusterId, observers, references, cancellationToken) =>
            GatewayConnection.ConnectAsync(endpoint, clusterId, observers, references, loggers, cancellationToken);
}

/// <summary>Listens for clients of other processes, after everything else has started.</summary>
internal sealed class GatewayStep(SiloNode node, SiloIdentity identity, IOptions<EndpointOptions> endpoint, ILoggerFactory loggers)
    : ILifecycleParticipant<ISiloLifecycle>
{
    private const int Stage = ServiceLifecycleStage.Active + 1;

    private GatewayListener? _listener;

    public void Participate(ISiloLifecycle lifecycle)
    {
        if (endpoint.Value.GatewayPort > 0)
            lifecycle.Subscribe<GatewayStep>(Stage, StartAsync, StopAsync);
    }

    private Task StartAsync(CancellationToken cancellationToken)
    {
        var options = endpoint.Value;
        var listen = options.GatewayListeningEndpoint ?? new IPEndPoint(options.AdvertisedIPAddress, options.GatewayPort);
        _listener = new GatewayListener(listen, new RemoteCalls(node, identity.ClusterId), node, loggers);
        return _listener.StartAsync(cancellationToken);
    }

    private async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_listener is not null)
            await _listener.DisposeAsync();
    }
}

/// <summary>Runs what arrives from clients of other processes.</summary>
internal sealed class RemoteCalls(SiloNode node, string clusterId) : IRemoteCallTarget
{
    public IReadOnlyDictionary<string, string> Manifest { get; } = GrainClasses.Shared.Manifest();

    public string ClusterId => clusterId;

    public ValueTask<object?> InvokeAsync(string clientId, CallHeader header, object?[] arguments, CancellationToken cancellationToken)
    {
        if (!InterfaceCatalog.Shared.TryGet(header.Interface, out var descriptor))
            throw new OrleansException($"Interface '{header.Interface}' is unknown.");
        descriptor.CheckIsForClients();
        var method = descriptor.Find(header.Method);
        if (method.TokenIndex >= 0)
            arguments[method.TokenIndex] = cancellationToken;
        var reference = node.CreateReference(GrainId.Parse(header.GrainId), descriptor);
        return new(node.Send(new Call<object?>(node, reference, method, arguments)
        {
            Context = header.RequestContext,
            Timeout = header.Timeout,
        }));
    }

    public void ClientConnected(string clientId, IClientEndpoint endpoint) => node.Cluster.AddClient(clientId, endpoint);

    public void ClientLost(string clientId, IClientEndpoint endpoint) => node.Cluster.RemoveClient(clientId, endpoint);
}
