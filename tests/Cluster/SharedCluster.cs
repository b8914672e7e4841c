namespace Watch.Cluster.Tests;

/// <summary>One cluster for the tests of a class that leave it as it was.</summary>
public sealed class SharedCluster : IAsyncLifetime
{
    private static int s_roots;
    private WatchCluster? _cluster;

    public WatchCluster Cluster => _cluster ?? throw new InvalidOperationException("The cluster has not started.");

    /// <summary>A prefix that no other test writes below.</summary>
    public static string NewRoot(string name) => $"/{name}-{Interlocked.Increment(ref s_roots)}/";

    public async Task InitializeAsync() => _cluster = await WatchCluster.StartAsync();

    public async Task DisposeAsync() => await Cluster.DisposeAsync();
}
