using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Watch.Core;
using Watch.Grains.Consensus;
using Watch.Grains.Diagnostics;

namespace Watch.Grains.Publishing;

/// <summary>
/// Owns what this silo has to publish. Writers only ever put events down here and go on; each scope that has some is drained by its
/// publisher grain, batch after batch. What does not fit, or cannot be published, is dropped and counted: whoever watches the scope
/// notices by the chain and reads it from history. Thread-safe.
/// </summary>
internal sealed partial class Publisher(IGrainFactory grains, IOptions<WatchSiloOptions> options, TimeProvider time, WatchMetrics metrics, ILogger<Publisher> logger)
{
    /// <summary>A larger event travels without its changes, and a batch is cut here: Orleans' memory streams lose batches over 1 MiB.</summary>
    public const int BatchBytesMax = 256 << 10;

    /// <summary>What fails, fails for every write as long as it lasts: it is told of so often.</summary>
    private static readonly TimeSpan s_tellEvery = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Queue<Waiting>> _scopes = new(StringComparer.Ordinal);
    private int _events;
    private long _bytes;
    private long _dropped;
    private long? _toldAt;
    private int _failures;
    private long _lost;

    /// <summary>How many events were dropped since the start.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Takes the events of a write, if anybody watches it.</summary>
    public void Offer(BucketId bucket, CommandOutcome outcome)
    {
        foreach (var scope in outcome.Watched)
        {
            var scopeEvent = new ScopeEvent(bucket, scope.Scope, scope.Previous, outcome.Result.Revision, In(scope.Scope, outcome.Changes), scope.Silos);
            var bytes = scopeEvent.CountBytes();
            if (bytes > BatchBytesMax)
            {
                scopeEvent = scopeEvent.WithoutChanges();
                bytes = scopeEvent.CountBytes();
            }

            Offer(WatchStreams.PublisherKey(bucket, scope.Scope), new Waiting(scopeEvent, bytes));
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
            while (waiting.TryPeek(out var next) && (batch.Count == 0 || bytes + next.Bytes <= BatchBytesMax))
            {
                bytes += next.Bytes;
                batch.Add(waiting.Dequeue().Event);
            }

            _events -= batch.Count;
            _bytes -= bytes;
            return batch;
        }
    }

    // Most scopes of a commit hold all of its changes: they share them.
    private static ImmutableArray<Change> In(Scope scope, ImmutableArray<Change> changes)
    {
        var inside = 0;
        foreach (var each in changes)
            inside += scope.Contains(each.Key) ? 1 : 0;
        return inside == changes.Length ? changes : [.. changes.Where(each => scope.Contains(each.Key))];
    }

    private void Offer(string publisherKey, Waiting added)
    {
        lock (_gate)
        {
            if (_events >= options.Value.PublishQueueEventsMax || _bytes + added.Bytes > options.Value.PublishQueueBytesMax)
            {
                CountDropped(1);
                return;
            }

            _events++;
            _bytes += added.Bytes;
            if (_scopes.TryGetValue(publisherKey, out var waiting))
            {
                waiting.Enqueue(added);
                return;
            }

            _scopes.Add(publisherKey, waiting = new Queue<Waiting>());
            waiting.Enqueue(added);
        }

        // One drain per scope at a time, from the first event until Take finds nothing; it handles its own failures.
        _ = DrainAsync(publisherKey);
    }

    /// <summary>So many events were taken and could not be published.</summary>
    public void Lost(int events)
    {
        lock (_gate)
        {
            _lost += events;
            CountDropped(events);
        }
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
            if (Drop(publisherKey) is var (failures, lost))
                LogDropped(logger, error, publisherKey, failures, lost);
        }
    }

    /// <summary>What has failed and was dropped since it was last told, when it is time to tell it again.</summary>
    private (int Failures, long Lost)? Drop(string publisherKey)
    {
        lock (_gate)
        {
            _failures++;
            if (_scopes.Remove(publisherKey, out var waiting))
            {
                _events -= waiting.Count;
                foreach (var each in waiting)
                    _bytes -= each.Bytes;
                CountDropped(waiting.Count);
                _lost += waiting.Count;
            }

            if (_toldAt is { } at && time.GetElapsedTime(at) < s_tellEvery)
                return null;
            var told = (_failures, _lost);
            (_toldAt, _failures, _lost) = (time.GetTimestamp(), 0, 0);
            return told;
        }
    }

    private void CountDropped(int events)
    {
        _dropped += events;
        metrics.Dropped(DropPlace.Publisher, events);
    }

    /// <summary>An event that waits, and how much room it takes.</summary>
    private readonly record struct Waiting(ScopeEvent Event, int Bytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Publishing to {Scope} failed; since this was last said it failed {Failures} times, and {Lost} more events were dropped. They will be read from history")]
    private static partial void LogDropped(ILogger logger, Exception error, string scope, int failures, long lost);
}
