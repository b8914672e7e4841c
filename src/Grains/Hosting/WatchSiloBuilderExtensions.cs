using System.Collections.Immutable;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Runtime;
using Watch;
using Watch.Client;
using Watch.Core.Storage;
using Watch.Grains;
using Watch.Grains.Consensus;
using Watch.Grains.Diagnostics;
using Watch.Grains.Engine;
using Watch.Grains.Engine.PushStreams;
using Watch.Grains.Nodes;
using Watch.Grains.Publishing;
using Watch.Grains.Storage;
using Watch.Grains.Watching;

namespace Orleans.Hosting;

/// <summary>Adds Watch to a silo.</summary>
public static class WatchSiloBuilderExtensions
{
    /// <summary>The configuration section that <see cref="WatchSiloOptions"/> are read from.</summary>
    public const string ConfigurationSection = "Watch";

    /// <summary>
    /// Makes the silo a node of Watch: it keeps data, serves keys and watches, and offers <see cref="IWatchClient"/> to the services that
    /// it hosts. Settings come from the configuration section <see cref="ConfigurationSection"/> and from <paramref name="configure"/>.
    /// </summary>
    public static ISiloBuilder AddWatch(this ISiloBuilder builder, Action<WatchSiloOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        AddServices(builder.Services, builder.Configuration.GetSection(ConfigurationSection), configure);
        ContractsGuard.Add(builder);
        NearGrains.Add(builder);
        builder.AddGrainService<ReplicaService>();
        builder.AddGrainService<WatchDispatcherService>();
        PushStreams.Add(builder, WatchStreams.Provider);
        return builder;
    }

    private static void AddServices(IServiceCollection services, Microsoft.Extensions.Configuration.IConfigurationSection section, Action<WatchSiloOptions>? configure)
    {
        var settings = services.AddOptions<WatchSiloOptions>().Bind(section);
        if (configure is not null)
            settings.Configure(configure);
        services.AddSingleton<IConfigurationValidator, WatchSiloOptionsValidator>();
        services.AddOptions<WatchClientOptions>();

        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IWatchRandom, SystemWatchRandom>();
        services.TryAddSingleton<IFileSystem, PhysicalFileSystem>();
        services.TryAddSingleton<IDiskWorker>(_ => new DiskThread("watch disk"));

        services.TryAddSingleton<NodeHealth>();
        services.AddSingleton<NodeStorage>();
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(provider => provider.GetRequiredService<NodeStorage>());
        services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, ReplicaStart>();
        services.AddSingleton<Postman>();
        services.AddSingleton<OwnReplica>();
        services.AddSingleton<ScopeInquiry>();
        services.AddSingleton<Replica>();
        services.AddSingleton<IReplicaServiceClient, ReplicaServiceClient>();
        services.AddSingleton<LeaderLocator>();
        services.AddSingleton<ConfirmedReads>();
        services.AddSingleton<ClusterDesk>();
        services.AddSingleton<NodesDriver>();
        services.TryAddSingleton<IWatchCluster>(provider => ActivatorUtilities.CreateInstance<GrainWatchCluster>(provider, false));
        services.AddSingleton<WatchMetrics>();
        services.AddSingleton<Publisher>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<SiloForwarders>(
            provider, (Action<ImmutableArray<ScopeEvent>>)provider.GetRequiredService<WatchDispatcher>().Deliver));
        services.AddSingleton<HistorySource>();
        services.AddSingleton<IHistorySource>(provider => provider.GetRequiredService<HistorySource>());
        services.AddSingleton<WatchDispatcher>();
        services.AddSingleton<IWatchDispatcherClient, WatchDispatcherClient>();
        services.AddSingleton<WatchersDesk>();
        services.TryAddSingleton<IWatchClient, HostedWatchClient>();
    }
}
