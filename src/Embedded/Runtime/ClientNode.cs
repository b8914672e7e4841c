// A client in the same process as its silos. Every grain's name is bound to one of them, its gateway,
// for as long as that is there, then to another: bindings are made in turn, so that a client's calls
// spread over all silos. A gateway that does not answer, but is a member, keeps what is bound to it.
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using Watch.Embedded.Activations;
using Watch.Embedded.Calls;

namespace Watch.Embedded.Runtime;

internal sealed class ClientNode : Node
{
    // Names with the same place in this table share a gateway.
    private const int Bindings = 8192;

    private readonly EmbeddedCluster _cluster;
    private readonly SiloNode?[] _gateways = new SiloNode?[Bindings];
    private uint _turn;

    public ClientNode(string clientId, EmbeddedCluster cluster, IMessageCopier copier, TimeSpan responseTimeout, ILogger logger, IEmbeddedEnvironment? environment = null)
        : base(clientId, environment ?? cluster.Environment, copier, responseTimeout, logger)
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
        var gateway = Gateway(call.To.GrainId);
        call.At = gateway;
        Environment.Deliver(Name, gateway.Name, call);
    }

    private SiloNode Gateway(GrainId grain)
    {
        var active = _cluster.Membership.ActiveSilos;
        ref var bound = ref _gateways[(uint)grain.GetHashCode() % Bindings];
        if (bound is { } gateway && Array.IndexOf(active, gateway) >= 0)
            return gateway;
        if (active.Length == 0)
            throw new SiloUnavailableException("No silo is active.");
        return bound = active[Interlocked.Increment(ref _turn) % active.Length];
    }
}
