using Microsoft.Extensions.Hosting;

namespace Watch.Client;

/// <summary>
/// Ends a client's watches when its host stops, before its way to the cluster is closed: a host stops its services in the order opposite to
/// their registration.
/// </summary>
internal sealed class WatchesEnd(IWatchClient client) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) =>
        client is RemoteWatchClient remote ? remote.DisposeAsync().AsTask().WaitAsync(cancellationToken) : Task.CompletedTask;
}
