// A grain whose methods try out the rules of turns, copying, cancellation and timeouts.
using Orleans.Concurrency;

namespace Watch.Hosting.Tests;

[GenerateSerializer, Alias("tests.Box")]
public sealed class Box
{
    [Id(0)] public int Number { get; set; }

    [Id(1)] public List<string> Lines { get; set; } = [];
}

[GenerateSerializer, Immutable, Alias("tests.SharedBox")]
public sealed class SharedBox
{
    [Id(0)] public List<string> Lines { get; set; } = [];
}

[Alias("tests.ICallGrain")]
public interface ICallGrain : IGrainWithStringKey
{
    Task<string> WhoAmI();

    /// <summary>Writes "begin", sets "{name} began", waits for "{name} may end", writes "end".</summary>
    Task Hold(string name);

    [ReadOnly]
    Task HoldReadOnly(string name);

    [AlwaysInterleave]
    Task HoldInterleaved(string name);

    Task Note(string line);

    ValueTask<int> Add(int a, int b);

    ValueTask Nothing();

    Task<Box> Exchange(Box box);

    Task<Box> Keep(Box box);

    Task<int> KeptNumber();

    Task<bool> IsSame(SharedBox box, int identity);

    Task<bool> IsSameArgument([Immutable] Box box, int identity);

    Task Fail(string message);

    Task<string> WaitForCancel(string name, CancellationToken cancellationToken);

    [ResponseTimeout("00:00:00.200")]
    Task NeverInTime(string name);

    [OneWay]
    Task Tell(string name);

    Task<int> CallOther(string key, int a, int b);

    Task<string> CallMyself();

    Task<bool> ResumesOnMyScheduler();

    Task End();

    Task<string?> ContextValue(string key);

    Task<ICallGrain> Reference();
}

public class CallGrain : Grain, ICallGrain
{
    private Box? _kept;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        Journal.Write(this.GetPrimaryKeyString(), "activated");
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        Journal.Write(this.GetPrimaryKeyString(), $"deactivated: {reason.ReasonCode}");
        Signals.Set(this.GetPrimaryKeyString() + " deactivated");
        return Task.CompletedTask;
    }

    public Task<string> WhoAmI() => Task.FromResult(this.GetPrimaryKeyString());

    public async Task Hold(string name)
    {
        Journal.Write(this.GetPrimaryKeyString(), $"begin {name}");
        Signals.Set($"{name} began");
        await Signals.Wait($"{name} may end");
        Journal.Write(this.GetPrimaryKeyString(), $"end {name}");
    }

    public Task HoldReadOnly(string name) => Hold(name);

    public Task HoldInterleaved(string name) => Hold(name);

    public Task Note(string line)
    {
        Journal.Write(this.GetPrimaryKeyString(), line);
        return Task.CompletedTask;
    }

    public ValueTask<int> Add(int a, int b) => new(a + b);

    public async ValueTask Nothing() => await Task.Yield();

    public Task<Box> Exchange(Box box)
    {
        box.Number++;
        box.Lines.Add("changed by the grain");
        return Task.FromResult(box);
    }

    public Task<Box> Keep(Box box)
    {
        _kept = box;
        return Task.FromResult(box);
    }

    public Task<int> KeptNumber() => Task.FromResult(_kept!.Number);

    public Task<bool> IsSame(SharedBox box, int identity) =>
        Task.FromResult(System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(box) == identity);

    public Task<bool> IsSameArgument(Box box, int identity) =>
        Task.FromResult(System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(box) == identity);

    public async Task Fail(string message)
    {
        await Task.Yield();
        throw new InvalidOperationException(message);
    }

    public async Task<string> WaitForCancel(string name, CancellationToken cancellationToken)
    {
        var canceled = new TaskCompletionSource();
        using var registration = cancellationToken.Register(canceled.SetResult);
        Signals.Set($"{name} waits");
        await canceled.Task.WaitAsync(TestCluster.Patience, CancellationToken.None);
        Signals.Set($"{name} canceled");
        return "canceled";
    }

    public Task NeverInTime(string name) => Signals.Wait($"{name} may end");

    public Task Tell(string name)
    {
        Signals.Set($"{name} told");
        throw new InvalidOperationException("Nobody hears this.");
    }

    public async Task<int> CallOther(string key, int a, int b) => await GrainFactory.GetGrain<ICallGrain>(key).Add(a, b);

    public Task<string> CallMyself() => this.AsReference<ICallGrain>().WhoAmI();

    public async Task<bool> ResumesOnMyScheduler()
    {
        var before = TaskScheduler.Current;
        await Task.Yield();
        var started = await Task.Factory.StartNew(() => TaskScheduler.Current);
        return before != TaskScheduler.Default && ReferenceEquals(before, TaskScheduler.Current) && ReferenceEquals(before, started);
    }

    public Task End()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public Task<string?> ContextValue(string key) => Task.FromResult(RequestContext.Get(key) as string);

    public Task<ICallGrain> Reference() => Task.FromResult(this.AsReference<ICallGrain>());
}
