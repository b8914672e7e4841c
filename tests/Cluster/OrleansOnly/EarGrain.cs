using System.Threading.Channels;
using Orleans;
using Orleans.Concurrency;
using Orleans.Streams;
using Orleans.Streams.Core;

namespace Watch.Cluster.Tests.OrleansOnly;

[Alias("tests.IEarGrain")]
internal interface IEarGrain : IGrainWithStringKey
{
}

/// <summary>Hears the stream that has its key, as a hub does, and tells <see cref="Ears"/>.</summary>
[GrainType("tests.ear")]
[StatelessWorker(1, false)]
[ImplicitStreamSubscription(Ears.Namespace)]
internal sealed class EarGrain(Ears ears) : Grain, IEarGrain, IStreamSubscriptionObserver, IAsyncBatchObserver<string>
{
    public Task OnSubscribed(IStreamSubscriptionHandleFactory handleFactory) => handleFactory.Create<string>().ResumeAsync(this);

    public async Task OnNextAsync(IList<SequentialItem<string>> items)
    {
        foreach (var item in items)
            await ears.HearAsync(this.GetPrimaryKeyString(), item.Item);
    }

    public Task OnCompletedAsync() => Task.CompletedTask;

    public Task OnErrorAsync(Exception ex) => Task.CompletedTask;
}

/// <summary>What the silo's ears have heard.</summary>
internal sealed class Ears
{
    public const string Namespace = "tests/push/";

    /// <summary>The key of the stream whose ear never comes back from an event.</summary>
    public const string Stuck = "stuck";

    private readonly Channel<string> _heard = Channel.CreateUnbounded<string>();
    private readonly TaskCompletionSource _released = new();

    /// <summary>Done when the stuck ear has an event.</summary>
    public TaskCompletionSource IsStuck { get; } = new();

    public async Task HearAsync(string key, string text)
    {
        if (string.Equals(key, Stuck, StringComparison.Ordinal))
        {
            IsStuck.TrySetResult();
            await _released.Task;
        }

        await _heard.Writer.WriteAsync($"{key} {text}");
    }

    public async Task<string> NextAsync() => await _heard.Reader.ReadAsync().AsTask().WaitAsync(WatchCluster.Patience);

    public void Release() => _released.TrySetResult();
}
