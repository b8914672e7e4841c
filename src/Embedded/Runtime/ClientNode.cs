// A client in the same process as its silos: calls go to one of them, the gateway, for as long as it
// is there; then to another.
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using Watch.Embedded.Activations;
using Watch.Embedded.Calls;

namespace Watch.Embedded.Runtime;

internal sealed class ClientNode : Node
{
    private readonly EmbeddedCluster _cluster;
    private SiloNode? _gateway;

    public ClientNode(string clientId, EmbeddedCluster cluster, IMessageCopier copier, TimeSpan responseTimeout, ILogger logger)
        : base(clientId, cluster.Environment, copier, responseTimeout, logger)
    {
        _cluster = cluster;
    }

    public void Connect() => _cluster.AddClient(ClientId, this);

    public void Disconnect()
    {
        IsDead = true;
        _cluster.RemoveClient(ClientId, this);
        Pending.FailAll(call => new SiloUnavailableException($"The client was closed while '{call}' was under way."));
    }

    public override GrainType GrainTypeFor(Type interfaceType) => GrainClasses.Shared.TypeFor(interfaceType);

    protected override void Route(Call call)
    {
        if (IsDead)
            throw new ObjectDisposedException(nameof(Orleans.IClusterClient), "The client was closed.");
        if (call.To.Kind == TargetKind.Observer)
        {
            _cluster.RouteToObserver(this, call);
            return;
        }

        call.To.Descriptor.CheckIsForClients();
        var gateway = Gateway();
        call.At = gateway;
        Environment.Deliver(Name, gateway.Name, call);
    }

    private SiloNode Gateway()
    {
        var active = _cluster.Membership.ActiveSilos;
        if (_gateway is { } gateway && Array.IndexOf(active, gateway) >= 0)
            return gateway;
        if (active.Length == 0)
            throw new SiloUnavailableException("No silo is active.");
        return _gateway = active[Environment.Random.Next(active.Length)];
    }
}
