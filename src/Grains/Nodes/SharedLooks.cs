using Watch.Interfaces;

namespace Watch.Grains.Nodes;

/// <summary>Waits for the nodes to be other than somebody saw them. All that wait for a change on this silo share one look at a time.</summary>
/// <remarks>Not thread-safe: used in the turns of <see cref="ClusterGrain"/> only.</remarks>
internal sealed class SharedLooks(ClusterDesk desk, TimeProvider time)
{
    private static readonly TimeSpan s_lookAgainAfter = TimeSpan.FromMilliseconds(250);

    /// <summary>A question is held for so long at most: shorter than a client waits before it asks whether this silo lives.</summary>
    private static readonly TimeSpan s_heldMax = TimeSpan.FromSeconds(2);

    private Task<ClusterNodes?>? _look;
    private long _lookedAt;

    /// <summary>
    /// The nodes now. A silo that has just been started may belong to a cluster and have applied nothing of its log yet: an empty list would
    /// be a wrong answer, so that is waited for.
    /// </summary>
    /// <exception cref="WatchException">Nobody who answers knows them, and nobody did for as long as a question is held.</exception>
    public async Task<ClusterNodes> FreshAsync()
    {
        var started = time.GetTimestamp();
        while (true)
        {
            if (await OnceAsync() is { } nodes)
                return nodes;
            if (time.GetElapsedTime(started) + s_lookAgainAfter > s_heldMax)
                throw NotKnown();
            await Task.Delay(s_lookAgainAfter, time);
        }
    }

    /// <summary>As <see cref="IClusterGrain.NextNodes"/> says.</summary>
    public async Task<NodesNews> NextAsync(string seen, TimeSpan hold, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var held = hold < s_heldMax ? hold : s_heldMax;
        while (true)
        {
            var looked = time.GetTimestamp();
            // Whoever has seen nothing yet may just have had a wish recorded: an older look would not show it.
            var nodes = await LookAsync(isFresh: seen.Length == 0);
            var token = nodes?.Fingerprint();
            // While a silo is silent every look takes its time, and the next one has to end in time, too.
            var isLast = time.GetElapsedTime(started) + time.GetElapsedTime(looked) + s_lookAgainAfter > held;
            if (nodes is not null && (isLast || token != seen))
                return new NodesNews(nodes, token!);
            if (isLast)
                throw NotKnown();
            await Task.Delay(s_lookAgainAfter, time, cancellationToken);
        }
    }

    private static WatchException NotKnown() => new(WatchErrorCode.Unavailable, "No silo that answers knows the nodes of its cluster yet: none has heard from a leader of the system group since it was started.");

    private async Task<ClusterNodes?> OnceAsync() => await desk.LookAsync() is { KnowsNodes: true } sight ? sight.ToNodes() : null;

    private Task<ClusterNodes?> LookAsync(bool isFresh)
    {
        if (isFresh || _look is not { IsFaulted: false } look || (look.IsCompleted && time.GetElapsedTime(_lookedAt) >= s_lookAgainAfter))
        {
            _lookedAt = time.GetTimestamp();
            _look = look = OnceAsync();
        }

        return look;
    }
}
