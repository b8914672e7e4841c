#if ENGINE_ORLEANS
using System.Diagnostics.CodeAnalysis;
using Orleans.Runtime;
using Orleans.Streams;
using Watch.Grains.Diagnostics;

namespace Watch.Grains.Engine.PushStreams;

/// <summary>
/// What an agent has read and its streams' consumers have not yet taken: a bounded ring per stream, out of which the oldest fall where a
/// consumer is slow (I-Q3). It is never under pressure, so that one slow hub holds up no other stream of the queue. Each stream has one
/// consumer, which takes a publishing out for good: a failed delivery is the chain's affair (I-Q2). Used in the agent's turns only.
/// </summary>
internal sealed class PushCache(WatchMetrics? metrics = null) : IQueueCache
{
    /// <summary>How many publishings of one stream wait at most.</summary>
    public const int BatchesMax = 1024;

    /// <summary>How many bytes of one stream's events wait at most; one publishing may go beyond it.</summary>
    public const long StreamBytesMax = 8L << 20;

    /// <summary>How many bytes of all streams' events wait at most.</summary>
    public const long BytesMax = 16L << 20;

    private readonly Dictionary<StreamId, Ring> _rings = [];
    private long _bytes;
    private long _reads;

    /// <summary>How many streams have something here, or somebody who waits for it.</summary>
    public int Streams => _rings.Count;

    /// <summary>How many bytes of events wait.</summary>
    public long Bytes => _bytes;

    /// <summary>How many publishings fell out before they were delivered.</summary>
    public long Dropped { get; private set; }

    public int GetMaxAddCount() => PushReceiver.TakeMax;

    public bool IsUnderPressure() => false;

    public void AddToCache(IList<IBatchContainer> messages)
    {
        _reads++;
        foreach (var each in messages.Cast<PushBatch>())
        {
            var ring = RingOf(each.StreamId);
            // Nobody has come for what an earlier read brought: its consumer could not be registered. What this one brings is new: the agent
            // comes for a stream that it did not know after all of the read is here.
            if (ring.Cursors == 0 && ring.Read != _reads)
                Trim(ring, batches: 0, bytes: 0);
            ring.Read = _reads;
            Trim(ring, BatchesMax - 1, StreamBytesMax - each.Bytes);
            if (_bytes + each.Bytes > BytesMax && _bytes > 0)
            {
                CountDropped(each);
                continue;
            }

            ring.Waiting.Enqueue(each);
            Count(ring, each.Bytes);
        }
    }

    // A publishing leaves with its delivery; there is never anything to be purged.
    public bool TryPurgeFromCache([MaybeNullWhen(false)] out IList<IBatchContainer> purgedItems)
    {
        purgedItems = null;
        return false;
    }

    public IQueueCacheCursor GetCacheCursor(StreamId streamId, StreamSequenceToken? token) => new Cursor(this, RingOf(streamId));

    private Ring RingOf(StreamId stream)
    {
        if (!_rings.TryGetValue(stream, out var ring))
            _rings.Add(stream, ring = new Ring(stream));
        return ring;
    }

    private void Trim(Ring ring, int batches, long bytes)
    {
        while (ring.Waiting.Count > 0 && (ring.Waiting.Count > batches || ring.Bytes > bytes))
        {
            var oldest = ring.Waiting.Dequeue();
            Count(ring, -oldest.Bytes);
            CountDropped(oldest);
        }
    }

    private bool TryTake(Ring ring, [NotNullWhen(true)] out PushBatch? batch)
    {
        if (!ring.Waiting.TryDequeue(out batch))
            return false;
        Count(ring, -batch.Bytes);
        return true;
    }

    private void Count(Ring ring, int bytes)
    {
        ring.Bytes += bytes;
        _bytes += bytes;
    }

    private void CountDropped(PushBatch batch)
    {
        Dropped++;
        metrics?.Dropped(DropPlace.Queue, batch.Events.Length);
    }

    private void Leave(Ring ring)
    {
        if (--ring.Cursors > 0)
            return;
        // The agent has forgotten the stream. What is left was not delivered and will not be.
        Trim(ring, batches: 0, bytes: 0);
        _rings.Remove(ring.Stream);
    }

    private sealed class Ring(StreamId stream)
    {
        public StreamId Stream { get; } = stream;

        public Queue<PushBatch> Waiting { get; } = new();

        public long Bytes { get; set; }

        public int Cursors { get; set; }

        /// <summary>The read that last brought something.</summary>
        public long Read { get; set; }
    }

    /// <summary>The place of a stream's consumer, or the agent's mark that one is about to come. It holds nothing back.</summary>
    private sealed class Cursor : IQueueCacheCursor
    {
        private readonly PushCache _cache;
        private readonly Ring _ring;
        private PushBatch? _current;
        private bool _hasLeft;

        public Cursor(PushCache cache, Ring ring)
        {
            (_cache, _ring) = (cache, ring);
            ring.Cursors++;
        }

        public IBatchContainer? GetCurrent(out Exception? exception)
        {
            exception = null;
            return _current;
        }

        public bool MoveNext() => !_hasLeft && _cache.TryTake(_ring, out _current);

        public void Refresh(StreamSequenceToken token)
        {
            // It reads from the ring's head, wherever that is.
        }

        public void RecordDeliveryFailure()
        {
            // What failed is not repeated.
        }

        public void Dispose()
        {
            if (_hasLeft)
                return;
            _hasLeft = true;
            _cache.Leave(_ring);
        }
    }
}
#endif
