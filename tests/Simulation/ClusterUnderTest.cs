using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Hosting;
using Watch.Client;
using Watch.Core.Storage;
using Watch.Embedded.Simulation;
using Watch.Grains;
using Watch.Grains.Consensus;
using Watch.Grains.Storage;
using Watch.Simulation.Tests.Faults;
using Watch.Simulation.Tests.Variants;

namespace Watch.Simulation.Tests;

/// <summary>
/// The product, whole, in a simulated world: its nodes, whose disks outlive their silos, and the way between them. Everything that
/// happens to a node happens through here.
/// </summary>
internal sealed class ClusterUnderTest
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_lateWish = TimeSpan.FromSeconds(15);

    private readonly List<NodeUnderTest> _nodes = [];
    private readonly List<SimulatedClient> _programs = [];

    public ClusterUnderTest(FaultPlan plan, ReplicaSeams seams, bool trace)
    {
        Plan = plan;
        Variant = plan.Variant is { } name ? Variants.Defects.Of(name) : null;
        Seams = seams;
        World = new SimulatedWorld(plan.Seed) { StepLimit = 30_000_000, IsTracing = trace };
        Network = new NetworkTrouble(World, Counts);
        Chance = new SeededRandom(World.Random);
        Members = new MemberChanges(this);
        for (var at = 0; at < plan.Nodes; at++)
            _nodes.Add(new NodeUnderTest(this, $"n{at}"));
    }

    public FaultPlan Plan { get; }

    /// <summary>The deliberate defect; null where there is none.</summary>
    public Variant? Variant { get; }

    public SimulatedWorld World { get; }

    public FaultCounts Counts { get; } = new();

    public NetworkTrouble Network { get; }

    public IWatchRandom Chance { get; }

    public MemberChanges Members { get; }

    public ReplicaSeams Seams { get; }

    public IReadOnlyList<NodeUnderTest> Nodes => _nodes;

    public Random Random => World.Random;

    /// <summary>Fewer than half: so many nodes may lose what they had synced.</summary>
    public int Minority => (_nodes.Count - 1) / 2;

    /// <summary>How many nodes have lost what they had synced and were not replaced yet.</summary>
    public int Losses => _nodes.Count(node => node.IsLost);

    /// <summary>The node that leads the default bucket's group; null where none says so.</summary>
    public NodeUnderTest? Leader => _nodes.FirstOrDefault(node => node.Leads);

    public Task PassAsync(TimeSpan span) => Passing.On(World.TimeProvider, span);

    /// <summary>What an operator outside the cluster looks at its nodes and changes them with.</summary>
    public IWatchCluster AddOperator(string name) =>
        new GrainWatchCluster(World.AddClient(name), Options.Create(new WatchClientOptions { CallTimeout = TimeSpan.FromSeconds(6), BackoffMax = TimeSpan.FromSeconds(4) }), World.TimeProvider, Chance, isOutside: true);

    /// <summary>A client of a program outside the cluster, which nothing happens to.</summary>
    public IWatchClient AddRemote(string name) =>
        new RemoteWatchClient(World.AddClient(name), Options.Create(NewClientOptions()), World.TimeProvider, Chance);

    /// <summary>A program outside the cluster, and its client. To begin again it takes a name that was not used.</summary>
    public (SimulatedClient Process, IWatchClient Client) AddProgram(string name)
    {
        var process = World.AddClientProcess(name);
        _programs.Add(process);
        return (process, new RemoteWatchClient(process.Grains, Options.Create(NewClientOptions()), process.Clock, Chance));
    }

    /// <summary>One of the programs that run; null where none does.</summary>
    public SimulatedClient? AnyProgram()
    {
        _programs.RemoveAll(each => each.HasEnded);
        return _programs.Count == 0 ? null : _programs[Random.Next(_programs.Count)];
    }

    private WatchClientOptions NewClientOptions() => new() { CallTimeout = TimeSpan.FromSeconds(6), BackoffMax = TimeSpan.FromSeconds(4), Rules = Seams.Watching };

    /// <summary>Starts every node; the first one bears the cluster.</summary>
    public async Task StartAsync()
    {
        foreach (var node in _nodes)
            await node.StartAsync();
        if (!await Members.ReachAsync(_nodes, s_patience))
            throw new ViolationException($"Not all {_nodes.Count} nodes vote {s_patience.TotalSeconds} s after they were started, and nothing was wrong.", ViolationKind.Standstill);
    }

    /// <summary>How the nodes are, for whoever reads a violation.</summary>
    public string Describe() => string.Join(Environment.NewLine, _nodes.Select(node => node.Describe()));

    /// <summary>Ends all that goes wrong, and starts again what does not run.</summary>
    public async Task HealAsync()
    {
        Network.Heal();
        World.StreamFate = null;
        foreach (var program in _programs.Where(each => each is { IsFrozen: true, HasEnded: false }))
            program.Thaw();
        foreach (var node in _nodes)
            await node.HealAsync();
        await ReachAllAsync();
        if (!Plan.Has(FaultKind.MembershipChange))
            return;
        // A wish whose caller has given up may still be recorded for a while.
        await PassAsync(s_lateWish);
        await ReachAllAsync();
    }

    private async Task ReachAllAsync()
    {
        if (!await Members.ReachAsync(_nodes, s_patience))
            throw new ViolationException($"Not all {_nodes.Count} nodes vote {s_patience.TotalSeconds} s after everything was healed.{Environment.NewLine}{Describe()}", ViolationKind.Standstill);
    }
}

