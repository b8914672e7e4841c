using Watch.Core.Watching;

namespace Watch.Grains.Diagnostics;

/// <summary>What a silo's watches are and hold at one moment, added up for <see cref="WatchMetrics"/>.</summary>
/// <param name="Stats">What the table counts.</param>
/// <param name="Watchers">How many watches there are, by the kind of their target.</param>
/// <param name="Parked">How many of them have given up their queues and wait for their consumers.</param>
/// <param name="QueuedEvents">How many events wait for consumers.</param>
/// <param name="QueuedBytes">How many bytes wait for consumers.</param>
/// <param name="LagRevisions">By how many revisions the hindmost consumer is behind.</param>
internal sealed record WatchFigures(WatchStats Stats, IReadOnlyList<(TargetKind Kind, int Count)> Watchers, int Parked, long QueuedEvents, long QueuedBytes, long LagRevisions)
{
    /// <summary>Adds it up: a look at each watch, which happens once per collection and only where somebody collects.</summary>
    public static WatchFigures Of(WatchTable table)
    {
        var kinds = new SortedDictionary<TargetKind, int>();
        var (parked, events, bytes) = (0, 0L, 0L);
        foreach (var each in table.Subscriptions)
        {
            kinds[each.Target.Kind] = kinds.GetValueOrDefault(each.Target.Kind) + 1;
            parked += each.State == SubscriptionState.Parked ? 1 : 0;
            events += each.QueuedEvents;
            bytes += each.QueuedBytes;
        }

        return new WatchFigures(table.Stats, [.. kinds.Select(each => (each.Key, each.Value))], parked, events, bytes, table.FindLargestLag());
    }
}
