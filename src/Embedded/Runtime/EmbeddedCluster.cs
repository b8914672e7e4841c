// The silos and clients of one process that belong together. There is one copy of membership and
// directory, which all of them see at once: within a process there is nothing to gossip about.
using System.Collections.Concurrent;
using Orleans.Configuration;
using Orleans.Placement;
using Orleans.Runtime;
using Watch.Embedded.Activations;
using Watch.Embedded.Calls;

namespace Watch.Embedded.Runtime;

internal sealed class EmbeddedCluster
{
    // Client id -> a Node of this process, or an IClientEndpoint of a gateway.
    private readonly ConcurrentDictionary<string, object> _clients = new(StringComparer.Ordinal);

    public EmbeddedCluster(IEmbeddedEnvironment environment)
    {
        Environment = environment;
        Membership = new Membership(environment);
        Directory = new GrainDirectory(this);
    }

    public IEmbeddedEnvironment Environment { get; }

    public Membership Membership { get; }

    public GrainDirectory Directory { get; }

    /// <summary>From now on this client's observers can be called.</summary>
    public void AddClient(string clientId, object nodeOrEndpoint) => _clients[clientId] = nodeOrEndpoint;

    /// <summary>The client is gone; the calls of its observers that are under way fail.</summary>
    public void RemoveClient(string clientId, object nodeOrEndpoint) =>
        _clients.TryRemove(KeyValuePair.Create(clientId, nodeOrEndpoint));

    public void RouteToObserver(Node from, Call call)
    {
        var clientId = TargetKinds.ClientOf(call.To.GrainId);
        if (!_clients.TryGetValue(clientId, out var client))
            throw new ClientNotAvailableException($"Client {clientId} is not connected: '{call}'.");
        if (ReferenceEquals(client, from))
            from.Observers.Receive(call);
        else if (client is Node node)
            from.Environment.Deliver(from.Name, node.Name, new ObserverMessage(node, call));
        else
            _ = CallEndpoint((IClientEndpoint)client, call);
    }

    /// <summary>A silo crashed: what was under way to it fails, its grains may be activated elsewhere.</summary>
    public void NoteDeath(SiloNode silo, IEnumerable<Node> others)
    {
        RemoveClient(silo.ClientId, silo);
        Directory.Forget(silo);
        foreach (var node in others.Concat(_clients.Values.OfType<Node>()).Distinct().OrderBy(n => n.Name, StringComparer.Ordinal))
        {
            node.Pending.FailThoseAt(silo);
        }
    }

    private static async Task CallEndpoint(IClientEndpoint endpoint, Call call)
    {
        try
        {
            call.Complete(await endpoint.InvokeObserverAsync(HeaderOf(call), call.Arguments, CancellationToken.None), null);
        }
        catch (Exception e)
        {
            call.Complete(null, e);    // it reaches the caller
        }
    }

    internal static CallHeader HeaderOf(Call call) => new()
    {
        GrainId = call.To.GrainId.ToString(),
        Interface = call.Method.Interface.Alias,
        Method = call.Method.Id,
        Timeout = call.Timeout,
        OneWay = call.Method.OneWay,
        RequestContext = call.Context,
    };

    private sealed class ObserverMessage(Node client, Call call) : INodeMessage
    {
        public Call About => call;

        public void Arrive() => client.Observers.Receive(call);

        public override string ToString() => call.ToString();
    }
}

/// <summary>Which silo a grain is active on. One entry per grain, made and removed atomically.</summary>
internal sealed class GrainDirectory(EmbeddedCluster cluster)
{
    private readonly ConcurrentDictionary<GrainId, SiloNode> _entries = new();

    /// <summary>
    /// In a simulated world: whether the entry of a grain is lost now. The grain is then activated a second time, on some other silo, while
    /// the first activation goes on; null where nothing is ever lost.
    /// </summary>
    public Func<GrainId, bool>? Loses { get; set; }

    public SiloNode FindOrPlace(GrainId id, GrainClass grainClass, SiloNode caller)
    {
        if (Loses is { } loses && _entries.TryGetValue(id, out var known) && !known.IsDead && Another(known) is { } other && loses(id))
            _entries[id] = other;
        while (true)
        {
            if (!_entries.TryGetValue(id, out var owner))
                owner = _entries.GetOrAdd(id, Place(grainClass, caller));
            if (!owner.IsDead)
                return owner;
            Remove(id, owner);    // entered while its silo died
        }
    }

    private SiloNode? Another(SiloNode owner)
    {
        var others = cluster.Membership.ActiveSilos.Where(silo => !ReferenceEquals(silo, owner)).ToArray();
        return others.Length == 0 ? null : others[cluster.Environment.Random.Next(others.Length)];
    }

    public void Remove(GrainId id, SiloNode owner) => _entries.TryRemove(KeyValuePair.Create(id, owner));

    public void Forget(SiloNode silo)
    {
        foreach (var entry in _entries)
        {
            if (ReferenceEquals(entry.Value, silo))
                _entries.TryRemove(entry);
        }
    }

    private SiloNode Place(GrainClass grainClass, SiloNode caller)
    {
        var active = cluster.Membership.ActiveSilos;
        if (active.Length == 0)
            throw new SiloUnavailableException($"No active silo can host a grain of type '{grainClass.GrainType}'.");
        if (grainClass.Placement == PlacementKind.PreferLocal && Array.IndexOf(active, caller) >= 0)
            return caller;
        return active.Length == 1 ? active[0] : active[cluster.Environment.Random.Next(active.Length)];
    }
}
