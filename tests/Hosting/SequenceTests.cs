// Grain methods that return IAsyncEnumerable<T>.
using System.Runtime.CompilerServices;

namespace Watch.Hosting.Tests;

[Collection("shared cluster")]
public sealed class SequenceTests(SharedCluster shared)
{
    private ISequenceGrain Grain(string key) => shared.Cluster.Client.GetGrain<ISequenceGrain>(key);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    public async Task All_elements_arrive_in_order_whatever_the_batch_size(int batchSize)
    {
        var numbers = new List<int>();
        await foreach (var number in Grain("seq-1").Count(250).WithBatchSize(batchSize))
            numbers.Add(number);
        Assert.Equal(Enumerable.Range(0, 250), numbers);
    }

    [Fact]
    public async Task An_element_arrives_when_it_is_there_not_when_the_batch_is_full()
    {
        await using var numbers = Grain("seq-2").CountOnSignal("seq-2", default).GetAsyncEnumerator();
        for (var i = 0; i < 3; i++)
        {
            var move = numbers.MoveNextAsync().AsTask();
            Signals.Set($"seq-2 {i}");
            Assert.True(await move.WaitAsync(TestCluster.Patience));
            Assert.Equal(i, numbers.Current);
        }
    }

    [Fact]
    public async Task The_exception_of_a_sequence_comes_after_its_elements()
    {
        var numbers = new List<int>();
        var e = await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            await foreach (var number in Grain("seq-3").FailAfter(3))
                numbers.Add(number);
        });
        Assert.Equal("after 3", e.Message);
        Assert.Equal([0, 1, 2], numbers);
    }

    [Fact]
    public async Task Ending_the_enumeration_early_disposes_the_enumerator_at_the_grain()
    {
        await foreach (var number in Grain("seq-4").CountOnSignal("seq-4", default))
        {
            Assert.Equal(0, number);
            Signals.Set("seq-4 1");
            break;
        }

        await Signals.Wait("seq-4 disposed");
    }

    [Fact]
    public async Task Cancellation_ends_the_enumeration_at_both_ends()
    {
        using var source = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var number in Grain("seq-5").CountOnSignal("seq-5", default).WithCancellation(source.Token))
                await source.CancelAsync();
        });
        await Signals.Wait("seq-5 disposed");
    }

    [Fact]
    public async Task A_sequence_interleaves_with_calls()
    {
        await using var numbers = Grain("seq-6").CountOnSignal("seq-6", default).GetAsyncEnumerator();
        Assert.True(await numbers.MoveNextAsync());
        var move = numbers.MoveNextAsync().AsTask();
        await Grain("seq-6").Release("seq-6 1");
        Assert.True(await move.WaitAsync(TestCluster.Patience));
    }

    [Fact]
    public async Task When_the_activation_has_ended_the_enumeration_is_aborted()
    {
        await using var numbers = Grain("seq-7").Count(250).WithBatchSize(10).GetAsyncEnumerator();
        Assert.True(await numbers.MoveNextAsync());
        await Grain("seq-7").End();
        await Signals.Wait("seq-7 deactivated");
        await Assert.ThrowsAsync<EnumerationAbortedException>(async () =>
        {
            while (await numbers.MoveNextAsync())
                Assert.InRange(numbers.Current, 0, 249);
        });
    }
}

[Alias("tests.ISequenceGrain")]
public interface ISequenceGrain : IGrainWithStringKey
{
    IAsyncEnumerable<int> Count(int count);

    IAsyncEnumerable<int> FailAfter(int count);

    /// <summary>0 at once, then each number on its signal, "{name} {number}".</summary>
    IAsyncEnumerable<int> CountOnSignal(string name, CancellationToken cancellationToken);

    Task Release(string signal);

    Task End();
}

public class SequenceGrain : Grain, ISequenceGrain
{
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        Signals.Set($"{this.GetPrimaryKeyString()} deactivated");
        return Task.CompletedTask;
    }

    public async IAsyncEnumerable<int> Count(int count)
    {
        for (var i = 0; i < count; i++)
        {
            yield return i;
            if (i % 10 == 9)
                await Task.Yield();
        }
    }

    public async IAsyncEnumerable<int> FailAfter(int count)
    {
        for (var i = 0; i < count; i++)
            yield return i;
        await Task.Yield();
        throw new InvalidOperationException($"after {count}");
    }

    public async IAsyncEnumerable<int> CountOnSignal(string name, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            yield return 0;
            for (var i = 1; ; i++)
            {
                await Signals.Wait($"{name} {i}").WaitAsync(cancellationToken);
                yield return i;
            }
        }
        finally
        {
            Signals.Set($"{name} disposed");
        }
    }

    public Task Release(string signal)
    {
        Signals.Set(signal);
        return Task.CompletedTask;
    }

    public Task End()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}
