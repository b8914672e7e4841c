// The subscriber's side of a stream: the activation's subscriptions and the observers attached to
// them. Before the first event of a stream the grain is told of it (OnSubscribed) and may attach its
// observer; events that find no observer are dropped.
using Orleans;
using Orleans.Providers.Streams.Common;
using Orleans.Runtime;
using Orleans.Streams;
using Orleans.Streams.Core;
using Watch.Embedded.Activations;

namespace Watch.Embedded.Streams;

[Alias("sys.IStreamConsumerExtension")]
internal interface IStreamConsumerExtension : IGrainExtension
{
    Task Deliver(string provider, StreamId stream, [Immutable] StreamBatch[] batches);
}

internal sealed class StreamConsumerExtension(Activation activation) : IStreamConsumerExtension
{
    private readonly Dictionary<(string Provider, StreamId Stream), StreamSubscription> _subscriptions = [];

    public async Task Deliver(string provider, StreamId stream, StreamBatch[] batches)
    {
        if (!_subscriptions.TryGetValue((provider, stream), out var subscription))
        {
            subscription = new StreamSubscription(provider, stream, activation.Id);
            _subscriptions.Add((provider, stream), subscription);
            if (activation.Instance is IStreamSubscriptionObserver grain)
                await grain.OnSubscribed(subscription);
        }

        if (subscription.Sink is { } sink)
            await sink.TakeAsync(batches);
    }
}

/// <summary>One stream that a grain hears, and the observer attached to it.</summary>
internal sealed class StreamSubscription(string provider, StreamId stream, GrainId subscriber) : IStreamSubscriptionHandleFactory
{
    public string ProviderName { get; } = provider;

    public StreamId StreamId { get; } = stream;

    /// <summary>Derived from stream and grain, so that it is the same in every activation.</summary>
    public GuidId SubscriptionId { get; } = GuidId.GetGuidId(DeriveId(stream, subscriber));

    public IStreamSink? Sink { get; set; }

    public StreamSubscriptionHandle<T> Create<T>() => new Handle<T>(this);

    private static Guid DeriveId(StreamId stream, GrainId subscriber)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes($"{subscriber}\0{stream}");
        return new Guid(System.Security.Cryptography.SHA256.HashData(bytes).AsSpan(0, 16));
    }

    private sealed class Handle<T>(StreamSubscription subscription) : StreamSubscriptionHandle<T>
    {
        public override Guid HandleId => subscription.SubscriptionId.Guid;

        public override string ProviderName => subscription.ProviderName;

        public override StreamId StreamId => subscription.StreamId;

        public override Task<StreamSubscriptionHandle<T>> ResumeAsync(IAsyncObserver<T> observer, StreamSequenceToken? token = null) =>
            Attach(new ItemSink<T>(observer));

        public override Task<StreamSubscriptionHandle<T>> ResumeAsync(IAsyncBatchObserver<T> observer, StreamSequenceToken? token = null) =>
            Attach(new BatchSink<T>(observer));

        public override Task UnsubscribeAsync() =>
            throw new NotSupportedException("An implicit subscription cannot be ended.");

        public override bool Equals(StreamSubscriptionHandle<T>? other) => other is not null && HandleId == other.HandleId;

        private Task<StreamSubscriptionHandle<T>> Attach(IStreamSink sink)
        {
            subscription.Sink = sink;
            return Task.FromResult<StreamSubscriptionHandle<T>>(this);
        }
    }
}

/// <summary>An observer whose type of events is known only at run time.</summary>
internal interface IStreamSink
{
    Task TakeAsync(StreamBatch[] batches);
}

internal sealed class ItemSink<T>(IAsyncObserver<T> observer) : IStreamSink
{
    public async Task TakeAsync(StreamBatch[] batches)
    {
        foreach (var batch in batches)
        {
            for (var i = 0; i < batch.Items.Length; i++)
                await observer.OnNextAsync((T)batch.Items[i]!, new EventSequenceToken(batch.Sequence, i));
        }
    }
}

internal sealed class BatchSink<T>(IAsyncBatchObserver<T> observer) : IStreamSink
{
    public Task TakeAsync(StreamBatch[] batches)
    {
        var items = new List<SequentialItem<T>>();
        foreach (var batch in batches)
        {
            for (var i = 0; i < batch.Items.Length; i++)
                items.Add(new((T)batch.Items[i]!, new EventSequenceToken(batch.Sequence, i)));
        }

        return observer.OnNextAsync(items);
    }
}
