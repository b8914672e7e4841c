// The observers of one node. The table holds them weakly: who made an observer keeps it alive. Each
// gets its calls one at a time, in their order. A call of an unknown or collected observer is not
// answered, so its caller waits for its timeout.
using System.Collections.Concurrent;
using Orleans;
using Orleans.Runtime;
using Watch.Embedded.Calls;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Observers;

internal sealed class ObserverTable(Node node)
{
    private readonly ConcurrentDictionary<GrainId, ObserverEntry> _entries = new();
    private long _count;

    /// <summary>A reference through which others can call the object.</summary>
    public GrainReference Add(IGrainObserver observer, Type interfaceType)
    {
        var entry = new ObserverEntry(node, TargetKinds.Observer(node.ClientId, Interlocked.Increment(ref _count)), observer);
        _entries[entry.Id] = entry;
        return node.CreateReference(entry.Id, InterfaceCatalog.Shared.Get(interfaceType));
    }

    public void Remove(GrainReference reference) => _entries.TryRemove(reference.GrainId, out _);

    public void Receive(Call call)
    {
        if (_entries.TryGetValue(call.To.GrainId, out var entry) && entry.IsAlive)
        {
            entry.Receive(call);
            return;
        }

        _entries.TryRemove(call.To.GrainId, out _);
        Log.ObserverUnknown(node.Logger, call);
    }
}

/// <summary>One observer and the calls that wait for it.</summary>
internal sealed class ObserverEntry(Node node, GrainId id, IGrainObserver observer)
{
    private readonly WeakReference<IGrainObserver> _observer = new(observer);
    private readonly Queue<Call> _waiting = new();
    private bool _busy;

    public GrainId Id { get; } = id;

    public bool IsAlive => _observer.TryGetTarget(out _);

    public void Receive(Call call)
    {
        lock (_waiting)
        {
            _waiting.Enqueue(call);
            if (_busy)
                return;
            _busy = true;
        }

        _ = Task.Factory.StartNew(Drain, CancellationToken.None, TaskCreationOptions.DenyChildAttach, node.Environment.Scheduler).Unwrap();
    }

    private async Task Drain()
    {
        while (Next() is { } call)
        {
            if (call.HasEnded && !call.Method.OneWay)
                continue;
            if (!_observer.TryGetTarget(out var target))
            {
                Log.ObserverUnknown(node.Logger, call);
                continue;
            }

            object? result = null;
            Exception? exception = null;
            try
            {
                result = await call.Method.Invoke(target, call.Arguments);
                if (!call.Method.ResultNeedsNoCopy)
                    result = node.Copier.Copy(result);
            }
            catch (Exception e)
            {
                exception = e;    // it reaches the caller
            }

            call.AnswerFrom(node, result, exception);
        }
    }

    private Call? Next()
    {
        lock (_waiting)
        {
            _busy = _waiting.TryDequeue(out var call);
            return call;
        }
    }
}
