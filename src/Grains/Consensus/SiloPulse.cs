using System.Collections.Concurrent;
using Orleans.Runtime;
using Watch.Core;

namespace Watch.Grains.Consensus;

/// <summary>
/// Feels whether a silo still lives while calls to its replica are under way. A silo that died or froze is declared dead by membership
/// only after many seconds, and until then a call to it hangs until its own timeout, which has to be long enough for an honest answer.
/// So a call that takes longer than a moment has its silo asked who it is, which every living silo answers at once; if that question fails,
/// the call is given up. What it did there, if anything, is not known.
/// </summary>
internal sealed class SiloPulse(IReplicaServiceClient replicas, TimeProvider time)
{
    /// <summary>How often calls are looked at, and how long one may take before its silo is asked.</summary>
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200);

    private readonly ConcurrentDictionary<SiloAddress, Calls> _silos = new();

    /// <summary>Waits for a call to a silo's replica, as long as the silo lives.</summary>
    /// <exception cref="TimeoutException">The silo gives no sign of life.</exception>
    public async Task<TReply> WhileAliveAsync<TReply>(SiloAddress silo, Task<TReply> call)
    {
        if (call.IsCompleted)
            return await call;
        var guarded = new Guarded(time.GetTimestamp());
        var calls = _silos.GetOrAdd(silo, static _ => new Calls());
        if (calls.Add(guarded))
            _ = FeelAsync(silo, calls);
        // Owned by this method: it ends by telling what is awaited below.
        _ = EndWithAsync(call, guarded);
        try
        {
            await guarded.Ended.Task;
        }
        finally
        {
            calls.Remove(guarded);
        }

        return await call;
    }

    private static async Task EndWithAsync(Task call, Guarded guarded)
    {
        try
        {
            await call;
            guarded.Ended.TrySetResult();
        }
        catch (Exception)
        {
            // Whoever waits for the call meets the exception there; here it only says that the call has ended.
            guarded.Ended.TrySetResult();
        }
    }

    /// <summary>Looks after the calls to a silo as long as there are any.</summary>
    private async Task FeelAsync(SiloAddress silo, Calls calls)
    {
        do
        {
            await Task.Delay(s_interval, time);
            if (calls.Before(time, s_interval) is not { Count: > 0 } late)
                continue;
            try
            {
                await replicas.At(silo).Describe(BucketId.Default);
            }
            catch (Exception error)
            {
                // Whatever it is, the silo did not say who it is; and this loop must not end while there are calls.
                foreach (var each in late)
                    each.Ended.TrySetException(new TimeoutException($"Silo {silo} gives no sign of life: {error.Message}"));
            }
        }
        while (!calls.EndIfEmpty());
        // Who has the object still, and adds a call to it, looks after that one himself.
        _silos.TryRemove(new KeyValuePair<SiloAddress, Calls>(silo, calls));
    }

    private sealed class Guarded(long started)
    {
        public long Started { get; } = started;

        public LinkedListNode<Guarded>? Place { get; set; }

        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>The calls under way to one silo. Any thread.</summary>
    private sealed class Calls
    {
        private readonly LinkedList<Guarded> _calls = [];
        private bool _watched;

        /// <summary>Adds a call; true where nobody looks after this silo's calls yet.</summary>
        public bool Add(Guarded call)
        {
            lock (_calls)
            {
                call.Place = _calls.AddLast(call);
                var first = !_watched;
                _watched = true;
                return first;
            }
        }

        public void Remove(Guarded call)
        {
            lock (_calls)
                _calls.Remove(call.Place!);
        }

        /// <summary>The calls that have taken longer than so long.</summary>
        public List<Guarded> Before(TimeProvider time, TimeSpan span)
        {
            lock (_calls)
                return [.. _calls.TakeWhile(call => time.GetElapsedTime(call.Started) >= span)];
        }

        /// <summary>Whether there is nothing to look after any more.</summary>
        public bool EndIfEmpty()
        {
            lock (_calls)
            {
                _watched = _calls.Count > 0;
                return !_watched;
            }
        }
    }
}
