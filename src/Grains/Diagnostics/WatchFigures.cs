using Watch.Core.Watching;

namespace Watch.Grains.Diagnostics;

/// <summary>What a silo's watches are and hold at about one moment, added up for <see cref="WatchMetrics"/>.</summary>
/// <param name="Stats">What the table counts.</param>
/// <param name="Watchers">How many watches there are, by the kind of their target.</param>
/// <param name="Parked">How many of them have given up their queues and wait for their consumers.</param>
/// <param name="QueuedEvents">How many events wait for consumers.</param>
/// <param name="QueuedBytes">How many bytes wait for consumers.</param>
/// <param name="LagRevisions">By how many revisions the hindmost consumer is behind.</param>
internal sealed record WatchFigures(WatchStats Stats, IReadOnlyList<(TargetKind Kind, int Count)> Watchers, int Parked, long QueuedEvents, long QueuedBytes, long LagRevisions);

/// <summary>
/// Adds figures up, a slice of the watches at a time: where there are a hundred thousand, a look at all of them at once would keep events
/// waiting for longer than they take on their whole way. So the sums are not of one moment; what only ever grows is counted by the table.
/// </summary>
/// <remarks>Each call under whatever serializes the table's.</remarks>
internal sealed class FiguresSum
{
    /// <summary>How many watches are looked at in one go.</summary>
    public const int Slice = 1_024;

    private readonly SortedDictionary<TargetKind, int> _kinds = [];
    private int _parked;
    private long _events;
    private long _bytes;
    private long _lag;

    /// <summary>Adds some watches; those that have ended meanwhile count nowhere.</summary>
    public void Add(ReadOnlySpan<Subscription> subscriptions)
    {
        foreach (var each in subscriptions)
        {
            if (each.State == SubscriptionState.Ended)
                continue;
            _kinds[each.Target.Kind] = _kinds.GetValueOrDefault(each.Target.Kind) + 1;
            _parked += each.State == SubscriptionState.Parked ? 1 : 0;
            _events += each.QueuedEvents;
            _bytes += each.QueuedBytes;
            _lag = Math.Max(_lag, WatchTable.LagOf(each));
        }
    }

    /// <summary>The sums, with what the table counts.</summary>
    public WatchFigures With(WatchStats stats) => new(stats, [.. _kinds.Select(each => (each.Key, each.Value))], _parked, _events, _bytes, _lag);
}
