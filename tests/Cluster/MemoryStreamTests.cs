using Orleans.Hosting;
using Orleans.Streams;
using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>Where the host has registered plain memory streams under the name, watches are delivered through those.</summary>
public sealed class MemoryStreamTests(MemoryStreamTests.Shared shared) : IClassFixture<MemoryStreamTests.Shared>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("memory");

    [Theory, BothOrigins]
    public async Task Put_delete_put_arrive_in_that_order_with_growing_revisions(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        await using var reader = stream.Reader();

        var first = await _cluster.HostedIn(2).PutAsync(_root + "k", "1");
        var second = await _cluster.HostedIn(2).DeleteAsync(_root + "k");
        var third = await _cluster.HostedIn(2).PutAsync(_root + "k", "3");

        Assert.Equal([$"put {_root}k=1@{first.Revision}", $"delete {_root}k@{second.Revision}", $"put {_root}k=3@{third.Revision}"], (await reader.NextAsync(3)).Select(each => each.Short()));
    }

    [Theory, BothOrigins]
    public async Task A_prefix_watcher_gets_what_all_silos_write_below_it_in_the_order_of_revisions(Origin origin)
    {
        const int Writes = 60;
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root));
        await using var reader = stream.Reader();

        var puts = await Task.WhenAll(Enumerable.Range(0, Writes).Select(at => _cluster.HostedIn(at % 3).PutAsync($"{_root}{at % 5}", $"{at}")));

        Assert.Equal(puts.Select(each => each.Revision).Order(), (await reader.NextAsync(Writes)).Select(each => each.Revision));
    }

    /// <summary>One cluster for all of them.</summary>
    public sealed class Shared : IAsyncLifetime
    {
        private WatchCluster? _cluster;

        public WatchCluster Cluster => _cluster ?? throw new InvalidOperationException("The cluster has not started.");

        public async Task InitializeAsync() => _cluster = await WatchCluster.StartAsync(
            first: silo => silo.AddMemoryStreams("watch", streams => streams.ConfigureStreamPubSub(StreamPubSubType.ImplicitOnly)));

        public async Task DisposeAsync() => await Cluster.DisposeAsync();
    }
}
