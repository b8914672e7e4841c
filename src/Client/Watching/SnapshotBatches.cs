using System.Collections.Immutable;
using Watch.Core;

namespace Watch.Client;

/// <summary>The batches of a snapshot that is not complete, as a chain for the reader.</summary>
internal static class SnapshotBatches
{
    /// <summary>
    /// The batch as a reader meets it whose cursor stays until the snapshot is complete: it continues where the last one ended, even if it
    /// is of another registration, which began the snapshot anew at a later revision. A change of targets takes effect at the reader's
    /// cursor then: what lies between is told by the snapshot, which is of the new targets.
    /// </summary>
    /// <param name="batch">The batch.</param>
    /// <param name="cursor">The reader's cursor.</param>
    public static WatchBatch Within(this WatchBatch batch, Revision cursor)
    {
        var synced = IndexOfSynced(batch.Events);
        var after = synced >= 0 ? batch.Revision : cursor;
        if (batch.Previous == cursor && batch.Revision == after)
            return batch;
        return batch with { Previous = cursor, Revision = after, Events = RetargetedAt(batch.Events, cursor, synced < 0 ? batch.Events.Length : synced) };
    }

    private static ImmutableArray<WatchEvent> RetargetedAt(ImmutableArray<WatchEvent> events, Revision cursor, int end)
    {
        for (var at = 0; at < end; at++)
        {
            if (events[at].Type == WatchEventType.TargetsChanged && events[at].Revision > cursor)
                events = events.SetItem(at, events[at] with { Revision = cursor });
        }

        return events;
    }

    private static int IndexOfSynced(ImmutableArray<WatchEvent> events)
    {
        for (var at = 0; at < events.Length; at++)
        {
            if (events[at].Type == WatchEventType.Synced)
                return at;
        }

        return -1;
    }
}
