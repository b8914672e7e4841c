using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Watch;
using Watch.Client;

namespace Orleans.Hosting;

/// <summary>Adds Watch to a client of the cluster.</summary>
public static class WatchClientBuilderExtensions
{
    /// <summary>Adds <see cref="IWatchClient"/> and <see cref="IWatchCluster"/>.</summary>
    /// <param name="builder">The client.</param>
    /// <param name="configure">Settings; the defaults serve most.</param>
    public static IClientBuilder AddWatchClient(this IClientBuilder builder, Action<WatchClientOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var settings = builder.Services.AddOptions<WatchClientOptions>();
        if (configure is not null)
            settings.Configure(configure);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.TryAddSingleton<IWatchRandom, SystemWatchRandom>();
        builder.Services.TryAddSingleton<IWatchClient, RemoteWatchClient>();
        builder.Services.AddHostedService<WatchesEnd>();
        builder.Services.TryAddSingleton<IWatchCluster>(provider => ActivatorUtilities.CreateInstance<GrainWatchCluster>(provider, (Orleans.IGrainFactory)provider.GetRequiredService<Orleans.IClusterClient>(), true));
        return builder;
    }
}
