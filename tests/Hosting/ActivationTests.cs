// The life of an activation: begin, end, collection, timers.
using Orleans.Configuration;
using Orleans.Hosting;

namespace Watch.Hosting.Tests;

[Collection("shared cluster")]
public sealed class ActivationTests(SharedCluster shared)
{
    private ICallGrain Grain(string key) => shared.Cluster.Client.GetGrain<ICallGrain>(key);

    [Fact]
    public async Task A_grain_is_activated_by_its_first_call_and_only_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Grain("life-1").WhoAmI()));
        Assert.Equal(["activated"], Journal.Read("life-1"));
    }

    [Fact]
    public async Task A_deactivated_grain_is_activated_again_by_the_next_call()
    {
        await Grain("life-2").End();
        await Signals.Wait("life-2 deactivated");
        Assert.Equal("life-2", await Grain("life-2").WhoAmI());
        Assert.Equal(["activated", "deactivated: ApplicationRequested", "activated"], Journal.Read("life-2"));
    }

    [Fact]
    public async Task Calls_that_wait_while_the_activation_ends_reach_the_next_one()
    {
        var held = Grain("life-3").Hold("life-3");
        await Signals.Wait("life-3 began");
        var end = Grain("life-3").End();
        var after = Grain("life-3").WhoAmI();
        Signals.Set("life-3 may end");
        await Task.WhenAll(held, end);
        Assert.Equal("life-3", await after);
    }

    [Fact]
    public async Task A_failed_activation_fails_the_call_with_its_exception()
    {
        var e = await Assert.ThrowsAnyAsync<Exception>(() => shared.Cluster.Client.GetGrain<IFailingGrain>("life-4").Anything());
        Assert.Contains("cannot begin", e.ToString());
    }

    [Fact]
    public async Task A_timer_ticks_until_it_is_disposed_and_not_beside_a_call()
    {
        var grain = shared.Cluster.Client.GetGrain<ITimerGrain>("timer-1");
        await grain.Start();
        await Signals.Wait("timer-1 tick 3");
        await grain.Hold();
        Assert.False(await grain.TickedBesideCall());
    }

    [Fact]
    public async Task An_idle_activation_is_collected_and_a_kept_one_is_not()
    {
        await using var cluster = await TestCluster.StartAsync(1, silo => silo.Configure<GrainCollectionOptions>(options =>
        {
            options.CollectionQuantum = TimeSpan.FromMilliseconds(100);
            options.CollectionAge = TimeSpan.FromMilliseconds(300);
        }));
        var kept = cluster.Client.GetGrain<IKeptGrain>("collect-kept");
        var before = await kept.Number();
        await cluster.Client.GetGrain<ICallGrain>("collect-1").WhoAmI();
        await Signals.Wait("collect-1 deactivated");
        Assert.Contains("deactivated: ActivationIdle", Journal.Read("collect-1"));
        Assert.Equal(before, await kept.Number());
    }
}

[Alias("tests.IFailingGrain")]
public interface IFailingGrain : IGrainWithStringKey
{
    Task Anything();
}

public class FailingGrain : Grain, IFailingGrain
{
    public override Task OnActivateAsync(CancellationToken cancellationToken) => throw new InvalidOperationException("cannot begin");

    public Task Anything() => Task.CompletedTask;
}

[Alias("tests.IKeptGrain")]
public interface IKeptGrain : IGrainWithStringKey
{
    Task<int> Number();
}

[KeepAlive]
public class KeptGrain : Grain, IKeptGrain
{
    private static int _activations;
    private readonly int _number = Interlocked.Increment(ref _activations);

    public Task<int> Number() => Task.FromResult(_number);
}

[Alias("tests.ITimerGrain")]
public interface ITimerGrain : IGrainWithStringKey
{
    Task Start();

    Task Hold();

    Task<bool> TickedBesideCall();
}

public class TimerGrain : Grain, ITimerGrain
{
    private int _ticks;
    private bool _holding;
    private bool _beside;

    public Task Start()
    {
        this.RegisterGrainTimer(Tick, new GrainTimerCreationOptions
        {
            DueTime = TimeSpan.FromMilliseconds(1),
            Period = TimeSpan.FromMilliseconds(1),
        });
        return Task.CompletedTask;
    }

    public async Task Hold()
    {
        _holding = true;
        for (var i = 0; i < 200; i++)
            await Task.Yield();
        _holding = false;
    }

    public Task<bool> TickedBesideCall() => Task.FromResult(_beside);

    private Task Tick(CancellationToken cancellationToken)
    {
        _beside |= _holding;
        Signals.Set($"{this.GetPrimaryKeyString()} tick {++_ticks}");
        return Task.CompletedTask;
    }
}
