using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using Orleans;
using Watch.Core;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>
/// The cluster's nodes through the cluster grain, the same outside the cluster and inside a silo. What takes long is a wish that the
/// cluster records, and then following the nodes until it shows as fulfilled, so a lost connection or silo costs nothing but time.
/// </summary>
internal sealed class GrainWatchCluster : IWatchCluster
{
    /// <summary>How long is paused after an answer that brought no news.</summary>
    private static readonly TimeSpan s_noNews = TimeSpan.FromMilliseconds(250);

    /// <summary>For how long a silo may hold a question where nothing changes.</summary>
    private static readonly TimeSpan s_holdMax = TimeSpan.FromSeconds(2);

    private readonly IGrainFactory _grains;
    private readonly WatchClientOptions _options;
    private readonly TimeProvider _time;
    private readonly IWatchRandom _random;
    private readonly Calls _calls;

    /// <summary>Makes it over a way to the grains.</summary>
    public GrainWatchCluster(IGrainFactory grains, IOptions<WatchClientOptions> options, TimeProvider time, IWatchRandom random, bool isOutside)
    {
        _grains = grains;
        _options = options.Value;
        _options.Validate();
        _time = time;
        _random = random;
        var doors = new Doors(door => Grain(door).Feel(), _options, time, random);
        _calls = new Calls(doors, _options, time, random, isOutside, usual: new Door(0));
    }

    public Task<ClusterNodes> ListNodesAsync(CancellationToken cancellationToken = default) =>
        _calls.ReadAsync(door => Grain(door).ListNodes(cancellationToken), hedgeAfter: null, cancellationToken);

    public async Task<ClusterNode> AddNodeAsync(string name, IProgress<ClusterNodes>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var wish = new RepeatedWish(_calls, _options, _time, _random);
        var known = await wish.LookAsync(door => Grain(door).ListNodes(cancellationToken), cancellationToken);
        var recorded = await wish.TellAsync(door => Grain(door).AddNode(name, known.Index, cancellationToken), cancellationToken);
        // A sight from before the wish may show an old node of the name as if it stayed.
        await foreach (var nodes in FollowAsync(recorded, cancellationToken))
        {
            progress?.Report(nodes);
            // An old node of the name may still be on its way out.
            if (nodes.Nodes.FirstOrDefault(node => node.Name == name && node.Standing == NodeStanding.Member) is { } added
                && nodes.Nodes.All(node => node.Name != name || node.Id == added.Id))
                return added;
            if (HasLeader(nodes) && !nodes.Nodes.Any(node => node.Name == name && node.Standing != NodeStanding.Leaving))
                throw new WatchException(WatchErrorCode.UnknownNode, $"Node '{name}' was removed again while it was being added.");
        }

        throw new OperationCanceledException(cancellationToken);
    }

    public async Task RemoveNodeAsync(string name, bool force = false, IProgress<ClusterNodes>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var wish = new RepeatedWish(_calls, _options, _time, _random);
        var seen = await wish.LookAsync(door => Grain(door).ListNodes(cancellationToken), cancellationToken);
        // Its number says who is meant, and when it is gone: the name may be another's by then.
        var known = seen.Nodes.Where(node => node.Name == name).ToList();
        if ((known.Find(node => node.Standing != NodeStanding.Leaving) ?? known.FirstOrDefault()) is not { } meant)
            throw new WatchException(WatchErrorCode.UnknownNode, $"The cluster has no node '{name}'. Its nodes are {string.Join(", ", seen.Nodes.Select(node => $"'{node.Name}'"))}.");
        var recorded = await wish.TellAsync(door => Grain(door).RemoveNode(name, meant.Id, seen.Index, force, cancellationToken), cancellationToken);
        // A sight from before the wish shows the node as if it stayed.
        await foreach (var nodes in FollowAsync(recorded, cancellationToken))
        {
            progress?.Report(nodes);
            if (!HasLeader(nodes))
                continue;
            var left = nodes.Nodes.Where(node => known.Exists(each => each.Id == node.Id)).ToList();
            if (left.Count == 0)
                return;
            if (left.Exists(node => node.Standing != NodeStanding.Leaving))
                throw new WatchException(WatchErrorCode.ChangeUnderWay, $"The removal of node '{name}' was taken back: it was added again before it was gone.");
        }

        throw new OperationCanceledException(cancellationToken);
    }

    public IAsyncEnumerable<ClusterNodes> WatchNodesAsync(CancellationToken cancellationToken = default) => FollowAsync(since: 0, cancellationToken);

    private static bool HasLeader(ClusterNodes nodes) => nodes.Leaders.Any(leader => leader.Group == ClusterNodes.SystemGroup);

    /// <summary>Follows the nodes; no sight counts that does not reach up to an entry of the system group's log.</summary>
    private async IAsyncEnumerable<ClusterNodes> FollowAsync(long since, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var backoff = new Backoff(_options, _time, _random);
        var (shown, token) = ("", "");
        var index = 0L;
        while (true)
        {
            if (await NextAsync(token, backoff, cancellationToken) is not { } news)
                continue;
            var nodes = news.Nodes;
            token = news.Token;
            // Another silo may have looked a little earlier: time does not go back.
            if (nodes.Index < since || (HasLeader(nodes) && nodes.Index < index) || nodes.Fingerprint() == shown)
            {
                // It may have been answered at once, by a silo that sees or says it otherwise, and so may the next question.
                await Task.Delay(s_noNews, _time, cancellationToken);
                continue;
            }

            shown = nodes.Fingerprint();
            index = Math.Max(index, nodes.Index);
            yield return nodes;
        }
    }

    public async Task<Revision> CompactAsync(Revision through, CancellationToken cancellationToken = default)
    {
        // Much goes in parts, each of them a call that says how far it came.
        while (true)
        {
            var reached = await _calls.OnceAsync(door => Bucket(door).Compact(through, cancellationToken), isWrite: true, _options.CallTimeout, hedgeAfter: null, cancellationToken);
            if (reached >= through)
                return reached;
        }
    }

    public Task<WatcherList> ListWatchersAsync(WatchersQuestion? question = null, CancellationToken cancellationToken = default) =>
        _calls.ReadAsync(door => Grain(door).ListWatchers(question ?? new WatchersQuestion(), cancellationToken), hedgeAfter: null, cancellationToken);

    public Task<bool> EndWatcherAsync(string silo, long id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(silo);
        return _calls.OnceAsync(door => Grain(door).EndWatcher(silo, id, cancellationToken), isWrite: true, _options.CallTimeout, hedgeAfter: null, cancellationToken);
    }

    /// <summary>The next sight; null after a loss and a pause.</summary>
    private async Task<NodesNews?> NextAsync(string token, Backoff backoff, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // An answer without news has to come in time, too.
        var hold = _options.CallTimeout / 2 < s_holdMax ? _options.CallTimeout / 2 : s_holdMax;
        try
        {
            // A question that holds until something changes is quiet by its nature.
            var news = await _calls.ReadAsync(door => Grain(door).NextNodes(token, hold, cancellationToken), token.Length == 0 ? null : _options.WatchQuiet, cancellationToken);
            backoff.Reset();
            return news;
        }
        catch (WatchException error) when (!TransportErrors.IsFinal(error))
        {
            await backoff.PauseAsync(cancellationToken);
            return null;
        }
    }

    private IBucketGrain Bucket(Door? door) => _grains.GetGrain<IBucketGrain>(GrainKeys.OfDoor(BucketId.Default, door?.Number ?? 0));

    private IClusterGrain Grain(Door? door) => _grains.GetGrain<IClusterGrain>(GrainKeys.OfClusterDoor(door?.Number ?? 0));
}
