// The activations of one stateless worker on one silo: a call goes to an idle one, else to a new one
// while there may be more, else to the one with the fewest calls.
using Orleans.Runtime;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Activations;

internal sealed class WorkerPool(SiloNode silo, GrainId id, GrainClass grainClass)
{
    private readonly Lock _gate = new();
    private readonly List<Activation> _workers = new(1);
    private bool _gone;

    /// <summary>False: the pool has emptied and is gone; ask for another.</summary>
    public bool TryReceive(Turn turn)
    {
        while (true)
        {
            Activation worker;
            lock (_gate)
            {
                if (_gone)
                    return false;
                worker = Choose();
            }

            if (worker.TryReceive(turn))
                return true;
            Remove(worker);
        }
    }

    /// <summary>Forgets a worker. True: it was the last one, and the pool is gone.</summary>
    public bool Remove(Activation worker)
    {
        lock (_gate)
        {
            _workers.Remove(worker);
            _gone |= _workers.Count == 0;
            return _gone;
        }
    }

    public IReadOnlyList<Activation> Workers
    {
        get
        {
            lock (_gate)
                return [.. _workers];
        }
    }

    private Activation Choose()
    {
        foreach (var worker in _workers)
        {
            if (worker.IsIdle)
                return worker;
        }

        if (_workers.Count < grainClass.MaxLocalWorkers)
        {
            var worker = new Activation(silo, id, grainClass);
            _workers.Add(worker);
            return worker;
        }

        return _workers.Count == 1 ? _workers[0] : _workers.MinBy(w => w.Load)!;
    }
}
