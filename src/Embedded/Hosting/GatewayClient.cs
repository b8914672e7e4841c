// A client in another process than its silo: calls travel over the gateway's connection. While there
// is none, calls fail with SiloUnavailableException; a lost connection is opened again, with pauses
// that grow, for as long as the client is open.
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Configuration;
using Orleans.Runtime;
using Orleans.Runtime.Messaging;
using Watch.Embedded.Calls;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Hosting;

internal delegate Task<ICallTransport> GatewayConnector(
    IPEndPoint endpoint, string clusterId, IObserverHost observers, IReferenceFactory references, CancellationToken cancellationToken);

internal sealed class GatewayClient : ClientConnection
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly GatewayNode _node;
    private readonly GatewayConnector _connect;
    private readonly IPEndPoint[] _endpoints;
    private readonly string _clusterId;
    private readonly IClientConnectionRetryFilter? _retry;
    private readonly CancellationTokenSource _closed = new();
    private Task _keeping = Task.CompletedTask;

    private GatewayClient(GatewayNode node, IServiceProvider services, GatewayConnector connect)
        : base(node)
    {
        _node = node;
        _connect = connect;
        _endpoints = [.. services.GetRequiredService<IOptions<StaticGatewayListProviderOptions>>().Value.Gateways
            .Select(uri => new IPEndPoint(IPAddress.Parse(uri.Host), uri.Port))];
        _clusterId = services.GetRequiredService<IOptions<ClusterOptions>>().Value.ClusterId;
        _retry = services.GetService<IClientConnectionRetryFilter>();
    }

    public static GatewayClient Create(IServiceProvider services, string clientId, IMessageCopier copier, TimeSpan timeout, ILogger logger)
    {
        var environment = new RealEnvironment(services.GetRequiredService<TimeProvider>());
        return new GatewayClient(new GatewayNode(clientId, environment, copier, timeout, logger), services,
            GatewayWiring.Connector(services.GetRequiredService<ILoggerFactory>()));
    }

    public override async Task OpenAsync(CancellationToken cancellationToken)
    {
        if (_endpoints.Length == 0)
            throw new OrleansConfigurationException("No gateway is configured: call UseLocalhostClustering or UseStaticClustering.");
        while (true)
        {
            try
            {
                await ConnectOnceAsync(cancellationToken);
                break;
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                Log.ConnectingFailed(_node.Logger, e);
                if (_retry is null || !await _retry.ShouldRetryConnectionAttempt(e, cancellationToken))
                    throw;
            }
        }

        _keeping = KeepConnectedAsync();
    }

    public override async Task CloseAsync(CancellationToken cancellationToken)
    {
        await _closed.CancelAsync();
        await _keeping.WaitAsync(cancellationToken);
        if (_node.Transport is { } transport)
            await transport.DisposeAsync();
        _node.Transport = null;
        _node.Pending.FailAll(call => new SiloUnavailableException($"The client was closed while '{call}' was under way."));
    }

    private async Task ConnectOnceAsync(CancellationToken cancellationToken)
    {
        for (var i = 0; ; i++)
        {
            try
            {
                _node.Transport = await _connect(_endpoints[i], _clusterId, _node, _node, cancellationToken);
                return;
            }
            catch (ConnectionFailedException) when (i + 1 < _endpoints.Length)
            {
                Log.ConnectionLost(_node.Logger);    // the next gateway may be there
            }
        }
    }

    private async Task KeepConnectedAsync()
    {
        var time = _node.Environment.TimeProvider;
        try
        {
            while (true)
            {
                await _node.Transport!.Closed.WaitAsync(_closed.Token);
                Log.ConnectionLost(_node.Logger);
                for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
                {
                    if (await TryConnectAsync())
                        break;
                    await Task.Delay(pause, time, _closed.Token);
                }
            }
        }
        catch (OperationCanceledException)
        {
            return;    // closed
        }
    }

    private async Task<bool> TryConnectAsync()
    {
        try
        {
            await ConnectOnceAsync(_closed.Token);
            return true;
        }
        catch (Exception e) when (e is not OperationCanceledException || !_closed.IsCancellationRequested)
        {
            // Whatever it was: a client that stopped trying would be cut off for ever, without a word.
            Log.ConnectingFailed(_node.Logger, e);
            return false;
        }
    }
}

/// <summary>The client as a node: everything goes over the connection.</summary>
internal sealed class GatewayNode(string clientId, IEmbeddedEnvironment environment, IMessageCopier copier, TimeSpan timeout, ILogger logger)
    : Node(clientId, environment, copier, timeout, logger), IObserverHost
{
    public volatile ICallTransport? Transport;

    public override GrainType GrainTypeFor(Type interfaceType)
    {
        var manifest = (Transport ?? throw new SiloUnavailableException("The client is not connected.")).Manifest;
        return manifest.TryGetValue(InterfaceDescriptor.AliasOf(interfaceType), out var type)
            ? GrainType.Create(type)
            : throw new ArgumentException($"The silo has no grain class for {interfaceType}.", nameof(interfaceType));
    }

    public ValueTask<object?> InvokeObserverAsync(CallHeader header, object?[] arguments, CancellationToken cancellationToken)
    {
        if (!InterfaceCatalog.Shared.TryGet(header.Interface, out var descriptor))
            throw new OrleansException($"Interface '{header.Interface}' is unknown.");
        var call = new Call<object?>(this, CreateReference(GrainId.Parse(header.GrainId), descriptor), descriptor.Find(header.Method), arguments)
        {
            Context = header.RequestContext,
            Timeout = header.Timeout,
        };
        Observers.Receive(call);
        return new(call.Method.OneWay ? Task.FromResult<object?>(null) : call.Task);
    }

    protected override void Route(Call call)
    {
        var transport = Transport ?? throw new SiloUnavailableException("The client is not connected.");
        if (call.To.Kind == TargetKind.Observer && TargetKinds.ClientOf(call.To.GrainId) == ClientId)
            Observers.Receive(call);
        else
            _ = SendAsync(transport, call);
    }

    private static async Task SendAsync(ICallTransport transport, Call call)
    {
        var token = call.CallerToken;
        try
        {
            call.Complete(await transport.SendAsync(EmbeddedCluster.HeaderOf(call), call.Arguments, token), null);
        }
        catch (Exception e)
        {
            call.Complete(null, e);    // it reaches the caller
        }
    }
}
