// The activations on one silo, by the name of their grain; and the collector that ends those that
// have been idle for longer than their age.
using System.Collections.Concurrent;
using Orleans;
using Orleans.Placement;
using Orleans.Runtime;
using Watch.Embedded.Calls;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Activations;

internal sealed class ActivationTable(SiloNode silo) : IDisposable
{
    private readonly ConcurrentDictionary<GrainId, Activation> _activations = new();
    private readonly ConcurrentDictionary<GrainId, WorkerPool> _workers = new();
    private ITimer? _collector;

    /// <summary>In the order of their names.</summary>
    public List<Activation> All => [.. _activations.Values.Concat(_workers.Values.SelectMany(p => p.Workers)).OrderBy(a => a.Id)];

    /// <summary>False: the grain has no activation here (any more).</summary>
    public bool TryDeliver(Call call)
    {
        var id = call.To.GrainId;
        if (_activations.TryGetValue(id, out var activation))
            return activation.TryReceive(call);
        return _workers.TryGetValue(id, out var pool) && pool.TryReceive(call);
    }

    public bool TryGet(GrainId id, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Activation? activation) =>
        _activations.TryGetValue(id, out activation);

    public void Add(GrainId id, GrainClass grainClass) => _activations.TryAdd(id, new Activation(silo, id, grainClass));

    public void AddWorkers(GrainId id, GrainClass grainClass, EmbeddedCluster cluster)
    {
        cluster.Membership.RequireActive(silo);
        _workers.TryAdd(id, new WorkerPool(silo, id, grainClass));
    }

    public void Remove(Activation activation)
    {
        if (activation.Class.Placement == PlacementKind.StatelessWorker)
        {
            if (_workers.TryGetValue(activation.Id, out var pool) && pool.Remove(activation))
                _workers.TryRemove(KeyValuePair.Create(activation.Id, pool));
        }
        else if (_activations.TryGetValue(activation.Id, out var current) && ReferenceEquals(current, activation))
        {
            // The directory first: otherwise a successor made in between would lose its entry.
            silo.Cluster.Directory.Remove(activation.Id, silo);
            _activations.TryRemove(KeyValuePair.Create(activation.Id, activation));
        }
    }

    public void StartCollector()
    {
        var quantum = silo.Collection.CollectionQuantum;
        using (ExecutionContext.SuppressFlow())
            _collector = silo.Environment.TimeProvider.CreateTimer(_ => Collect(), null, quantum, quantum);
    }

    public void Dispose() => _collector?.Dispose();

    /// <summary>Ends every activation; a dead silo's cannot end in an orderly way any more.</summary>
    public async Task DeactivateAllAsync(CancellationToken cancellationToken)
    {
        Dispose();
        while (All is { Count: > 0 } all && !silo.IsFrozen)
        {
            foreach (var activation in all)
                activation.Deactivate(new(DeactivationReasonCode.ShuttingDown, "The silo is stopping."));
            await Task.WhenAll(all.Select(a => a.Context.Deactivated)).WaitAsync(cancellationToken);
        }
    }

    private void Collect()
    {
        foreach (var activation in All.Where(a => a.IsCollectable(silo.Collection.CollectionAge)))
            activation.Deactivate(new(DeactivationReasonCode.ActivationIdle, "The activation was idle for its collection age."));
    }
}
