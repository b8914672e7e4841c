using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using Orleans;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>
/// The cluster's nodes through the cluster grain, the same outside the cluster and inside a silo. What takes long is a wish that the
/// cluster records, and then following the nodes until it shows as fulfilled, so a lost connection or silo costs nothing but time.
/// </summary>
internal sealed class GrainWatchCluster : IWatchCluster
{
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
        var recorded = await TellAsync(grain => grain.AddNode(name, cancellationToken), cancellationToken);
        await foreach (var nodes in WatchNodesAsync(cancellationToken).WithCancellation(cancellationToken))
        {
            // A sight from before the wish may show an old node of the name as if it stayed.
            if (nodes.Index < recorded)
                continue;
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
        // Its number says who is meant, and when it is gone: the name may be another's by then.
        var known = (await ListNodesAsync(cancellationToken)).Nodes.Where(node => node.Name == name).ToList();
        var meant = known.Find(node => node.Standing != NodeStanding.Leaving) ?? known.FirstOrDefault();
        await TellAsync(
            async grain =>
            {
                await grain.RemoveNode(name, meant?.Id ?? "", force, cancellationToken);
                return true;
            },
            cancellationToken);
        var left = false;
        await foreach (var nodes in WatchNodesAsync(cancellationToken).WithCancellation(cancellationToken))
        {
            progress?.Report(nodes);
            var leaves = nodes.Nodes.Any(node => known.Exists(each => each.Id == node.Id) && node.Standing == NodeStanding.Leaving);
            if (left && !leaves && nodes.Nodes.Any(node => known.Exists(each => each.Id == node.Id)))
                throw new WatchException(WatchErrorCode.ChangeUnderWay, $"The removal of node '{name}' was taken back: it was added again before it was gone.");
            left |= leaves;
            if (HasLeader(nodes) && !nodes.Nodes.Any(node => known.Exists(each => each.Id == node.Id)))
                return;
        }

        throw new OperationCanceledException(cancellationToken);
    }

    public async IAsyncEnumerable<ClusterNodes> WatchNodesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var backoff = new Backoff(_options, _time, _random);
        var seen = "";
        var index = 0L;
        while (true)
        {
            var nodes = await NextAsync(seen, backoff, cancellationToken);
            // Another silo may have looked a little earlier: time does not go back.
            if (nodes is null || (HasLeader(nodes) && nodes.Index < index) || nodes.Fingerprint() is var now && now == seen)
                continue;
            seen = nodes.Fingerprint();
            index = Math.Max(index, nodes.Index);
            yield return nodes;
        }
    }

    private static bool HasLeader(ClusterNodes nodes) => nodes.Leaders.Any(leader => leader.Group == ClusterNodes.SystemGroup);

    /// <summary>The next sight; null after a loss and a pause.</summary>
    private async Task<ClusterNodes?> NextAsync(string seen, Backoff backoff, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            // A question that holds until something changes is quiet by its nature.
            var nodes = await _calls.ReadAsync(door => Grain(door).NextNodes(seen, cancellationToken), seen.Length == 0 ? null : _options.WatchQuiet, cancellationToken);
            backoff.Reset();
            return nodes;
        }
        catch (WatchException error) when (!TransportErrors.IsFinal(error))
        {
            await backoff.PauseAsync(cancellationToken);
            return null;
        }
    }

    private Task<T> TellAsync<T>(Func<IClusterGrain, Task<T>> wish, CancellationToken cancellationToken) =>
        new RepeatedWish(_calls, _options, _time, _random).RunAsync(door => wish(Grain(door)), cancellationToken);

    private IClusterGrain Grain(Door? door) => _grains.GetGrain<IClusterGrain>(GrainKeys.OfClusterDoor(door?.Number ?? 0));
}
