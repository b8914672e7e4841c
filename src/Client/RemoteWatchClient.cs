using Microsoft.Extensions.Options;
using Orleans;

namespace Watch.Client;

/// <summary>The client of a program outside the cluster: all its watches share a session, near the gateway it talks to.</summary>
internal sealed class RemoteWatchClient : GrainWatchClient
{
    private readonly ClientSession _session;

    public RemoteWatchClient(IClusterClient cluster, IOptions<WatchClientOptions> options, TimeProvider time, IWatchRandom random)
        : base(cluster, options.Value, time, random, isOutside: true)
        => _session = new ClientSession(cluster, Sessions, Options, time, random);

    private protected override Task<IWatchFeed> OpenFeedAsync(WatchRequest request, CancellationToken cancellationToken) => _session.OpenAsync(request, cancellationToken);

    /// <inheritdoc/>
    internal override Task PauseAsync(Backoff own, CancellationToken cancellationToken) => _session.PauseAsync(cancellationToken);
}
