// A silo: the activations and services that live on it, and the way of a call to its target.
//
//   target     way
//   grain      here, when it is active here or is a stateless worker; else to the silo that the
//              directory names; a grain without activation is placed and entered there first
//   service    to the silo in its id
//   observer   to the client in its id: another node of this process, or a connection of the gateway
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Placement;
using Orleans.Runtime;
using Watch.Embedded.Activations;
using Watch.Embedded.Calls;
using Watch.Embedded.Services;

namespace Watch.Embedded.Runtime;

internal sealed class SiloNode : Node
{
    public SiloNode(IServiceProvider services, IEmbeddedEnvironment environment, EmbeddedCluster cluster, SiloIdentity identity)
        : base(identity.Name, environment, services.GetRequiredService<IMessageCopier>(),
            services.GetRequiredService<IOptions<SiloMessagingOptions>>().Value.ResponseTimeout,
            services.GetRequiredService<ILogger<SiloNode>>())
    {
        Services = services;
        Cluster = cluster;
        Address = identity.Address;
        Collection = services.GetRequiredService<IOptions<GrainCollectionOptions>>().Value;
        Activations = new ActivationTable(this);
        GrainServices = new GrainServiceTable(this);
    }

    public IServiceProvider Services { get; }

    public override string ClientId => "hosted-" + Address.ToParsableString();

    public EmbeddedCluster Cluster { get; }

    public SiloAddress Address { get; }

    public GrainCollectionOptions Collection { get; }

    public ActivationTable Activations { get; }

    public GrainServiceTable GrainServices { get; }

    public override GrainType GrainTypeFor(Type interfaceType) => GrainClasses.Shared.TypeFor(interfaceType);

    /// <summary>A call for somebody on this silo, or one that this silo has to find the way for.</summary>
    public void Receive(Call call)
    {
        try
        {
            Route(call);
        }
        catch (Exception e)
        {
            Environment.Deliver(Name, call.Origin.Name, new Refusal(call, e));
        }
    }

    /// <summary>From now on nothing leaves it or reaches it; frozen, not even its own code goes on.</summary>
    public void NoteDead(bool freeze = false)
    {
        IsDead = true;
        IsFrozen |= freeze;
    }

    protected override void Route(Call call)
    {
        call.At = this;
        switch (call.To.Kind)
        {
            case TargetKind.Grain:
                RouteToGrain(call);
                break;
            case TargetKind.Service:
                RouteToService(call);
                break;
            default:
                Cluster.RouteToObserver(this, call);
                break;
        }
    }

    private void RouteToGrain(Call call)
    {
        while (!Activations.TryDeliver(call))
        {
            var grainClass = GrainClasses.Shared.Get(call.To.GrainId.Type);
            if (grainClass.Placement == PlacementKind.StatelessWorker)
            {
                Activations.AddWorkers(call.To.GrainId, grainClass, Cluster);
                continue;
            }

            var owner = Cluster.Directory.FindOrPlace(call.To.GrainId, grainClass, this);
            if (ReferenceEquals(owner, this))
                Activations.Add(call.To.GrainId, grainClass);
            else
            {
                Forward(call, owner);
                return;
            }
        }
    }

    private void RouteToService(Call call)
    {
        var address = TargetKinds.SiloOf(call.To.GrainId);
        if (address.Equals(Address))
            GrainServices.Deliver(call);
        else
            Forward(call, Cluster.Membership.FindLive(address)
                ?? throw new SiloUnavailableException($"Silo {address} is not there for '{call}'."));
    }

    private void Forward(Call call, SiloNode to)
    {
        if (IsDead)
            throw new SiloUnavailableException($"Silo {Address} has stopped.");
        call.At = to;
        Environment.Deliver(Name, to.Name, call);
    }

    private sealed class Refusal(Call call, Exception reason) : INodeMessage
    {
        public Call About => call;

        public void Arrive() => call.Complete(null, reason);

        public override string ToString() => $"refusal of {call}";
    }
}

/// <summary>Who a silo is; made before it starts.</summary>
internal sealed record SiloIdentity(string Name, SiloAddress Address, string ClusterId);
