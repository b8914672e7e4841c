using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Hosting;
using Orleans.Runtime;
using Orleans.TestingHost;
using Watch.Client;
using Watch.Grains;

namespace Watch.Cluster.Tests;

/// <summary>Silos in one process over temporary data folders, the first of them the voter, and a client outside them.</summary>
public sealed class WatchCluster : IAsyncDisposable
{
    /// <summary>How long a test waits for what must come; reaching it is a failure, never a way to go on.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly string _folder;
    private readonly InProcessTestCluster _cluster;

    private WatchCluster(string folder, InProcessTestCluster cluster)
    {
        _folder = folder;
        _cluster = cluster;
    }

    /// <summary>The client outside the cluster.</summary>
    public IWatchClient Client => _cluster.Client.ServiceProvider.GetRequiredService<IWatchClient>();

    /// <summary>The cluster's nodes, as the client outside sees them.</summary>
    public IWatchCluster Nodes => _cluster.Client.ServiceProvider.GetRequiredService<IWatchCluster>();

    /// <summary>Where the silos' data folders are.</summary>
    public string Folder => _folder;

    /// <summary>The silos that run, the voter first.</summary>
    public IReadOnlyList<InProcessSiloHandle> Silos => [.. _cluster.GetActiveSilos().OrderBy(NameOf, StringComparer.Ordinal)];

    /// <summary>The host of the tests, to start and stop silos.</summary>
    public InProcessTestCluster Host => _cluster;

    public static async Task<WatchCluster> StartAsync(int silos = 3, Action<WatchSiloOptions>? configure = null, string? folder = null, Action<IServiceCollection>? services = null, Action<ISiloBuilder>? first = null, Action<WatchClientOptions>? client = null)
    {
        folder ??= Directory.CreateTempSubdirectory("watch-tests-").FullName;
        var builder = new InProcessTestClusterBuilder((short)silos);
        builder.ConfigureSilo((options, silo) =>
        {
            silo.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning));
            first?.Invoke(silo);
            silo.AddWatch(watch =>
            {
                watch.DataDirectory = Path.Combine(folder, options.SiloName);
                watch.Bootstrap = FirstName;
                configure?.Invoke(watch);
            });
            services?.Invoke(silo.Services);
        });
        builder.ConfigureClient(outside => outside.AddWatchClient(options =>
        {
            options.BackoffFirst = TimeSpan.FromMilliseconds(50);
            options.CallTimeout = Patience;
            client?.Invoke(options);
        }));
        var cluster = new WatchCluster(folder, builder.Build());
        await cluster._cluster.DeployAsync();
        return cluster;
    }

    /// <summary>What the test host calls its first silo.</summary>
    public static string FirstName { get; } = string.Create(CultureInfo.InvariantCulture, $"Silo_{0}");

    /// <summary>The client of a service that this silo hosts.</summary>
    public IWatchClient HostedIn(int silo) => Services(silo).GetRequiredService<IWatchClient>();

    /// <summary>The client of that origin: of a program outside, or of a service hosted in the second silo.</summary>
    public IWatchClient Of(Origin origin) => origin == Origin.Remote ? Client : HostedIn(Math.Min(1, Silos.Count - 1));

    /// <summary>How many watches all silos have together.</summary>
    public async Task<int> CountWatchersAsync()
    {
        var count = 0;
        for (var at = 0; at < Silos.Count; at++)
            count += (await HostedIn(at).StatusAsync()).Watchers;
        return count;
    }

    /// <summary>Asks until all silos have so many watches together; a test that asks longer than its patience fails.</summary>
    public async Task WatchersComeToAsync(int expected)
    {
        using var patience = new CancellationTokenSource(Patience);
        int count;
        while ((count = await CountWatchersAsync()) != expected)
            Assert.False(patience.IsCancellationRequested, $"{count} watches are registered, {expected} were expected");
    }

    /// <summary>What a silo's services are.</summary>
    public IServiceProvider Services(int silo) => _cluster.GetSiloServiceProvider(Silos[silo].SiloAddress);

    public async ValueTask DisposeAsync()
    {
        await _cluster.StopAllSilosAsync();
        await _cluster.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static string NameOf(InProcessSiloHandle silo) => silo.Name;
}
