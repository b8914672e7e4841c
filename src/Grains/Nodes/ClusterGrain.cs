using Orleans;
using Orleans.Concurrency;
using Watch.Grains.Consensus;
using Watch.Interfaces;

namespace Watch.Grains.Nodes;

/// <summary>The public door to the cluster's nodes. All that wait for a change on this silo share one look at a time.</summary>
[GrainType("watch.cluster")]
[StatelessWorker(1, false)]
[Reentrant]
internal sealed class ClusterGrain(ClusterDesk desk, TimeProvider time) : Grain, IClusterGrain
{
    private static readonly TimeSpan s_lookAgainAfter = TimeSpan.FromMilliseconds(250);

    /// <summary>A question is held for so long at most: shorter than a client waits before it asks whether this silo lives.</summary>
    private static readonly TimeSpan s_held = TimeSpan.FromSeconds(2);

    private Task<ClusterNodes>? _look;
    private long _lookedAt;

    public Task<ClusterNodes> ListNodes(CancellationToken cancellationToken) => FreshAsync();

    public async Task<ClusterNodes> NextNodes(string seen, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            // Whoever has seen nothing yet may just have had a wish recorded: an older look would not show it.
            var nodes = await LookAsync(isFresh: seen.Length == 0);
            if (nodes.Fingerprint() != seen || time.GetElapsedTime(started) >= s_held)
                return nodes;
            await Task.Delay(s_lookAgainAfter, time, cancellationToken);
        }
    }

    public Task<long> AddNode(string name, CancellationToken cancellationToken)
    {
        Check(name);
        return desk.WishAsync(new NodeWishRequest(name, Leaves: false, Force: false), cancellationToken);
    }

    public Task RemoveNode(string name, string id, bool force, CancellationToken cancellationToken)
    {
        Check(name);
        return desk.WishAsync(new NodeWishRequest(name, Leaves: true, force, id ?? ""), cancellationToken);
    }

    public Task Feel() => Task.CompletedTask;

    private static void Check(string name)
    {
        if (string.IsNullOrEmpty(name) || System.Text.Encoding.UTF8.GetByteCount(name) > Core.Storage.NodeIdentity.NameBytesMax)
            throw new WatchException(WatchErrorCode.InvalidOption, $"A node's name has 1 to {Core.Storage.NodeIdentity.NameBytesMax} bytes; '{name}' has not.");
    }

    private Task<ClusterNodes> LookAsync(bool isFresh)
    {
        if (isFresh || _look is not { IsFaulted: false } look || (look.IsCompleted && time.GetElapsedTime(_lookedAt) >= s_lookAgainAfter))
        {
            _lookedAt = time.GetTimestamp();
            _look = look = FreshAsync();
        }

        return look;
    }

    private async Task<ClusterNodes> FreshAsync() => (await desk.LookAsync()).ToNodes();
}
