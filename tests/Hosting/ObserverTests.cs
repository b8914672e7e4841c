// Observers: objects of a client that grains can call.
namespace Watch.Hosting.Tests;

[Collection("shared cluster")]
public sealed class ObserverTests(SharedCluster shared)
{
    private IClusterClient Client => shared.Cluster.Client;

    [Fact]
    public async Task A_grain_calls_an_observer_and_gets_its_answer()
    {
        var observer = new Recorder();
        var reference = Client.CreateObjectReference<IRecorder>(observer);
        var answer = await Client.GetGrain<ICallerGrain>("observer-1").Call(reference, 41);
        Assert.Equal(42, answer);
        Assert.Equal([41], observer.Numbers);
        Client.DeleteObjectReference<IRecorder>(reference);
        GC.KeepAlive(observer);
    }

    [Fact]
    public async Task The_exception_of_an_observer_reaches_the_grain()
    {
        var observer = new Recorder();
        var reference = Client.CreateObjectReference<IRecorder>(observer);
        var e = await Assert.ThrowsAsync<InvalidOperationException>(
            () => Client.GetGrain<ICallerGrain>("observer-2").Call(reference, -1));
        Assert.Equal("negative", e.Message);
        GC.KeepAlive(observer);
    }

    [Fact]
    public async Task Calls_of_one_observer_come_one_at_a_time_and_in_order()
    {
        var observer = new Recorder();
        var reference = Client.CreateObjectReference<IRecorder>(observer);
        await Client.GetGrain<ICallerGrain>("observer-3").CallMany(reference, 50);
        Assert.Equal(50, observer.Numbers.Count);
        Assert.Equal(1, observer.MostAtOnce);
        GC.KeepAlive(observer);
    }

    [Fact]
    public async Task A_deleted_observer_does_not_answer()
    {
        var observer = new Recorder();
        var reference = Client.CreateObjectReference<IRecorder>(observer);
        Client.DeleteObjectReference<IRecorder>(reference);
        await Assert.ThrowsAsync<TimeoutException>(() => Client.GetGrain<ICallerGrain>("observer-4").Call(reference, 1));
        Assert.Empty(observer.Numbers);
    }

    [Fact]
    public async Task An_observer_that_nobody_keeps_is_collected_and_does_not_answer()
    {
        var (reference, weak) = MakeAndForget();
        for (var i = 0; i < 10 && weak.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(weak.IsAlive);
        await Assert.ThrowsAsync<TimeoutException>(() => Client.GetGrain<ICallerGrain>("observer-6").Call(reference, 1));
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private (IRecorder Reference, WeakReference Weak) MakeAndForget()
    {
        var observer = new Recorder();
        return (Client.CreateObjectReference<IRecorder>(observer), new WeakReference(observer));
    }

    [Fact]
    public async Task Services_of_a_silo_can_have_observers()
    {
        var factory = shared.Cluster.Silos[0].ServiceProvider.GetRequiredService<IGrainFactory>();
        var observer = new Recorder();
        var reference = factory.CreateObjectReference<IRecorder>(observer);
        Assert.Equal(8, await factory.GetGrain<ICallerGrain>("observer-5").Call(reference, 7));
        GC.KeepAlive(observer);
    }

    private sealed class Recorder : IRecorder
    {
        private int _atOnce;

        public List<int> Numbers { get; } = [];

        public int MostAtOnce { get; private set; }

        public async Task<int> Take(int number)
        {
            MostAtOnce = Math.Max(MostAtOnce, Interlocked.Increment(ref _atOnce));
            await Task.Yield();
            Numbers.Add(number);
            Interlocked.Decrement(ref _atOnce);
            return number < 0 ? throw new InvalidOperationException("negative") : number + 1;
        }
    }
}

[Alias("tests.IRecorder")]
public interface IRecorder : IGrainObserver
{
    [ResponseTimeout("00:00:02")]
    Task<int> Take(int number);
}

[Alias("tests.ICallerGrain")]
public interface ICallerGrain : IGrainWithStringKey
{
    Task<int> Call(IRecorder recorder, int number);

    Task CallMany(IRecorder recorder, int count);
}

public class CallerGrain : Grain, ICallerGrain
{
    public Task<int> Call(IRecorder recorder, int number) => recorder.Take(number);

    public Task CallMany(IRecorder recorder, int count) =>
        Task.WhenAll(Enumerable.Range(0, count).Select(recorder.Take));
}
