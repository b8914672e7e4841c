// Clusters for the tests. Tests that only call share one of two silos; those that stop silos, or
// need settings of their own, start their own.
using Orleans.Hosting;
using Orleans.Streams;
using Orleans.TestingHost;

namespace Watch.Hosting.Tests;

public static class TestCluster
{
    /// <summary>The longest that a test waits for something that must happen.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static async Task<InProcessTestCluster> StartAsync(short silos, Action<ISiloBuilder>? configure = null)
    {
        var builder = new InProcessTestClusterBuilder(silos);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.AddMemoryStreams("memory", streams =>
            {
                streams.ConfigureStreamPubSub(StreamPubSubType.ImplicitOnly);
                streams.ConfigurePullingAgent(agent => agent.Configure(o => o.GetQueueMsgsTimerPeriod = TimeSpan.FromMilliseconds(5)));
            });
            silo.AddGrainService<EchoService>();
            silo.Services.AddSingleton<EchoServiceClient>();
            configure?.Invoke(silo);
        });
        var cluster = builder.Build();
        await cluster.DeployAsync();
        return cluster;
    }
}

public sealed class SharedCluster : IAsyncLifetime
{
    public InProcessTestCluster Cluster { get; private set; } = null!;

    public async Task InitializeAsync() => Cluster = await TestCluster.StartAsync(2);

    public async Task DisposeAsync() => await Cluster.DisposeAsync();
}

[CollectionDefinition("shared cluster")]
public sealed class SharedClusterCollection : ICollectionFixture<SharedCluster>;
