using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Watch.Core;
using Watch.Grains.Consensus;

namespace Watch.Grains.Publishing;

/// <summary>
/// Owns what this silo has to publish. Writers only ever put events down here and go on; each scope that has some is drained by its
/// publisher grain, batch after batch. What does not fit, or cannot be published, is dropped and counted: whoever watches the scope
/// notices by the chain and reads it from history. Thread-safe.
/// </summary>
internal sealed partial class Publisher(IGrainFactory grains, IOptions<WatchSiloOptions> options, ILogger<Publisher> logger)
{
    /// <summary>A larger event travels without its changes, and a batch is cut here: Orleans' memory streams lose batches over 1 MiB.</summary>
    public const int BatchBytesMax = 256 << 10;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Queue<ScopeEvent>> _scopes = new(StringComparer.Ordinal);
    private int _events;
    private long _bytes;
    private long _dropped;

    /// <summary>How many events were dropped since the start.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Takes the events of a write, if anybody watches it.</summary>
    public void Offer(BucketId bucket, CommandOutcome outcome)
    {
        foreach (var scope in outcome.Watched)
        {
            var changes = outcome.Changes.Where(each => scope.Scope.Contains(each.Key)).ToImmutableArray();
            var scopeEvent = new ScopeEvent(bucket, scope.Scope, scope.Previous, outcome.Result.Revision, changes, scope.Silos);
            Offer(WatchStreams.PublisherKey(bucket, scope.Scope), scopeEvent.CountBytes() > BatchBytesMax ? scopeEvent.WithoutChanges() : scopeEvent);
        }
    }

    /// <summary>The next batch of a scope; empty when there is nothing left, and then the scope is forgotten.</summary>
    public IReadOnlyList<ScopeEvent> Take(string publisherKey)
    {
        lock (_gate)
        {
            if (!_scopes.TryGetValue(publisherKey, out var waiting))
                return [];
            if (waiting.Count == 0)
            {
                _scopes.Remove(publisherKey);
                return [];
            }

            var batch = new List<ScopeEvent>();
            var bytes = 0;
            while (waiting.TryPeek(out var next) && next.CountBytes() is var size && (batch.Count == 0 || bytes + size <= BatchBytesMax))
            {
                bytes += size;
                batch.Add(waiting.Dequeue());
            }

            _events -= batch.Count;
            _bytes -= bytes;
            return batch;
        }
    }

    private void Offer(string publisherKey, ScopeEvent scopeEvent)
    {
        var size = scopeEvent.CountBytes();
        lock (_gate)
        {
            if (_events >= options.Value.PublishQueueEventsMax || _bytes + size > options.Value.PublishQueueBytesMax)
            {
                _dropped++;
                return;
            }

            _events++;
            _bytes += size;
            if (_scopes.TryGetValue(publisherKey, out var waiting))
            {
                waiting.Enqueue(scopeEvent);
                return;
            }

            _scopes.Add(publisherKey, waiting = new Queue<ScopeEvent>());
            waiting.Enqueue(scopeEvent);
        }

        // One drain per scope at a time, from the first event until Take finds nothing; it handles its own failures.
        _ = DrainAsync(publisherKey);
    }

    private async Task DrainAsync(string publisherKey)
    {
        try
        {
            var publisher = grains.GetGrain<IScopePublisherGrain>(publisherKey);
            while (await publisher.PublishNext())
            {
                // Each call takes one batch, so that none lasts longer than a call may.
            }
        }
        catch (Exception error)
        {
            var lost = Drop(publisherKey);
            LogDropped(logger, error, publisherKey, lost);
        }
    }

    private int Drop(string publisherKey)
    {
        lock (_gate)
        {
            if (!_scopes.Remove(publisherKey, out var waiting))
                return 0;
            _events -= waiting.Count;
            _bytes -= waiting.Sum(each => (long)each.CountBytes());
            _dropped += waiting.Count;
            return waiting.Count;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Publishing to {Scope} failed; {Lost} more events were dropped and will be read from history")]
    private static partial void LogDropped(ILogger logger, Exception error, string scope, int lost);
}
