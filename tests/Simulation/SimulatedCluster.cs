using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Hosting;
using Watch.Client;
using Watch.Grains;
using Watch.Core.Storage;
using Watch.Core.Tests.Storage;
using Watch.Embedded.Simulation;
using Watch.Grains.Storage;

namespace Watch.Simulation.Tests;

/// <summary>The product, whole, in a simulated world: real grains, real streams, real client; disk, clock, chance and network are the seed's.</summary>
internal sealed class SimulatedCluster
{
    private readonly Dictionary<string, MemoryFileSystem> _disks = [];

    private readonly Action<WatchSiloOptions>? _configure;

    public SimulatedCluster(int seed, int silos = 3, Action<WatchSiloOptions>? configure = null)
    {
        _configure = configure;
        World = new SimulatedWorld(seed);
        Random = new SeededRandom(World.Random);
        for (var at = 0; at < silos; at++)
            Add($"n{at}", new MemoryFileSystem());
        Client = new RemoteWatchClient(World.Client, Options.Create(new WatchClientOptions()), World.TimeProvider, Random);
    }

    public SimulatedWorld World { get; }

    public IWatchClient Client { get; }

    public SeededRandom Random { get; }

    public IWatchClient HostedIn(int silo) => World.Silos[silo].Services.GetRequiredService<IWatchClient>();

    public async Task StartAsync()
    {
        foreach (var silo in World.Silos)
            await silo.StartAsync();
    }

    /// <summary>Starts another silo of this name on what the disk of the one before it kept.</summary>
    public Task StartAgainAsync(string name) => Add(name, _disks[name].Crash(World.Random)).StartAsync();

    /// <summary>Lets virtual time pass.</summary>
    public Task PassAsync(TimeSpan span) => PassAsync(World, span);

    /// <summary>Lets virtual time pass in a world.</summary>
    public static async Task PassAsync(SimulatedWorld world, TimeSpan span)
    {
        var passed = new TaskCompletionSource();
        await using var timer = world.TimeProvider.CreateTimer(_ => passed.TrySetResult(), null, span, Timeout.InfiniteTimeSpan);
        await passed.Task;
    }

    /// <summary>The disk of a silo.</summary>
    public MemoryFileSystem DiskOf(string name) => _disks[name];

    private SimulatedSilo Add(string name, MemoryFileSystem files)
    {
        _disks[name] = files;
        return World.AddSilo(name, (ISiloBuilder silo) =>
        {
            silo.Services.AddLogging();
            silo.Services.AddSingleton<IWatchRandom>(Random);
            silo.Services.AddSingleton<IFileSystem>(files);
            silo.Services.AddSingleton<IDiskWorker>(new SimulatedDisk(World, Random));
            silo.AddWatch(watch =>
            {
                watch.DataDirectory = "data";
                watch.Bootstrap = "n0";
                _configure?.Invoke(watch);
            });
        });
    }
}

/// <summary>Chance from the world's seed.</summary>
internal sealed class SeededRandom(Random source) : IWatchRandom
{
    public ulong NextBits() => ((ulong)source.NextInt64() << 1) ^ (ulong)source.NextInt64();
}

/// <summary>A disk that takes between 20 and 500 microseconds of virtual time for a job, as the seed says.</summary>
internal sealed class SimulatedDisk(SimulatedWorld world, IWatchRandom random) : IDiskWorker
{
    public async ValueTask Run(Action job)
    {
        await SimulatedCluster.PassAsync(world, TimeSpan.FromMicroseconds(20 + (480 * random.NextFraction())));
        job();
    }
}
