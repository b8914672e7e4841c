using Orleans;
using Orleans.Configuration;
using Orleans.Concurrency;
using Orleans.Runtime;
using Orleans.Streams;
using Watch.Grains.Diagnostics;

namespace Watch.Grains.Publishing;

/// <summary>Publishes what this silo has for one scope. The grain's key is <see cref="WatchStreams.PublisherKey"/>.</summary>
[Alias("watch.IScopePublisherGrain")]
internal interface IScopePublisherGrain : IGrainWithStringKey
{
    /// <summary>Publishes one batch; answers whether there was one.</summary>
    [Alias("PublishNext")]
    Task<bool> PublishNext();
}

/// <summary>
/// Holds the handle of one scope's stream for as long as there is something to publish. That it is a grain is what frees the handle:
/// Orleans keeps the streams of an activation with the activation, and those of a service for ever.
/// </summary>
[GrainType("watch.publisher")]
[StatelessWorker(1, false)]
[CollectionAgeLimit(Minutes = 2)]
internal sealed class ScopePublisherGrain(Publisher publisher, WatchMetrics metrics) : Grain, IScopePublisherGrain
{
    private IAsyncStream<ScopeEvent>? _stream;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _stream = this.GetStreamProvider(WatchStreams.Provider).GetStream<ScopeEvent>(WatchStreams.OfPublisher(this.GetPrimaryKeyString()));
        return Task.CompletedTask;
    }

    public async Task<bool> PublishNext()
    {
        var batch = publisher.Take(this.GetPrimaryKeyString());
        if (batch.Count == 0)
            return false;
        try
        {
            await _stream!.OnNextBatchAsync(batch);
        }
        catch
        {
            publisher.Lost(batch.Count);
            throw;
        }

        metrics.Published(batch.Count);
        return true;
    }
}
