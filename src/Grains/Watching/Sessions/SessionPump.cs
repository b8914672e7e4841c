using System.Diagnostics.CodeAnalysis;
using Orleans.Runtime;
using Watch.Client;
using Watch.Core.Watching.Delivery;
using Watch.Grains.Diagnostics;
using Watch.Interfaces;

namespace Watch.Grains.Watching.Sessions;

/// <summary>
/// Carries what a client's watches have to its one observer.
/// </summary>
/// <remarks>
/// A watch that has something stands in the ring, once. The pump lets those in the ring put their next steps into a batch, one turn each,
/// until it is full or nobody has anything, sends it, and waits for the answer. Rules:
///
///   I-D1  Batch n+1 is sent after batch n was acknowledged; n is repeated unchanged until then, or until the lease is over.
///   I-D2  The steps of one watch have consecutive numbers from 1 in a registration, and form a chain.
///   I-D3  A watch's events are sent only while its reader has granted credit for them; markers and ends need none.
///   I-D5  A delivery that fails or times out is repeated; only the lease ends a session for silence.
///   I-D8  After the last step of a watch nothing of it comes.
///
/// Watches say that they are ready on any thread; everything else happens in the session's turns.
/// </remarks>
internal sealed class SessionPump(long epoch, IWatchSessionObserver observer, Func<bool> isLeaseOver, WatchMetrics metrics, TimeProvider time, CancellationToken stop)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(200);

    private readonly Lock _ringGate = new();
    private readonly Queue<SessionWatch> _ring = [];
    private readonly ReadySignal _ready = new();
    private readonly Dictionary<long, SessionWatch> _watches = [];
    private readonly List<SessionWatch> _leaving = [];
    private readonly BatchPlan _plan = new();
    private bool _isEnding;

    /// <summary>The watches, by the client's numbers. Those whose last step is not acknowledged yet are among them.</summary>
    public IReadOnlyDictionary<long, SessionWatch> Watches => _watches;

    /// <summary>Takes a watch that has been registered.</summary>
    public void Add(SessionWatch watch)
    {
        _watches.Add(watch.Number, watch);
        watch.Watch.Ready = () => Link(watch);
    }

    /// <summary>Ends a watch that the client left: nothing more of it is sent.</summary>
    public async ValueTask RemoveAsync(long number)
    {
        if (!_watches.Remove(number, out var watch))
            return;
        watch.IsDone = true;
        await watch.Watch.DisposeAsync();
    }

    /// <summary>Takes what readers granted.</summary>
    public void Grant(IEnumerable<Credit> credits)
    {
        foreach (var credit in credits)
        {
            if (_watches.TryGetValue(credit.Watch, out var watch) && watch.Grant(credit))
                Link(watch);
        }
    }

    /// <summary>Ends every watch; done is <see cref="RunAsync"/> when the client was told, or cannot be.</summary>
    public void EndAll(WatchEndReason reason)
    {
        _isEnding = true;
        foreach (var watch in _watches.Values)
            watch.Watch.End(reason);
        _ready.Set();
    }

    /// <summary>Delivers until the session is over.</summary>
    public async Task RunAsync()
    {
        var builder = new BatchBuilder(_plan);
        try
        {
            for (long number = 1; !(_isEnding && _watches.Count == 0) && !stop.IsCancellationRequested;)
            {
                Fill(builder);
                if (!builder.IsEmpty)
                    await DeliverAsync(builder.Finish(epoch, number++));
                else if (_isEnding)
                    break;                                                  // Who has no credit now gets none any more.
                else
                    await _ready.WaitAsync(stop);
            }
        }
        finally
        {
            foreach (var watch in _watches.Values.ToList())
                await RemoveAsync(watch.Number);
        }
    }

    private void Link(SessionWatch watch)
    {
        lock (_ringGate)
        {
            if (watch.IsLinked)
                return;
            watch.IsLinked = true;
            _ring.Enqueue(watch);
        }

        _ready.Set();
    }

    private bool TryNext([NotNullWhen(true)] out SessionWatch? watch)
    {
        lock (_ringGate)
        {
            if (!_ring.TryDequeue(out watch))
                return false;
            // Before it is taken from: what comes from here on links it again.
            watch.IsLinked = false;
            return true;
        }
    }

    private void Fill(BatchBuilder builder)
    {
        while (!builder.IsFull && TryNext(out var watch))
        {
            if (watch.IsDone || !watch.TryTake(builder))
                continue;
            if (watch.IsDone)
                _leaving.Add(watch);
            else
                Link(watch);
        }
    }

    private async Task DeliverAsync(SessionBatch batch)
    {
        var sent = time.GetTimestamp();
        var ack = await SendAsync(batch);
        metrics.SessionBatch(batch);
        bool moreWaits;
        lock (_ringGate)
            moreWaits = _ring.Count > 0;
        _plan.Answered((long)time.GetElapsedTime(sent).TotalMilliseconds, moreWaits);
        Grant(ack.Credits);
        foreach (var watch in _leaving)
            await RemoveAsync(watch.Number);
        _leaving.Clear();
    }

    /// <summary>Sends a batch, again and again while the client's lease lives: one that was lost may have arrived, and the client knows it by its number.</summary>
    private async Task<SessionAck> SendAsync(SessionBatch batch)
    {
        while (true)
        {
            try
            {
                return await observer.OnBatch(batch);
            }
            catch (Exception error) when (error is TimeoutException or OrleansException && !isLeaseOver() && !stop.IsCancellationRequested)
            {
                await Task.Delay(s_pause, time, stop);                      // I-D5
            }
        }
    }
}
