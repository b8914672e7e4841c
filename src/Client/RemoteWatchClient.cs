using Microsoft.Extensions.Options;
using Orleans;

namespace Watch.Client;

/// <summary>The client of a program outside the cluster: all its watches share a session, near the gateway it talks to.</summary>
/// <remarks>
/// Disposing of it ends its watches: each one's last event says <see cref="WatchEndReason.Disposed"/>, the server is told, and what the
/// client does by itself has ended when the task is done. Whoever calls it then is refused with <see cref="WatchErrorCode.ClientDisposed"/>. The token
/// of a callback that is under way is canceled. An observer is called once more, with the last event; one that disposes of the client itself waits
/// until its own time is over. A watch that reads itself and does not end is waited for as long as an observer and a call may take, and no longer.
/// </remarks>
internal sealed class RemoteWatchClient : GrainWatchClient, IAsyncDisposable, IDisposable
{
    private readonly ClientSession _session;
    private readonly RunningReaders _readers = new();
    private readonly CancellationTokenSource _disposed = new();
    private readonly Lock _gate = new();
    private Task? _closing;

    public RemoteWatchClient(IClusterClient cluster, IOptions<WatchClientOptions> options, TimeProvider time, IWatchRandom random)
        : base(cluster, options.Value, time, random, isOutside: true)
        => _session = new ClientSession(cluster, Sessions, Options, time, random, _disposed.Token);

    public ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            // Started by whoever comes first, it is nobody's: all wait for the same end.
            _closing ??= OwnContext.Start(CloseAsync);
            return new ValueTask(_closing);
        }
    }

    /// <summary>As <see cref="DisposeAsync"/>, for a container that cannot wait: it ends by itself.</summary>
    public void Dispose() => _ = DisposeAsync().AsTask();

    private protected override Task<IWatchFeed> OpenFeedAsync(WatchRequest request, CancellationToken cancellationToken) => _session.OpenAsync(request, cancellationToken);

    /// <inheritdoc/>
    internal override CancellationToken Gone => _disposed.Token;

    /// <inheritdoc/>
    internal override Task PauseAsync(Backoff own, CancellationToken cancellationToken) => _session.PauseAsync(cancellationToken);

    /// <inheritdoc/>
    internal override Backoff NewBackoff() => new(Options, Time, Random, _disposed.Token);

    /// <inheritdoc/>
    private protected override void ReaderBegins() => _readers.Enter();

    /// <inheritdoc/>
    internal override void ReaderEnded() => _readers.Leave();

    private async Task CloseAsync()
    {
        _disposed.Cancel();
        await _session.CloseAsync();
        // One whose thread never comes back to it, or whose observer never returns, is not waited for any longer than that.
        await GivenUp.Quietly(_readers.WhenNoneAsync().WaitAsync(TimeSpan.FromSeconds(IWatchObserver.CallbackSeconds) + CallTimeout, Time));
    }
}
