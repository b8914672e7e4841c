// Memory streams. Publishing puts the events into a bounded queue per stream and subscriber on the
// publishing silo, and returns; a pump takes them to the subscribing grain, in order, one call at a
// time. Nothing polls: the pump starts with the first event and ends with the last one.
//
// As in Orleans, a stream may lose: what is queued dies with its silo, and events that the
// subscriber failed on, or did not take in time, are dropped (here without a second try).
using System.Collections.Concurrent;
using Orleans;
using Orleans.Configuration;
using Orleans.Runtime;
using Orleans.Streams;
using Watch.Embedded.Activations;
using Watch.Embedded.Calls;
using Watch.Embedded.Runtime;
using Watch.Embedded.Simulation;

namespace Watch.Embedded.Streams;

internal sealed class MemoryStreamProvider(string name, SiloNode silo, StreamPullingAgentOptions options) : IStreamProvider
{
    // The subscribers of a namespace never change while the silo runs; namespaces are few (DESIGN 3).
    private readonly ConcurrentDictionary<string, GrainType[]> _subscribers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(StreamId, GrainType), StreamPump> _pumps = new();
    private long _sequence;

    public string Name { get; } = name;

    public bool IsRewindable => false;

    public SiloNode Silo { get; } = silo;

    public int BatchSize { get; } = Math.Max(1, options.BatchContainerBatchSize);

    public IAsyncStream<T> GetStream<T>(StreamId streamId) => new MemoryStream<T>(this, streamId);

    /// <summary>Takes on events; throws when a subscriber's queue is full.</summary>
    public void Publish(StreamId stream, object?[] items)
    {
        if (items.Length == 0)
            return;
        var batch = new StreamBatch { Sequence = Interlocked.Increment(ref _sequence), Items = Copy(items) };
        var fate = Silo.Environment.FateOf(Silo.Name, stream, items.Length);
        if (fate == MessageFate.Usual)
            Enqueue(stream, batch);
        else
            EnqueueOddly(stream, batch, fate);
    }

    public void Remove(StreamPump pump) => _pumps.TryRemove(KeyValuePair.Create((pump.Stream, pump.Subscriber.Type), pump));

    private void EnqueueOddly(StreamId stream, StreamBatch batch, MessageFate fate)
    {
        for (var copy = 0; copy < fate.Copies; copy++)
        {
            if (fate.Delay <= TimeSpan.Zero)
                Enqueue(stream, batch);
            else
                Silo.Environment.TimeProvider.CreateTimer(_ => Enqueue(stream, batch), null, fate.Delay, Timeout.InfiniteTimeSpan);
        }
    }

    private void Enqueue(StreamId stream, StreamBatch batch)
    {
        var first = true;
        foreach (var subscriber in SubscribersOf(stream.GetNamespace()))
        {
            var own = first ? batch : new StreamBatch { Sequence = batch.Sequence, Items = Copy(batch.Items) };
            first = false;
            while (!_pumps.GetOrAdd((stream, subscriber), NewPump).TryAdd(own))
            {
                // That pump has just ended and is leaving the table: ask for the next one.
            }
        }
    }

    private StreamPump NewPump((StreamId Stream, GrainType Subscriber) key) => new(this, key.Stream, key.Subscriber);

    private object?[] Copy(object?[] items) => Array.ConvertAll(items, Silo.Copier.Copy);

    private GrainType[] SubscribersOf(string? ns) => _subscribers.GetOrAdd(ns ?? "", static ns =>
        [.. GrainClasses.Shared.All.Where(c => c.StreamNamespaces.Any(n => n is null || n == ns)).Select(c => c.GrainType)]);
}

internal sealed class MemoryStream<T>(MemoryStreamProvider provider, StreamId id) : IAsyncStream<T>
{
    public bool IsRewindable => false;

    public string ProviderName => provider.Name;

    public StreamId StreamId { get; } = id;

    public Task OnNextAsync(T item, StreamSequenceToken? token = null) => Publish([item]);

    public Task OnNextBatchAsync(IEnumerable<T> batch, StreamSequenceToken? token = null) =>
        Publish([.. batch.Select(static item => (object?)item)]);

    public Task OnCompletedAsync() => throw new NotSupportedException("A memory stream has no end.");

    public Task OnErrorAsync(Exception ex) => throw new NotSupportedException("A memory stream carries no errors.");

    public bool Equals(IAsyncStream<T>? other) =>
        other is not null && StreamId == other.StreamId && ProviderName == other.ProviderName;

    public override bool Equals(object? obj) => Equals(obj as IAsyncStream<T>);

    public override int GetHashCode() => StreamId.GetHashCode();

    public int CompareTo(IAsyncStream<T>? other) => other is null ? 1 : StreamId.CompareTo(other.StreamId);

    private Task Publish(object?[] items)
    {
        try
        {
            provider.Publish(StreamId, items);
            return Task.CompletedTask;
        }
        catch (Exception e)
        {
            return Task.FromException(e);
        }
    }
}

/// <summary>What one publishing brought: its events stay together.</summary>
[GenerateSerializer, Immutable, Alias("sys.StreamBatch")]
internal sealed class StreamBatch
{
    [Id(0)] public required long Sequence { get; init; }

    [Id(1)] public required object?[] Items { get; init; }
}

/// <summary>Takes the events of one stream to one subscribing grain.</summary>
internal sealed class StreamPump : IThreadPoolWorkItem
{
    /// <summary>How many publishings may wait for a subscriber; the limit of a queue in Orleans' memory streams.</summary>
    public const int QueueLimit = 16384;

    private readonly MemoryStreamProvider _provider;
    private readonly Queue<StreamBatch> _queue = new();
    private readonly IStreamConsumerExtension _consumer;
    private bool _running;
    private bool _gone;

    public StreamPump(MemoryStreamProvider provider, StreamId stream, GrainType subscriber)
    {
        _provider = provider;
        Stream = stream;
        Subscriber = GrainId.Create(subscriber, stream.GetKeyAsString());
        _consumer = (IStreamConsumerExtension)(object)provider.Silo.CreateReference(
            Subscriber, InterfaceCatalog.Shared.Get(typeof(IStreamConsumerExtension)));
    }

    public StreamId Stream { get; }

    public GrainId Subscriber { get; }

    /// <summary>False: this pump has ended.</summary>
    public bool TryAdd(StreamBatch batch)
    {
        lock (_queue)
        {
            if (_gone)
                return false;
            if (_queue.Count >= QueueLimit)
                throw new InvalidOperationException($"Stream {Stream} is full: {QueueLimit} publishings wait for {Subscriber}.");
            _queue.Enqueue(batch);
            if (_running)
                return true;
            _running = true;
        }

        // On this thread as soon as it is free: the publisher has nothing left to do but to return.
        _provider.Silo.Environment.Schedule(this, local: true);
        return true;
    }

    // As a task of the runtime's scheduler, so that what is awaited goes on there.
    public void Execute() =>
        new Task(static pump => _ = ((StreamPump)pump!).DrainAsync(), this, TaskCreationOptions.DenyChildAttach).RunSynchronously(_provider.Silo.Environment.Scheduler);

    public override string ToString() => $"pump of {Stream}";

    private async Task DrainAsync()
    {
        while (Take() is { Length: > 0 } batches)
        {
            try
            {
                await _consumer.Deliver(_provider.Name, Stream, batches);
            }
            catch (Exception e)
            {
                Log.StreamEventsLost(_provider.Silo.Logger, Stream, Subscriber, e);
            }
        }

        _provider.Remove(this);
    }

    private StreamBatch[] Take()
    {
        lock (_queue)
        {
            var batches = new StreamBatch[Math.Min(_queue.Count, _provider.BatchSize)];
            for (var i = 0; i < batches.Length; i++)
                batches[i] = _queue.Dequeue();
            _gone = batches.Length == 0;
            return batches;
        }
    }
}
