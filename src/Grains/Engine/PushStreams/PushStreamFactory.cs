#if ENGINE_ORLEANS
using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Runtime;
using Orleans.Streams;
using Watch.Grains.Diagnostics;

namespace Watch.Grains.Engine.PushStreams;

/// <summary>The parts of one provider, as Orleans asks for them.</summary>
internal sealed partial class PushStreamFactory : IQueueAdapterFactory, IQueueAdapterCache, IDisposable
{
    private readonly PushQueueMapper _mapper;
    private readonly FailureHandler _failures;
    private readonly WatchMetrics? _metrics;

    public PushStreamFactory(string name, int queues, TimeProvider time, ILogger<PushStreamFactory> logger, WatchMetrics? metrics = null)
    {
        _metrics = metrics;
        _mapper = new PushQueueMapper(name, queues);
        Adapter = new PushQueueAdapter(name, _mapper, time);
        _failures = new FailureHandler(logger);
    }

    /// <summary>The silo's queues.</summary>
    public PushQueueAdapter Adapter { get; }

    public Task<IQueueAdapter> CreateAdapter() => Task.FromResult<IQueueAdapter>(Adapter);

    public IQueueAdapterCache GetQueueAdapterCache() => this;

    public IQueueCache CreateQueueCache(QueueId queueId) => new PushCache(_metrics);

    public IStreamQueueMapper GetStreamQueueMapper() => _mapper;

    public Task<IStreamFailureHandler> GetDeliveryFailureHandler(QueueId queueId) => Task.FromResult<IStreamFailureHandler>(_failures);

    public void Dispose() => Adapter.Dispose();

    /// <summary>What could not be delivered is lost, and read from history by those whom it concerns (I-Q2).</summary>
    private sealed partial class FailureHandler(ILogger logger) : IStreamFailureHandler
    {
        public bool ShouldFaultSubsriptionOnError => false;

        public Task OnDeliveryFailure(GuidId subscriptionId, string streamProviderName, StreamId streamIdentity, StreamSequenceToken? sequenceToken)
        {
            LogLost(logger, streamIdentity, sequenceToken);
            return Task.CompletedTask;
        }

        public Task OnSubscriptionFailure(GuidId subscriptionId, string streamProviderName, StreamId streamIdentity, StreamSequenceToken? sequenceToken)
        {
            LogUnreached(logger, streamIdentity, sequenceToken);
            return Task.CompletedTask;
        }

        [LoggerMessage(Level = LogLevel.Debug, Message = "Events of stream {Stream} at {Token} were not delivered. They will be read from history")]
        private static partial void LogLost(ILogger logger, StreamId stream, StreamSequenceToken? token);

        [LoggerMessage(Level = LogLevel.Debug, Message = "The hub of stream {Stream} was not reached at {Token}. What it missed will be read from history")]
        private static partial void LogUnreached(ILogger logger, StreamId stream, StreamSequenceToken? token);
    }
}
#endif
