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
    private readonly EmbeddedCluster _cluster;
    private readonly List<SimulatedSilo> _silos = [];
    private readonly List<string> _trace = [];
    private readonly SimulatedStreams _streams;

    public SimulatedWorld(int seed)
    {
        Seed = seed;
        _loop = new SimulationLoop(seed, _trace);
        Network = new SimulatedNetwork(_loop);
        _streams = new SimulatedStreams(_loop);
        _cluster = new EmbeddedCluster(new SimulatedEnvironment(_loop, Network));
        Client = AddClient("client");
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

    /// <summary>The way between the silos and clients.</summary>
    public SimulatedNetwork Network { get; }

    /// <summary>
    /// Decides whether the directory's entry of a grain is lost now, asked at each call of a grain that has one: it is activated a second
    /// time on another silo while the first activation goes on. Null while nothing is lost.
    /// </summary>
    public Func<string, bool>? DirectoryLoses
    {
        set => _cluster.Directory.Loses = value is null ? null : id => value(id.ToString());
    }

    /// <summary>
    /// Decides what becomes of each publishing to a stream, on its way from the publisher to the stream's queue: lost, doubled, or late,
    /// so that others overtake it. Null while all goes well.
    /// </summary>
    public Func<SimulatedPublishing, MessageFate>? StreamFate
    {
        get => _streams.Fate;
        set => _streams.Fate = value;
    }

    /// <summary>How many publishings there were.</summary>
    public long Publishings => _streams.Publishings;

    /// <summary>Whether the trace is kept: on by default; making it costs more than all the rest.</summary>
    public bool IsTracing
    {
        get => _loop.IsTracing;
        set => _loop.IsTracing = value;
    }

    /// <summary>How many steps the world has taken.</summary>
    public long Steps => _loop.Steps;

    /// <summary>A scenario that takes more steps than this is taken not to end.</summary>
    public long StepLimit { get; set; } = 5_000_000;

    /// <summary>Makes a client of its own, which takes some active silo for its gateway.</summary>
    public IClusterClient AddClient(string name)
    {
        var node = new ClientNode(name, _cluster, MessageCopying.Shared, ResponseTimeout, NullLogger.Instance);
        node.Connect();
        return new ClusterClient(node, new ServiceCollection().AddSingleton<TimeProvider>(_loop.Time).BuildServiceProvider());
    }

    /// <summary>Makes a client that is a process of its own, which can freeze and end. To begin again, it takes a name that was not used.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="clockRate">How fast its monotonic clock runs.</param>
    public SimulatedClient AddClientProcess(string name, double clockRate = 1) => new(name, _loop, Network, _cluster, clockRate);

    /// <summary>Makes a silo; it starts with <see cref="SimulatedSilo.StartAsync"/>, inside a scenario.</summary>
    /// <param name="name">Its name; a silo of the same name must have ended.</param>
    /// <param name="configure">Adds what the silo is made of.</param>
    /// <param name="clockRate">How fast its monotonic clock runs.</param>
    public SimulatedSilo AddSilo(string name, Action<IServiceCollection> configure, double clockRate = 1)
    {
        var process = new SimulatedProcess(_loop, name);
        var clock = new SimulatedClock(_loop.Time, process, clockRate);
        var services = new ServiceCollection();
        services.AddSingleton<IEmbeddedEnvironment>(new SimulatedEnvironment(_loop, Network, process, clock, _streams));
        services.AddSingleton<TimeProvider>(clock);
        services.AddSingleton(_loop.Random);
        services.AddSingleton<TaskScheduler>(process);
        services.AddSingleton(_cluster);
        var address = SiloAddress.New(System.Net.IPAddress.Loopback, 11111, _silos.Count + 1);
        services.AddSingleton(new SiloIdentity(name, address, "simulated"));
        SiloServices.Add(services);
        configure(services);
        var silo = new SimulatedSilo(name, services.BuildServiceProvider(), process, clock);
        _silos.Add(silo);
        Network.Connect(process);
        return silo;
    }

    /// <summary>Makes a silo configured like one on a host.</summary>
    public SimulatedSilo AddSilo(string name, Action<ISiloBuilder> configure, double clockRate = 1) =>
        AddSilo(name, services => configure(new SimulatedSiloBuilder(services)), clockRate);

    /// <summary>Lets virtual time pass.</summary>
    public Task Pass(TimeSpan time) => Task.Delay(time, TimeProvider);

    /// <summary>Adds a line to the trace.</summary>
    public void Note(string kind, string subject) => _loop.Note(kind, subject);

    /// <summary>Runs a scenario to its end. Throws what it threw, or says that it does not end, with seed and trace.</summary>
    public void Run(Func<Task> scenario) => _loop.Run(scenario, StepLimit);

    private sealed class SimulatedSiloBuilder(IServiceCollection services) : ISiloBuilder
    {
        public IServiceCollection Services { get; } = services;

        public Microsoft.Extensions.Configuration.IConfiguration Configuration { get; } =
            new Microsoft.Extensions.Configuration.ConfigurationBuilder().Build();
    }
}
