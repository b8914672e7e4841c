// Several silos and a client in one process, for tests.
using System.Collections.ObjectModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Runtime;
using Watch.Embedded.Runtime;

namespace Orleans.TestingHost;

public sealed class InProcessTestCluster : IDisposable, IAsyncDisposable
{
    private readonly List<InProcessSiloHandle> _silos = [];
    private readonly EmbeddedCluster _cluster = new(new RealEnvironment(TimeProvider.System));
    private IHost? _clientHost;
    private int _siloCount;

    internal InProcessTestCluster(InProcessTestClusterOptions options) => Options = options;

    public InProcessTestClusterOptions Options { get; }

    public IClusterClient Client => _clientHost?.Services.GetRequiredService<IClusterClient>()
        ?? throw new InvalidOperationException("The cluster has no client: it was not deployed, or the client was stopped.");

    public ReadOnlyCollection<InProcessSiloHandle> Silos => GetActiveSilos().ToList().AsReadOnly();

    public IEnumerable<InProcessSiloHandle> GetActiveSilos()
    {
        lock (_silos)
            return [.. _silos.Where(s => s.IsActive)];
    }

    public async Task DeployAsync()
    {
        await StartSilosAsync(Options.InitialSilosCount);
        if (Options.InitializeClientOnDeploy)
            await InitializeClientAsync();
    }

    public async Task InitializeClientAsync()
    {
        await StopClusterClientAsync();
        var builder = NewHostBuilder("client");
        foreach (var configure in Options.ClientHostConfigurationDelegates)
            configure(builder);
        builder.UseOrleansClient(static _ => { });
        _clientHost = builder.Build();
        await _clientHost.StartAsync();
    }

    public async Task StopClusterClientAsync()
    {
        if (Interlocked.Exchange(ref _clientHost, null) is not { } host)
            return;
        await host.StopAsync();
        host.Dispose();
    }

    public Task KillClientAsync() => StopClusterClientAsync();

    public Task<InProcessSiloHandle> StartAdditionalSiloAsync() => StartSiloAsync(Interlocked.Increment(ref _siloCount) - 1, Options);

    public async Task<List<InProcessSiloHandle>> StartSilosAsync(int silosToStart) =>
        [.. await Task.WhenAll(Enumerable.Range(0, silosToStart).Select(_ => StartAdditionalSiloAsync()))];

    public Task<InProcessSiloHandle> StartSiloAsync(int instanceNumber, InProcessTestClusterOptions clusterOptions) =>
        CreateSiloAsync(InProcessTestSiloSpecificOptions.Create(instanceNumber), (short)instanceNumber);

    public Task<InProcessSiloHandle> CreateSiloAsync(InProcessTestSiloSpecificOptions siloOptions) => CreateSiloAsync(siloOptions, -1);

    public async Task StopSiloAsync(InProcessSiloHandle instance)
    {
        await instance.StopSiloAsync(stopGracefully: true);
        Forget(instance);
    }

    /// <summary>Crashes the silo: at once nothing reaches it or leaves it; then its host is taken down.</summary>
    public async Task KillSiloAsync(InProcessSiloHandle instance)
    {
        await instance.StopSiloAsync(stopGracefully: false);
        Forget(instance);
    }

    /// <summary>Stops the silo and starts one with the same name, ports and configuration.</summary>
    public async Task<InProcessSiloHandle?> RestartSiloAsync(InProcessSiloHandle instance)
    {
        await StopSiloAsync(instance);
        return await CreateSiloAsync(instance.SpecificOptions, instance.InstanceNumber);
    }

    public Task<InProcessSiloHandle> RestartStoppedSecondarySiloAsync(string siloName)
    {
        var number = short.Parse(siloName.AsSpan(siloName.LastIndexOf('_') + 1), System.Globalization.CultureInfo.InvariantCulture);
        return StartSiloAsync(number, Options);
    }

    public async Task StopSilosAsync()
    {
        foreach (var silo in GetActiveSilos().Reverse())
            await StopSiloAsync(silo);
    }

    public async Task StopAllSilosAsync()
    {
        await StopClusterClientAsync();
        await StopSilosAsync();
    }

    /// <summary>Membership is one table of the process, seen by all at once: there is nothing to wait for.</summary>
    public Task WaitForLivenessToStabilizeAsync(bool didKill = false) => Task.CompletedTask;

    public InProcessSiloHandle? GetSiloForAddress(SiloAddress siloAddress) =>
        GetActiveSilos().FirstOrDefault(s => s.SiloAddress.Equals(siloAddress));

    public IServiceProvider GetSiloServiceProvider(SiloAddress? silo = null) =>
        (silo is null ? GetActiveSilos().First() : GetSiloForAddress(silo)
            ?? throw new ArgumentException($"The cluster has no silo {silo}.", nameof(silo))).ServiceProvider;

    /// <summary>Ends the activation of this grain, if it has one, and waits for its end.</summary>
    public async Task DeactivateAsync(GrainId grainId)
    {
        foreach (var silo in GetActiveSilos())
        {
            if (!silo.ServiceProvider.GetRequiredService<SiloNode>().Activations.TryGet(grainId, out var activation))
                continue;
            activation.Deactivate(new(DeactivationReasonCode.RuntimeRequested, "The test cluster was asked to end it."));
            await activation.Context.Deactivated;
        }
    }

    public Task DeactivateAsync(IAddressable grain) => DeactivateAsync(grain.GetGrainId());

    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    public async ValueTask DisposeAsync() => await StopAllSilosAsync();

    private async Task<InProcessSiloHandle> CreateSiloAsync(InProcessTestSiloSpecificOptions specific, short instanceNumber)
    {
        var builder = NewHostBuilder(specific.SiloName);
        builder.UseOrleans(silo => silo
            .Configure<SiloOptions>(o => o.SiloName = specific.SiloName)
            .ConfigureEndpoints(specific.SiloPort, specific.GatewayPort));
        foreach (var configure in Options.SiloHostConfigurationDelegates)
            configure(specific, builder);
        var host = builder.Build();
        try
        {
            await host.StartAsync();
        }
        catch
        {
            host.Dispose();
            throw;
        }

        var handle = new InProcessSiloHandle(host, specific, instanceNumber);
        lock (_silos)
            _silos.Add(handle);
        return handle;
    }

    private HostApplicationBuilder NewHostBuilder(string name)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings
        {
            ApplicationName = name,
            DisableDefaults = true,
        });
        builder.Services.AddSingleton(_cluster);
        builder.Services.Configure<ClusterOptions>(o => (o.ClusterId, o.ServiceId) = (Options.ClusterId, Options.ServiceId));
        return builder;
    }

    private void Forget(InProcessSiloHandle silo)
    {
        lock (_silos)
            _silos.Remove(silo);
    }
}
