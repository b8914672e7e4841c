using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using Orleans;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>
/// The cluster's nodes through the cluster grain, the same outside the cluster and inside a silo. What takes long is a wish that the
/// cluster records, and then following the nodes until it shows as fulfilled, so a lost connection or silo costs nothing but time.
/// </summary>
internal sealed class GrainWatchCluster(IGrainFactory grains, IOptions<WatchClientOptions> options, TimeProvider time, IWatchRandom random) : IWatchCluster
{
    private IClusterGrain Grain => grains.GetGrain<IClusterGrain>(IClusterGrain.Key);

    public Task<ClusterNodes> ListNodesAsync(CancellationToken cancellationToken = default) =>
        CallAsync(token => Grain.ListNodes(token), TransportErrors.OfRead, cancellationToken);

    public async Task<ClusterNode> AddNodeAsync(string name, IProgress<ClusterNodes>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        await CallAsync(
            async token =>
            {
                await Grain.AddNode(name, token);
                return true;
            },
            TransportErrors.OfWrite,
            cancellationToken);
        var began = time.GetTimestamp();
        var seen = false;
        await foreach (var nodes in WatchNodesAsync(cancellationToken).WithCancellation(cancellationToken))
        {
            progress?.Report(nodes);
            // An old node of the name may still be on its way out.
            if (nodes.Nodes.FirstOrDefault(node => node.Name == name && node.Standing == NodeStanding.Member) is { } added
                && nodes.Nodes.All(node => node.Name != name || node.Id == added.Id))
                return added;
            var isThere = nodes.Nodes.Any(node => node.Name == name && node.Standing != NodeStanding.Leaving);
            // A first sight may be from just before the wish.
            if (!isThere && HasLeader(nodes) && (seen || time.GetElapsedTime(began) > options.Value.CallTimeout))
                throw new WatchException(WatchErrorCode.UnknownNode, $"Node '{name}' was removed again while it was being added.");
            seen |= isThere;
        }

        throw new OperationCanceledException(cancellationToken);
    }

    public async Task RemoveNodeAsync(string name, bool force = false, IProgress<ClusterNodes>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        // Its number says when it is gone: the name may be another's by then.
        var known = (await ListNodesAsync(cancellationToken)).Nodes.Where(node => node.Name == name).Select(node => node.Id).ToHashSet(StringComparer.Ordinal);
        await CallAsync(
            async token =>
            {
                await Grain.RemoveNode(name, force, token);
                return true;
            },
            TransportErrors.OfWrite,
            cancellationToken);
        var left = false;
        await foreach (var nodes in WatchNodesAsync(cancellationToken).WithCancellation(cancellationToken))
        {
            progress?.Report(nodes);
            var leaves = nodes.Nodes.Any(node => known.Contains(node.Id) && node.Standing == NodeStanding.Leaving);
            if (left && !leaves && nodes.Nodes.Any(node => known.Contains(node.Id)))
                throw new WatchException(WatchErrorCode.ChangeUnderWay, $"The removal of node '{name}' was taken back: it was added again before it was gone.");
            left |= leaves;
            if (HasLeader(nodes) && !nodes.Nodes.Any(node => known.Contains(node.Id)))
                return;
        }

        throw new OperationCanceledException(cancellationToken);
    }

    public async IAsyncEnumerable<ClusterNodes> WatchNodesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var backoff = new Backoff(options.Value, time, random);
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
            var nodes = await CallAsync(token => Grain.NextNodes(seen, token), TransportErrors.OfRead, cancellationToken);
            backoff.Reset();
            return nodes;
        }
        catch (WatchException error) when (!TransportErrors.IsFinal(error))
        {
            await backoff.PauseAsync(cancellationToken);
            return null;
        }
    }

    private async Task<T> CallAsync<T>(Func<CancellationToken, Task<T>> call, Func<Exception, WatchException> told, CancellationToken cancellationToken)
    {
        try
        {
            return await call(cancellationToken).WaitAsync(options.Value.CallTimeout, time, cancellationToken);
        }
        catch (Exception error) when (error is not WatchException && TransportErrors.IsLost(error, cancellationToken))
        {
            throw told(error);
        }
    }
}
