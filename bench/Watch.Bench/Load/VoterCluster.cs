using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Hosting;
using Orleans.Runtime;
using Orleans.TestingHost;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Grains;
using Watch.Grains.Consensus;

namespace Watch.Bench.Load;

/// <summary>Silos in this process, each with a data folder of its own on the measured disk; all of them vote.</summary>
internal sealed class VoterCluster : IAsyncDisposable
{
    private readonly InProcessTestCluster _cluster;
    private readonly List<SiloAddress> _silos;

    private VoterCluster(InProcessTestCluster cluster)
    {
        _cluster = cluster;
        _silos = [.. cluster.GetActiveSilos().OrderBy(silo => silo.Name, StringComparer.Ordinal).Select(silo => silo.SiloAddress)];
    }

    /// <summary>The clients of services hosted in the silos, the leader's first.</summary>
    public IReadOnlyList<IWatchClient> Clients => [.. _silos.Select(silo => Services(silo).GetRequiredService<IWatchClient>())];

    /// <summary>A client outside the silos, where one was asked for.</summary>
    public IWatchClient Outside => _cluster.Client.ServiceProvider.GetRequiredService<IWatchClient>();

    /// <summary>Whether the build is for Orleans.</summary>
    public static bool IsOrleans => typeof(Orleans.IGrain).Assembly.GetName().Name!.StartsWith("Orleans", StringComparison.Ordinal);

    /// <summary>Starts silos, all of them voters.</summary>
    /// <param name="voters">How many.</param>
    /// <param name="folder">Where their data is.</param>
    /// <param name="withOutside">Whether there is a client outside, too.</param>
    /// <param name="configure">Changes settings.</param>
    public static async Task<VoterCluster> StartAsync(int voters, string folder, bool withOutside = false, Action<WatchSiloOptions>? configure = null)
    {
        var builder = new InProcessTestClusterBuilder((short)voters);
        builder.ConfigureSilo((options, silo) =>
        {
            silo.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning));
            silo.AddWatch(watch =>
            {
                watch.DataDirectory = Path.Combine(folder, options.SiloName);
                watch.Bootstrap = string.Create(CultureInfo.InvariantCulture, $"Silo_{0}");
                configure?.Invoke(watch);
            });
        });
        builder.Options.InitializeClientOnDeploy = withOutside;
        builder.ConfigureClient(client => client.AddWatchClient());
        var cluster = builder.Build();
        await cluster.DeployAsync();
        var made = new VoterCluster(cluster);
        await made.MakeAllVotersAsync();
        return made;
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.StopAllSilosAsync();
        await _cluster.DisposeAsync();
    }

    private async Task MakeAllVotersAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        foreach (var silo in _silos.Skip(1))
        {
            var node = (await Replica(silo).Describe(BucketId.Default)).Node;
            foreach (var group in new[] { GroupId.System, GroupId.Default })
            {
                await ChangeAsync(group, new MembershipChange(MembershipChangeKind.AddLearner, node), patience.Token);
                await ChangeAsync(group, new MembershipChange(MembershipChangeKind.Promote, node), patience.Token);
            }
        }
    }

    private async Task ChangeAsync(GroupId group, MembershipChange change, CancellationToken patience)
    {
        while (await Replica(_silos[0]).ChangeMembers(group, change) is not { Refusal: null, Outcome: MembershipOutcome.Appended })
            patience.ThrowIfCancellationRequested();
    }

    private IReplicaService Replica(SiloAddress silo) => Services(silo).GetRequiredService<IReplicaServiceClient>().At(silo);

    private IServiceProvider Services(SiloAddress silo) => _cluster.GetSiloServiceProvider(silo);
}
