#if ENGINE_ORLEANS
using Orleans.Runtime;
using Orleans.Streams;

namespace Watch.Grains.Engine.PushStreams;

/// <summary>Which of this silo's queues a stream goes through: always the same one, so that its order stays.</summary>
internal sealed class PushQueueMapper : IStreamQueueMapper
{
    private readonly QueueId[] _queues;

    public PushQueueMapper(string name, int queues)
    {
        _queues = [.. Enumerable.Range(0, queues).Select(at => QueueId.GetQueueId(name, (uint)at, (uint)at))];
    }

    public IEnumerable<QueueId> GetAllQueues() => _queues;

    public QueueId GetQueueForStream(StreamId streamId) => _queues[Hash(streamId.FullKey.Span) % (uint)_queues.Length];

    // FNV-1a: near names, which share all but their last bytes, spread.
    private static uint Hash(ReadOnlySpan<byte> bytes)
    {
        var hash = 2_166_136_261u;
        foreach (var each in bytes)
            hash = (hash ^ each) * 16_777_619u;
        return hash;
    }
}

/// <summary>Gives every silo all queues of its own mapper: they are its own, there is nothing to share out.</summary>
internal sealed class OwnQueuesBalancer : IStreamQueueBalancer
{
    private IStreamQueueMapper? _mapper;

    public Task Initialize(IStreamQueueMapper queueMapper)
    {
        _mapper = queueMapper;
        return Task.CompletedTask;
    }

    public Task Shutdown() => Task.CompletedTask;

    public IEnumerable<QueueId> GetMyQueues() => _mapper!.GetAllQueues();

    // The queues of a silo never change, so nobody is ever told.
    public bool SubscribeToQueueDistributionChangeEvents(IStreamQueueBalanceListener observer) => true;

    public bool UnSubscribeFromQueueDistributionChangeEvents(IStreamQueueBalanceListener observer) => true;
}
#endif
