// Turns: what may interleave with what; where awaits resume.
namespace Watch.Hosting.Tests;

[Collection("shared cluster")]
public sealed class TurnTests(SharedCluster shared)
{
    private T Grain<T>(string key) where T : IGrainWithStringKey => shared.Cluster.Client.GetGrain<T>(key);

    [Fact]
    public async Task A_second_call_waits_for_the_first_to_end()
    {
        var grain = Grain<ICallGrain>("turn-1");
        var first = grain.Hold("turn-1");
        await Signals.Wait("turn-1 began");
        var second = grain.Note("second");
        var interleaved = grain.HoldInterleaved("turn-1i");    // proves that the second one is not merely slow
        await Signals.Wait("turn-1i began");
        Assert.DoesNotContain("second", Journal.Read("turn-1"));
        Signals.Set("turn-1i may end");
        Signals.Set("turn-1 may end");
        await Task.WhenAll(first, second, interleaved);
        var lines = Journal.Read("turn-1");
        Assert.True(Array.IndexOf(lines, "end turn-1") < Array.IndexOf(lines, "second"));
    }

    [Fact]
    public async Task Read_only_calls_interleave_with_each_other_but_not_with_others()
    {
        var grain = Grain<ICallGrain>("turn-2");
        var first = grain.HoldReadOnly("turn-2a");
        var second = grain.HoldReadOnly("turn-2b");
        await Signals.Wait("turn-2a began");
        await Signals.Wait("turn-2b began");
        var other = grain.Note("other");
        var interleaved = grain.HoldInterleaved("turn-2i");
        await Signals.Wait("turn-2i began");
        Assert.DoesNotContain("other", Journal.Read("turn-2"));
        foreach (var name in new[] { "turn-2a", "turn-2b", "turn-2i" })
            Signals.Set($"{name} may end");
        await Task.WhenAll(first, second, other, interleaved);
    }

    [Fact]
    public async Task All_calls_of_a_reentrant_grain_interleave()
    {
        var grain = Grain<IReentrantGrain>("turn-3");
        var first = grain.Hold("turn-3a");
        var second = grain.Hold("turn-3b");
        await Signals.Wait("turn-3a began");
        await Signals.Wait("turn-3b began");
        Signals.Set("turn-3a may end");
        Signals.Set("turn-3b may end");
        await Task.WhenAll(first, second);
    }

    [Fact]
    public async Task A_reentrant_grain_can_call_itself() =>
        Assert.Equal("turn-4", await Grain<IReentrantGrain>("turn-4").CallMyself());

    [Fact]
    public async Task Awaits_and_started_tasks_stay_on_the_activations_scheduler() =>
        Assert.True(await Grain<ICallGrain>("turn-5").ResumesOnMyScheduler());

    [Fact]
    public async Task No_two_turns_of_a_reentrant_grain_run_at_the_same_time()
    {
        var grain = Grain<IReentrantGrain>("turn-6");
        await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => grain.CountTo(50)));
        Assert.Equal(5000, await grain.Count());
    }

    [Fact]
    public async Task A_stateless_worker_has_several_activations_up_to_its_limit()
    {
        var grain = Grain<IWorkerGrain>("turn-7");
        var first = grain.Hold("turn-7a");
        await Signals.Wait("turn-7a began");
        var second = grain.Hold("turn-7b");
        await Signals.Wait("turn-7b began");
        var third = grain.Hold("turn-7c");    // two are the limit: it waits for one of them
        Signals.Set("turn-7a may end");
        await Signals.Wait("turn-7c began");
        Assert.Equal(2, Journal.Read("turn-7").Count(line => line == "activated"));
        Signals.Set("turn-7b may end");
        Signals.Set("turn-7c may end");
        await Task.WhenAll(first, second, third);
    }
}

[Alias("tests.IReentrantGrain")]
public interface IReentrantGrain : IGrainWithStringKey
{
    Task Hold(string name);

    Task<string> WhoAmI();

    Task<string> CallMyself();

    Task CountTo(int count);

    Task<int> Count();
}

[Orleans.Concurrency.Reentrant]
public class ReentrantGrain : Grain, IReentrantGrain
{
    private int _count;

    public async Task Hold(string name)
    {
        Signals.Set($"{name} began");
        await Signals.Wait($"{name} may end");
    }

    public Task<string> WhoAmI() => Task.FromResult(this.GetPrimaryKeyString());

    public Task<string> CallMyself() => this.AsReference<IReentrantGrain>().WhoAmI();

    public async Task CountTo(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var read = _count;
            Thread.Yield();
            _count = read + 1;
            await Task.Yield();
        }
    }

    public Task<int> Count() => Task.FromResult(_count);
}

[Alias("tests.IWorkerGrain")]
public interface IWorkerGrain : IGrainWithStringKey
{
    Task Hold(string name);
}

[Orleans.Concurrency.StatelessWorker(2)]
public class WorkerGrain : Grain, IWorkerGrain
{
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        Journal.Write(this.GetPrimaryKeyString(), "activated");
        return Task.CompletedTask;
    }

    public async Task Hold(string name)
    {
        Signals.Set($"{name} began");
        await Signals.Wait($"{name} may end");
    }
}
