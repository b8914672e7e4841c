#if ENGINE_ORLEANS
using System.Collections.Immutable;
using Orleans.Runtime;
using Orleans.Streams;

namespace Watch.Grains.Engine.PushStreams;

/// <summary>Puts what is published into this silo's own queues. A full one refuses, which its caller counts and forgets (I-Q3).</summary>
internal sealed class PushQueueAdapter(string name, PushQueueMapper mapper, TimeProvider time) : IQueueAdapter, IDisposable
{
    private readonly Dictionary<QueueId, PushQueue> _queues = mapper.GetAllQueues().ToDictionary(static each => each, _ => new PushQueue(time));
    private long _sequence;

    public string Name { get; } = name;

    public bool IsRewindable => false;

    public StreamProviderDirection Direction => StreamProviderDirection.ReadWrite;

    /// <summary>For tests: decides about each publishing whether it is lost. Null where none is.</summary>
    public Func<StreamId, bool>? Loses { get; set; }

    public Task QueueMessageBatchAsync<T>(StreamId streamId, IEnumerable<T> events, StreamSequenceToken? token, Dictionary<string, object>? requestContext)
    {
        if (Loses?.Invoke(streamId) == true)
            return Task.CompletedTask;
        var batch = new PushBatch(streamId, [.. events.Select(static each => (object)each!)], Interlocked.Increment(ref _sequence));
        return batch.Events.IsEmpty || _queues[mapper.GetQueueForStream(streamId)].TryAdd(batch)
            ? Task.CompletedTask
            : Task.FromException(new InvalidOperationException($"The queue of stream {streamId} is full."));
    }

    public IQueueAdapterReceiver CreateReceiver(QueueId queueId) => new PushReceiver(_queues[queueId]);

    public void Dispose()
    {
        foreach (var each in _queues.Values)
            each.Dispose();
    }
}
#endif
