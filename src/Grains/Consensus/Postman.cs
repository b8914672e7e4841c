using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;

namespace Watch.Grains.Consensus;

/// <summary>
/// Carries parcels to the other nodes, or loses them: Raft repairs what is lost, so nothing here is repeated, and nothing waits for it. It
/// knows on which silo a node lives from that silo's own word: what it answers when asked who it is, and what it sends.
/// </summary>
/// <remarks>
/// Each node has a few calls under way and a bounded queue behind them; what does not fit is dropped. So a silo that is frozen, or dead and
/// not yet declared so, costs a few calls that time out, and holds up nobody else. When a call fails, what waits behind it is stale and is
/// dropped, too. For a node whose silo is unknown or dead only the newest few parcels are kept: what it missed longer ago it is told anew
/// when it is back. Used in the turns of <see cref="ReplicaService"/> only.
/// </remarks>
internal sealed partial class Postman(
    IReplicaServiceClient replicas,
    IClusterMembershipService membership,
    ILocalSiloDetails local,
    TimeProvider time,
    ILogger<Postman> logger)
{
    /// <summary>Calls under way to one node, at most.</summary>
    public const int CallsInFlightMax = 3;

    /// <summary>Bytes that wait for one node, at most; one parcel may go beyond it.</summary>
    public const int QueueBytesMax = 32 << 20;

    /// <summary>Parcels that wait for a node of which nobody knows where it lives, at most.</summary>
    public const int ParcelsWithoutSiloMax = 8;

    /// <summary>Bytes in one call, about: one parcel may go beyond it.</summary>
    public const int CallBytesMax = 4 << 20;

    /// <summary>How long a question about who lives where is not repeated.</summary>
    private static readonly TimeSpan s_askAgainAfter = TimeSpan.FromMilliseconds(200);

    private readonly SortedDictionary<NodeId, Peer> _peers = [];
    private readonly HashSet<SiloAddress> _asked = [];
    private readonly List<(long UpTo, TaskCompletionSource Gone)> _leaving = [];
    private long? _askedAt;
    private long _sent;

    /// <summary>How many parcels were dropped, or were in a call that failed.</summary>
    public long Lost { get; private set; }

    /// <summary>The silo on which a node lives, as far as is known.</summary>
    public SiloAddress? SiloOf(NodeId node) => _peers.TryGetValue(node, out var peer) ? peer.Silo : null;

    /// <summary>A node lives on a silo.</summary>
    public void Learn(NodeId node, SiloAddress silo)
    {
        if (silo.Equals(local.SiloAddress))
            return;
        var peer = PeerOf(node);
        if (silo.Equals(peer.Silo) || (peer.Silo is { } known && IsOlder(silo, known)))
            return;
        peer.Silo = silo;
        Pump(peer);
    }

    /// <summary>A node was removed from the cluster: nothing is kept for it or known of it any more.</summary>
    public void Forget(NodeId node)
    {
        if (_peers.Remove(node, out var peer))
            Drop(peer, 0);
    }

    /// <summary>
    /// Whether a silo came before the one that is known: its word may still be under way. A silo that starts again at its address has a
    /// higher generation. Those of two machines say nothing about which came first, so there the one that membership knows to be alive stays.
    /// </summary>
    private bool IsOlder(SiloAddress silo, SiloAddress known)
    {
        if (silo.Endpoint.Equals(known.Endpoint))
            return silo.Generation < known.Generation;
        var members = membership.CurrentSnapshot;
        return members.GetSiloStatus(silo) == SiloStatus.Dead
            || (members.GetSiloStatus(known) == SiloStatus.Active && silo.Generation < known.Generation);
    }

    /// <summary>Ships a parcel, or loses it. Never waits.</summary>
    public void Send(Parcel parcel)
    {
        var bytes = ParcelCodec.Encode(parcel);
        var peer = PeerOf(parcel.To);
        if (peer.Waiting.Count > 0 && peer.WaitingBytes + bytes.Length > QueueBytesMax)
        {
            Lost++;
            LogDropped(logger, parcel.To, peer.WaitingBytes);
            return;
        }

        peer.Waiting.Enqueue((++_sent, bytes));
        peer.WaitingBytes += bytes.Length;
        Pump(peer);
    }

    /// <summary>Done when everything has left, or is lost, that was sent before; whatever is sent meanwhile is not waited for.</summary>
    public Task WhenGone()
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _leaving.Add((_sent, gone));
        TellGone();
        return gone.Task;
    }

    private void TellGone()
    {
        if (_leaving.Count == 0)
            return;
        var oldest = long.MaxValue;
        foreach (var peer in _peers.Values)
        {
            foreach (var call in peer.Calls)
                oldest = Math.Min(oldest, call);
            // What nobody can be sent to leaves when its silo is found, if ever.
            if (peer.InFlight > 0 && peer.Waiting.TryPeek(out var next))
                oldest = Math.Min(oldest, next.Number);
        }

        foreach (var each in _leaving.Where(each => each.UpTo < oldest).ToList())
        {
            _leaving.Remove(each);
            each.Gone.TrySetResult();
        }
    }

    private void Pump(Peer peer)
    {
        if (peer.Waiting.Count == 0)
            return;
        if (peer.Silo is not { } silo || membership.CurrentSnapshot.GetSiloStatus(silo) == SiloStatus.Dead)
        {
            Drop(peer, ParcelsWithoutSiloMax);
            AskWhoIsWhere();
            return;
        }

        while (peer.InFlight < CallsInFlightMax && peer.Waiting.Count > 0)
        {
            peer.InFlight++;
            // Nobody awaits the call; it ends by making room for the next one.
            _ = DeliverAsync(peer, silo, peer.Waiting.Peek().Number, Take(peer));
        }
    }

    /// <summary>Drops what has waited longest, but for so many.</summary>
    private void Drop(Peer peer, int kept)
    {
        while (peer.Waiting.Count > kept)
        {
            peer.WaitingBytes -= peer.Waiting.Dequeue().Bytes.Length;
            Lost++;
        }
    }

    private static ImmutableArray<ReadOnlyMemory<byte>> Take(Peer peer)
    {
        var parcels = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        var bytes = 0L;
        while (peer.Waiting.TryPeek(out var next) && (parcels.Count == 0 || bytes + next.Bytes.Length <= CallBytesMax))
        {
            parcels.Add(peer.Waiting.Dequeue().Bytes);
            bytes += next.Bytes.Length;
        }

        peer.WaitingBytes -= bytes;
        return parcels.ToImmutable();
    }

    private async Task DeliverAsync(Peer peer, SiloAddress silo, long first, ImmutableArray<ReadOnlyMemory<byte>> parcels)
    {
        peer.Calls.Add(first);
        try
        {
            await replicas.At(silo).Deliver(local.SiloAddress, parcels);
        }
        catch (Exception error)
        {
            Lost += parcels.Length;
            Drop(peer, 0);
            LogLost(logger, error, peer.Node, silo);
            AskWhoIsWhere();
        }
        finally
        {
            peer.InFlight--;
            peer.Calls.Remove(first);
            Pump(peer);
            TellGone();
        }
    }

    /// <summary>Asks every other active silo who it is, unless it is being asked or all were a moment ago.</summary>
    private void AskWhoIsWhere()
    {
        if (_askedAt is { } at && time.GetElapsedTime(at) < s_askAgainAfter)
            return;
        _askedAt = time.GetTimestamp();
        var others = membership.CurrentSnapshot.Members.Values
            .Where(each => each.Status == SiloStatus.Active && !each.SiloAddress.Equals(local.SiloAddress))
            .Select(each => each.SiloAddress)
            .Order();
        foreach (var silo in others.ToList())
        {
            if (_asked.Add(silo))
                _ = AskAsync(silo);
        }
    }

    private async Task AskAsync(SiloAddress silo)
    {
        try
        {
            Learn((await replicas.At(silo).Describe(BucketId.Default)).Node, silo);
        }
        catch (Exception error)
        {
            // Whoever has something to say to a node that is not found asks again.
            LogSilent(logger, error, silo);
        }
        finally
        {
            _asked.Remove(silo);
        }
    }

    private Peer PeerOf(NodeId node)
    {
        if (!_peers.TryGetValue(node, out var peer))
            _peers.Add(node, peer = new Peer(node));
        return peer;
    }

    private sealed class Peer(NodeId node)
    {
        public NodeId Node { get; } = node;

        public SiloAddress? Silo { get; set; }

        public Queue<(long Number, byte[] Bytes)> Waiting { get; } = new();

        public long WaitingBytes { get; set; }

        public int InFlight { get; set; }

        /// <summary>The number of the first parcel of each call under way.</summary>
        public List<long> Calls { get; } = [];
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "A parcel to node {Node} was dropped: {Bytes} bytes wait for it")]
    private static partial void LogDropped(ILogger logger, NodeId node, long bytes);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Parcels to node {Node} on silo {Silo} were lost")]
    private static partial void LogLost(ILogger logger, Exception error, NodeId node, SiloAddress silo);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Silo {Silo} did not say who it is")]
    private static partial void LogSilent(ILogger logger, Exception error, SiloAddress silo);
}
