// A world in which one seed decides everything: a single thread runs whatever is ready, chosen by
// the seed; time is virtual and moves only when nothing is ready; a message between two nodes takes
// as long as the seed says. Two worlds with equal seeds and equal scenarios have equal traces.
//
// The silos are the same as in real time. They are built here without the generic host, from this
// world's scheduler, clock, random source and network. What a grain or a service does must stay on
// the scheduler it is given: work that arrives from another thread breaks the promise, and is
// refused with an exception that says so.
//
// I1  One thread runs everything; ready work is chosen by the seed, never by arrival from outside.
// I2  Time moves only when nothing is ready, and then to the next timer.
// I3  A scenario ends: by itself, by having nothing left to wait for (deadlock), or by the step limit.
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Runtime;
using Watch.Embedded.Hosting;
using Watch.Embedded.Lifecycle;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Simulation;

public sealed class SimulatedWorld
{
    private static readonly TimeSpan ResponseTimeout = TimeSpan.FromSeconds(30);

    private readonly SimulationLoop _loop;
    private readonly SimulatedEnvironment _environment;
    private readonly EmbeddedCluster _cluster;
    private readonly ClientNode _client;
    private readonly List<SimulatedSilo> _silos = [];
    private readonly List<string> _trace = [];

    public SimulatedWorld(int seed)
    {
        Seed = seed;
        _loop = new SimulationLoop(seed, _trace);
        _environment = new SimulatedEnvironment(_loop);
        _cluster = new EmbeddedCluster(_environment);
        _client = new ClientNode("client", _cluster, MessageCopying.Shared, ResponseTimeout, NullLogger.Instance);
        _client.Connect();
        Client = new ClusterClient(_client, new ServiceCollection().AddSingleton<TimeProvider>(_loop.Time).BuildServiceProvider());
    }

    public int Seed { get; }

    /// <summary>Everything that happened: messages sent and delivered, timers, changes of membership.</summary>
    public IReadOnlyList<string> Trace => _trace;

    public TimeProvider TimeProvider => _loop.Time;

    public Random Random => _loop.Random;

    /// <summary>Where the world's work runs; what a scenario starts by itself belongs here.</summary>
    public TaskScheduler Scheduler => _loop;

    public IClusterClient Client { get; }

    public IReadOnlyList<SimulatedSilo> Silos => _silos;

    /// <summary>A scenario that takes more steps than this is taken not to end.</summary>
    public long StepLimit { get; set; } = 5_000_000;

    /// <summary>Makes a silo; it starts with <see cref="SimulatedSilo.StartAsync"/>, inside a scenario.</summary>
    public SimulatedSilo AddSilo(string name, Action<IServiceCollection> configure)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IEmbeddedEnvironment>(_environment);
        services.AddSingleton<TimeProvider>(_loop.Time);
        services.AddSingleton(_loop.Random);
        services.AddSingleton<TaskScheduler>(_loop);
        services.AddSingleton(_cluster);
        var address = SiloAddress.New(System.Net.IPAddress.Loopback, 11111, _silos.Count + 1);
        services.AddSingleton(new SiloIdentity(name, address, "simulated"));
        SiloServices.Add(services);
        configure(services);
        var silo = new SimulatedSilo(name, services.BuildServiceProvider());
        _silos.Add(silo);
        return silo;
    }

    /// <summary>Makes a silo configured like one on a host.</summary>
    public SimulatedSilo AddSilo(string name, Action<ISiloBuilder> configure) =>
        AddSilo(name, services => configure(new SimulatedSiloBuilder(services)));

    /// <summary>Lets virtual time pass.</summary>
    public Task Pass(TimeSpan time) => Task.Delay(time, TimeProvider);

    /// <summary>Runs a scenario to its end. Throws what it threw, or says that it does not end, with seed and trace.</summary>
    public void Run(Func<Task> scenario) => _loop.Run(scenario, StepLimit);

    private sealed class SimulatedSiloBuilder(IServiceCollection services) : ISiloBuilder
    {
        public IServiceCollection Services { get; } = services;

        public Microsoft.Extensions.Configuration.IConfiguration Configuration { get; } =
            new Microsoft.Extensions.Configuration.ConfigurationBuilder().Build();
    }
}

/// <summary>A silo of a simulated world.</summary>
public sealed class SimulatedSilo
{
    private readonly ServiceProvider _services;
    private readonly SiloNode _node;

    internal SimulatedSilo(string name, ServiceProvider services)
    {
        Name = name;
        _services = services;
        _node = services.GetRequiredService<SiloNode>();
    }

    public string Name { get; }

    public IServiceProvider Services => _services;

    public SiloAddress Address => _node.Address;

    public Task StartAsync() => _services.GetRequiredService<SiloRuntime>().StartAsync(CancellationToken.None);

    public Task StopAsync() => _services.GetRequiredService<SiloRuntime>().StopAsync(CancellationToken.None);

    /// <summary>Crashes: from this step on none of its code runs and nothing reaches it or leaves it.</summary>
    public void Crash() => _node.Cluster.Membership.Kill(_node, freeze: true);
}
