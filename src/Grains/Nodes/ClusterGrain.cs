using Orleans;
using Orleans.Concurrency;
using Watch.Grains.Consensus;
using Watch.Grains.Watching;
using Watch.Interfaces;

namespace Watch.Grains.Nodes;

/// <summary>The public door to the cluster's nodes.</summary>
[GrainType("watch.cluster")]
[StatelessWorker(1, false)]
[Reentrant]
internal sealed class ClusterGrain(ClusterDesk desk, WatchersDesk watchers, TimeProvider time) : Grain, IClusterGrain
{
    private readonly SharedLooks _looks = new(desk, time);

    public Task<ClusterNodes> ListNodes(CancellationToken cancellationToken) => _looks.FreshAsync();

    public Task<NodesNews> NextNodes(string seen, TimeSpan hold, CancellationToken cancellationToken) => _looks.NextAsync(seen, hold, cancellationToken);

    public Task<long> AddNode(string name, long seen, CancellationToken cancellationToken)
    {
        Check(name);
        return desk.WishAsync(new NodeWishRequest(name, Leaves: false, Force: false) { Seen = seen }, cancellationToken);
    }

    public Task<long> RemoveNode(string name, string id, long seen, bool force, CancellationToken cancellationToken)
    {
        Check(name);
        return desk.WishAsync(new NodeWishRequest(name, Leaves: true, force, id) { Seen = seen }, cancellationToken);
    }

    public Task<WatcherList> ListWatchers(WatchersQuestion question, CancellationToken cancellationToken) => watchers.ListAsync(question);

    public Task<bool> EndWatcher(string silo, long id, CancellationToken cancellationToken) => watchers.EndAsync(silo, id);

    public Task Feel() => Task.CompletedTask;

    private static void Check(string name)
    {
        if (string.IsNullOrEmpty(name) || System.Text.Encoding.UTF8.GetByteCount(name) > Core.Storage.NodeIdentity.NameBytesMax)
            throw new WatchException(WatchErrorCode.InvalidOption, $"A node's name has 1 to {Core.Storage.NodeIdentity.NameBytesMax} bytes; '{name}' has not.");
    }
}
