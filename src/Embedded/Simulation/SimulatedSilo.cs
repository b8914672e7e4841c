// A silo of a simulated world, and what can happen to it.
using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;
using Watch.Embedded.Lifecycle;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Simulation;

/// <summary>A silo of a simulated world.</summary>
public sealed class SimulatedSilo
{
    private readonly ServiceProvider _services;
    private readonly SimulatedProcess _process;
    private readonly TaskCompletionSource _ended = new();
    private readonly SiloNode _node;

    internal SimulatedSilo(string name, ServiceProvider services, SimulatedProcess process, SimulatedClock clock)
    {
        Name = name;
        _services = services;
        _process = process;
        Clock = clock;
        _node = services.GetRequiredService<SiloNode>();
    }

    public string Name { get; }

    public IServiceProvider Services => _services;

    public SiloAddress Address => _node.Address;

    /// <summary>The silo's clocks.</summary>
    public SimulatedClock Clock { get; }

    /// <summary>How many steps its process has taken.</summary>
    public long Steps => _process.Steps;

    public bool IsFrozen => _process.IsFrozen;

    public bool HasEnded => _process.HasEnded;

    /// <summary>Whether membership has declared it gone, or it has stopped.</summary>
    public bool IsDead => _node.IsDead;

    /// <summary>Done when its process has ended by a crash: whatever ran in it and has not ended by then never will.</summary>
    public Task Ended => _ended.Task;

    public Task StartAsync() => RunAsync(() => _services.GetRequiredService<SiloRuntime>().StartAsync(CancellationToken.None));

    public Task StopAsync() => RunAsync(() => _services.GetRequiredService<SiloRuntime>().StopAsync(CancellationToken.None));

    /// <summary>Runs something in the silo's process: it freezes and ends with it. The task never ends where the process ends first.</summary>
    public Task RunAsync(Func<Task> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.DenyChildAttach, _process).Unwrap();

    /// <summary>Crashes: from this step on none of its code runs and nothing reaches it or leaves it, and everybody knows at once.</summary>
    public void Crash()
    {
        Halt();
        DeclareDead();
    }

    /// <summary>Crashes, and nobody knows: calls to it stay unanswered until <see cref="DeclareDead"/>.</summary>
    public void Halt()
    {
        _process.End();
        _ended.TrySetResult();
    }

    /// <summary>Membership takes the silo for gone, rightly or not. If it still runs, nothing leaves it or reaches it any more.</summary>
    public void DeclareDead() => _node.Cluster.Membership.Kill(_node, freeze: _process.HasEnded);

    /// <summary>
    /// All activations of a type of grain on this silo are lost, as far as anybody can notice: what they have begun ends, and then nothing of
    /// them runs any more, neither <c>OnDeactivateAsync</c> nor the end of a sequence nor a disposal. The next call finds a new one.
    /// </summary>
    /// <returns>How many there were.</returns>
    public int Kill(string grainType)
    {
        var killed = 0;
        foreach (var each in _node.Activations.All.Where(each => string.Equals(each.Id.Type.ToString(), grainType, StringComparison.Ordinal)))
        {
            each.Kill();
            killed++;
        }

        return killed;
    }

    /// <summary>None of its code runs until <see cref="Thaw"/>; its clocks go on, and what reaches it waits.</summary>
    public void Freeze() => _process.Freeze();

    /// <summary>It goes on where it was.</summary>
    public void Thaw() => _process.Thaw();

    /// <summary>Has something happen between two steps of its process, after this many more of them.</summary>
    public void AfterSteps(long steps, Action happen) => _process.InterruptAfter(steps, happen);
}
