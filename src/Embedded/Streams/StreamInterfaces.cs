// Streams as grains see them: a provider gives a stream by its id, who has the stream publishes to
// it, and grains whose class names the stream's namespace hear it.
using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;

namespace Orleans.Streams
{
    public interface IAsyncObserver<in T>
    {
        Task OnNextAsync(T item, StreamSequenceToken? token = null);

        Task OnCompletedAsync();

        Task OnErrorAsync(Exception ex);
    }

    public interface IAsyncBatchObserver<T>
    {
        Task OnNextAsync(IList<SequentialItem<T>> items);

        Task OnCompletedAsync();

        Task OnErrorAsync(Exception ex);
    }

    public interface IAsyncBatchProducer<T> : IAsyncObserver<T>
    {
        Task OnNextBatchAsync(IEnumerable<T> batch, StreamSequenceToken? token = null);
    }

    public interface IAsyncStream
    {
        bool IsRewindable { get; }

        string ProviderName { get; }

        StreamId StreamId { get; }
    }

    public interface IAsyncStream<T> : IAsyncStream, IEquatable<IAsyncStream<T>>, IComparable<IAsyncStream<T>>, IAsyncBatchProducer<T>;

    public interface IStreamProvider
    {
        string Name { get; }

        bool IsRewindable { get; }

        IAsyncStream<T> GetStream<T>(StreamId streamId);
    }

    public static class StreamProviderExtensions
    {
        public static IAsyncStream<T> GetStream<T>(this IStreamProvider streamProvider, string ns, string id) =>
            streamProvider.GetStream<T>(StreamId.Create(ns, id));
    }

    /// <summary>One event of a batch, with its place in the stream.</summary>
    public class SequentialItem<T>(T item, StreamSequenceToken token)
    {
        public T Item { get; } = item;

        public StreamSequenceToken Token { get; } = token;
    }

    public abstract class StreamSequenceToken : IEquatable<StreamSequenceToken?>, IComparable<StreamSequenceToken?>
    {
        public abstract long SequenceNumber { get; protected set; }

        public abstract int EventIndex { get; protected set; }

        public abstract bool Equals(StreamSequenceToken? other);

        public abstract int CompareTo(StreamSequenceToken? other);
    }

    public enum StreamPubSubType
    {
        ExplicitGrainBasedAndImplicit = 0,
        ExplicitGrainBasedOnly = 1,
        ImplicitOnly = 2,
    }

    /// <summary>A grain's subscription, to which it attaches the observer that gets the events.</summary>
    public abstract class StreamSubscriptionHandle<T> : IEquatable<StreamSubscriptionHandle<T>?>
    {
        public abstract Guid HandleId { get; }

        public abstract string ProviderName { get; }

        public abstract StreamId StreamId { get; }

        public abstract Task<StreamSubscriptionHandle<T>> ResumeAsync(IAsyncObserver<T> observer, StreamSequenceToken? token = null);

        public abstract Task<StreamSubscriptionHandle<T>> ResumeAsync(IAsyncBatchObserver<T> observer, StreamSequenceToken? token = null);

        public abstract Task UnsubscribeAsync();

        public abstract bool Equals(StreamSubscriptionHandle<T>? other);

        public override bool Equals(object? obj) => Equals(obj as StreamSubscriptionHandle<T>);

        public override int GetHashCode() => HandleId.GetHashCode();
    }

    public static class StreamSubscriptionHandleExtensions
    {
        public static Task<StreamSubscriptionHandle<T>> ResumeAsync<T>(
            this StreamSubscriptionHandle<T> handle, Func<T, StreamSequenceToken?, Task> onNextAsync, StreamSequenceToken? token = null) =>
            handle.ResumeAsync(new DelegateObserver<T>(onNextAsync), token);

        public static Task<StreamSubscriptionHandle<T>> ResumeAsync<T>(
            this StreamSubscriptionHandle<T> handle, Func<IList<SequentialItem<T>>, Task> onNextAsync, StreamSequenceToken? token = null) =>
            handle.ResumeAsync(new DelegateBatchObserver<T>(onNextAsync), token);

        private sealed class DelegateObserver<T>(Func<T, StreamSequenceToken?, Task> onNext) : IAsyncObserver<T>
        {
            public Task OnNextAsync(T item, StreamSequenceToken? token = null) => onNext(item, token);

            public Task OnCompletedAsync() => Task.CompletedTask;

            public Task OnErrorAsync(Exception ex) => Task.CompletedTask;
        }

        private sealed class DelegateBatchObserver<T>(Func<IList<SequentialItem<T>>, Task> onNext) : IAsyncBatchObserver<T>
        {
            public Task OnNextAsync(IList<SequentialItem<T>> items) => onNext(items);

            public Task OnCompletedAsync() => Task.CompletedTask;

            public Task OnErrorAsync(Exception ex) => Task.CompletedTask;
        }
    }
}

namespace Orleans.Streams.Core
{
    /// <summary>Makes the handle of a subscription, once the grain knows the type of its events.</summary>
    public interface IStreamSubscriptionHandleFactory
    {
        StreamId StreamId { get; }

        string ProviderName { get; }

        GuidId SubscriptionId { get; }

        StreamSubscriptionHandle<T> Create<T>();
    }

    /// <summary>A grain that is told of each stream it hears before the first event of it.</summary>
    public interface IStreamSubscriptionObserver
    {
        Task OnSubscribed(IStreamSubscriptionHandleFactory handleFactory);
    }
}

namespace Orleans.Providers.Streams.Common
{
    [GenerateSerializer]
    public class EventSequenceToken : Orleans.Streams.StreamSequenceToken
    {
        public EventSequenceToken() { }

        public EventSequenceToken(long sequenceNumber, int eventIndex = 0)
        {
            SequenceNumber = sequenceNumber;
            EventIndex = eventIndex;
        }

        [Id(0)]
        public sealed override long SequenceNumber { get; protected set; }

        [Id(1)]
        public sealed override int EventIndex { get; protected set; }

        public override bool Equals(Orleans.Streams.StreamSequenceToken? other) => other is EventSequenceToken && CompareTo(other) == 0;

        public override bool Equals(object? obj) => Equals(obj as Orleans.Streams.StreamSequenceToken);

        public override int CompareTo(Orleans.Streams.StreamSequenceToken? other) => other is null
            ? 1
            : (SequenceNumber, EventIndex).CompareTo((other.SequenceNumber, other.EventIndex));

        public override int GetHashCode() => HashCode.Combine(SequenceNumber, EventIndex);

        public override string ToString() => $"[{SequenceNumber}:{EventIndex}]";
    }
}

namespace Orleans
{
    /// <summary>Grains of this class hear the streams of a namespace: each grain the stream that has its key.</summary>
    [AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
    public class ImplicitStreamSubscriptionAttribute : Attribute
    {
        public ImplicitStreamSubscriptionAttribute() { }

        public ImplicitStreamSubscriptionAttribute(string streamNamespace, string? streamIdMapper = null)
        {
            Namespace = streamNamespace;
            if (streamIdMapper is not null)
                throw new NotSupportedException("This host knows no stream id mappers.");
        }

        internal string? Namespace { get; }
    }

    public static class GrainStreamingExtensions
    {
        public static Streams.IStreamProvider GetStreamProvider(this Grain grain, string name) =>
            grain.GrainContext.ActivationServices.GetRequiredKeyedService<Streams.IStreamProvider>(name);

        public static Streams.IStreamProvider GetStreamProvider(this IGrainBase grain, string name) =>
            grain.GrainContext.ActivationServices.GetRequiredKeyedService<Streams.IStreamProvider>(name);
    }

    public static class ClientStreamingExtensions
    {
        public static Streams.IStreamProvider GetStreamProvider(this IClusterClient client, string name) =>
            client.ServiceProvider.GetRequiredKeyedService<Streams.IStreamProvider>(name);
    }
}
