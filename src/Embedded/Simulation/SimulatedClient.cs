// A client of a simulated world that is a process of its own, as a program on another machine is:
// what it was begun with by RunAsync, its timers, and what arrives for it stop and end with it.
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans;
using Watch.Embedded.Hosting;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Simulation;

/// <summary>A client that can freeze, end, and begin again. What it is to do belongs into <see cref="RunAsync"/>.</summary>
public sealed class SimulatedClient
{
    private static readonly TimeSpan s_responseTimeout = TimeSpan.FromSeconds(30);

    private readonly SimulatedProcess _process;
    private readonly ClientNode _node;
    private readonly TaskCompletionSource _ended = new();

    internal SimulatedClient(string name, SimulationLoop loop, SimulatedNetwork network, EmbeddedCluster cluster, double clockRate)
    {
        _process = new SimulatedProcess(loop, name);
        Clock = new SimulatedClock(loop.Time, _process, clockRate);
        _node = new ClientNode(name, cluster, MessageCopying.Shared, s_responseTimeout, NullLogger.Instance, new SimulatedEnvironment(loop, network, _process, Clock));
        Grains = new ClusterClient(_node, new ServiceCollection().AddSingleton<TimeProvider>(Clock).BuildServiceProvider());
        network.Connect(_process);
        _node.Connect();
    }

    public string Name => _process.Name;

    /// <summary>Its way to the silos.</summary>
    public IClusterClient Grains { get; }

    /// <summary>Its clocks.</summary>
    public SimulatedClock Clock { get; }

    public bool IsFrozen => _process.IsFrozen;

    public bool HasEnded => _process.HasEnded;

    /// <summary>How many steps its process has taken.</summary>
    public long Steps => _process.Steps;

    /// <summary>Done when its process has ended: whatever ran in it and has not ended by then never will.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Runs something in its process. The task never ends where the process ends first.</summary>
    public Task RunAsync(Func<Task> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.DenyChildAttach, _process).Unwrap();

    /// <summary>None of its code runs until <see cref="Thaw"/>; its clocks go on, and what reaches it waits.</summary>
    public void Freeze() => _process.Freeze();

    /// <summary>It goes on where it was.</summary>
    public void Thaw() => _process.Thaw();

    /// <summary>Has something happen between two steps of its process, after this many more of them.</summary>
    public void AfterSteps(long steps, Action happen) => _process.InterruptAfter(steps, happen);

    /// <summary>
    /// Ends without a word. <paramref name="noticed"/>: the silos see its connection close, and calls to it fail at once; otherwise they
    /// stay unanswered.
    /// </summary>
    public void End(bool noticed = false)
    {
        _process.End();
        if (noticed)
            _node.Disconnect();
        _ended.TrySetResult();
    }
}
