#if ENGINE_ORLEANS
using System.Collections.Immutable;
using Orleans;
using Orleans.Providers.Streams.Common;
using Orleans.Runtime;
using Orleans.Streams;
using Watch.Grains.Publishing;

namespace Watch.Grains.Engine.PushStreams;

/// <summary>What one publishing brought: its events stay together, and are handed from publisher to hub without being copied.</summary>
[GenerateSerializer, Immutable, Alias("watch.PushBatch")]
internal sealed class PushBatch(StreamId streamId, ImmutableArray<object> events, long sequence) : IBatchContainer
{
    private const int FixedBytes = 128;

    [Id(0)]
    public StreamId StreamId { get; } = streamId;

    [Id(1)]
    public ImmutableArray<object> Events { get; } = events;

    /// <summary>Grows with every publishing of a silo; it says nothing of revisions.</summary>
    [Id(2)]
    public long Sequence { get; } = sequence;

    /// <summary>About how much room it takes.</summary>
    [Id(3)]
    public int Bytes { get; } = FixedBytes + events.Sum(static each => each is ISizedEvent sized ? sized.CountBytes() : FixedBytes);

    public StreamSequenceToken SequenceToken => new EventSequenceTokenV2(Sequence);

    public IEnumerable<Tuple<T, StreamSequenceToken>> GetEvents<T>() =>
        Events.Select((each, at) => Tuple.Create((T)each, (StreamSequenceToken)new EventSequenceTokenV2(Sequence, at)));

    // The request that published it has nothing to say to those who hear it.
    public bool ImportRequestContext() => false;
}
#endif
