namespace Watch.Core.Watching;

// The present first, then what changes: pages of keys as they were at one revision, and live changes behind that revision.
//
//   I-N1  The registration is answered, at R, before the first page is asked for: whatever changes after R comes by itself.
//   I-N2  All pages of one snapshot are of one revision S, R or later; they are in key order, and no key comes twice.
//   I-N3  Synced(S) comes after all of them and moves the cursor to S; nothing at or before S is delivered after it.
//   I-N4  Where S cannot be read on, since it was compacted, another snapshot begins; what was gathered of S is void.
//   I-N5  A watch that began with a snapshot does not end when it meets a compaction: it reads another one, which says that it stands for
//         changes that are lost. What it means for each key is the business of who keeps the keys.
//
// Pages hold nothing back from compaction. A consumer that is slower than compaction therefore may begin again for ever; after some
// beginnings the watch ends, and says so.
public sealed partial class WatchTable
{
    private readonly Dictionary<SnapshotId, SnapshotReader> _snapshots = [];

    /// <summary>How often one snapshot begins anew before the watch ends with <see cref="EndReason.Compacted"/>.</summary>
    public const int SnapshotRestartsMax = 3;

    /// <summary>A page of keys.</summary>
    /// <param name="id">The question. An answer that nobody waits for any more is dropped.</param>
    /// <param name="piece">The page.</param>
    /// <param name="nowMs">The time.</param>
    public void Snapshotted(SnapshotId id, SnapshotPiece piece, long nowMs)
    {
        ArgumentNullException.ThrowIfNull(piece);
        if (Answered(id) is not { } reader)
            return;

        // From a replica that is behind, of another revision than the pages before, or no further than these: not what was asked for.
        if (piece.At < reader.AtLeast || !reader.GoesOn(piece) || (reader.At is { } at && piece.At != at && _rules.PinsSnapshots))
            Backoff([reader], nowMs);
        else
            TakeIn(reader, piece, nowMs);
        Serve();
    }

    /// <summary>A page could not be read, or did not come in time; it is asked for again after a while.</summary>
    public void SnapshotFailed(SnapshotId id, long nowMs)
    {
        if (Answered(id) is { } reader)
            Backoff([reader], nowMs);
        Serve();
    }

    /// <summary>The revision of the pages before cannot be read any more (I-N4).</summary>
    /// <param name="id">The question. An answer that nobody waits for any more is dropped.</param>
    /// <param name="firstAvailable">The earliest revision that can be read.</param>
    /// <param name="nowMs">The time.</param>
    public void SnapshotCompacted(SnapshotId id, Revision firstAvailable, long nowMs)
    {
        if (Answered(id) is { } reader)
        {
            var at = reader.At;
            reader.Restart(firstAvailable);
            if (reader.Restarts <= SnapshotRestartsMax)
                GoOn(reader, nowMs);
            else
                End(
                    reader.Subscription!,
                    EndReason.Compacted,
                    $"The watch of {reader.Subscription!.Target} began its snapshot {reader.Restarts} times, and each was compacted before it was read: the last at {at}, but keys can be read from {firstAvailable} on.",
                    firstAvailable: firstAvailable.Next);
        }

        Serve();
    }

    private SnapshotReader? Answered(SnapshotId id)
    {
        if (!_snapshots.Remove(id, out var reader))
        {
            EndAbandoned(id.Value);
            return null;
        }

        reader.InFlight = null;
        Line(reader).Ended();
        return reader;
    }

    /// <summary>Reads the keys as they are, at this revision or later; for a watch that had begun, in place of changes that it cannot have (I-N5).</summary>
    private void Snapshot(Subscription subscription, Revision atLeast, bool isResync, long nowMs)
    {
        if (subscription.State == SubscriptionState.Live)
            subscription.Feed.Park(subscription);
        if (subscription.State == SubscriptionState.Parked)
            subscription.Feed.Unpark(subscription);
        Forget(subscription.Reader);
        Forget(subscription.Snapshot);
        subscription.Reader = null;
        subscription.State = SubscriptionState.Snapshotting;
        subscription.Feed.KeepRecent(_options);
        subscription.Snapshot = new SnapshotReader(subscription, atLeast, isResync);
        GoOn(subscription.Snapshot, nowMs);
    }

    /// <summary>As far as the consumer's pace allows: what is here goes into the queue, then the next page is asked for.</summary>
    private void GoOn(SnapshotReader reader, long nowMs)
    {
        var subscription = reader.Subscription!;
        subscription.Feed.GoOn(subscription, _options);
        if (reader.Page is { } page)
        {
            if (!subscription.TryAdd(page))
            {
                // The consumer may have drained the queue since: then it will tell nobody, and there is room now.
                if (subscription.HasRoomOrWaits(page.Items.Count, page.Bytes))
                    GoOn(reader, nowMs);
                else
                    subscription.Feed.Rest(subscription);
                return;
            }

            _counters.EventsOut += page.Items.Count;
            reader.Page = null;
        }

        if (reader.IsDone || (!_rules.SyncsAfterLastPage && reader.At is not null))
            Synced(reader, nowMs);
        else if (subscription.HasRoomOrWaits(1, 1))
            Want(reader);
        else
            subscription.Feed.Rest(subscription);
    }

    private void TakeIn(SnapshotReader reader, SnapshotPiece piece, long nowMs)
    {
        var subscription = reader.Subscription!;
        reader.Failures = 0;
        if (reader.At is null)
        {
            reader.At = piece.At;
            subscription.Add(new WatchPart.SnapshotBegins(piece.At, reader.IsResync));
        }

        reader.Advance(piece);
        var form = subscription.Group.Form;
        var items = form.Filter.IsWholeScope ? piece.Items : [.. piece.Items.Where(item => form.Filter.Matches(item.Key))];
        if (items.Count > 0)
            reader.Page = new SharedPage(reader.At.Value, items, form);
        GoOn(reader, nowMs);
    }

    /// <summary>The snapshot is complete (I-N3): what changed behind it is replayed, as after any start.</summary>
    private void Synced(SnapshotReader reader, long nowMs)
    {
        var subscription = reader.Subscription!;
        subscription.Add(new WatchPart.Synced(reader.At!.Value));
        subscription.Snapshot = null;
        subscription.Cursor = reader.At;
        subscription.State = SubscriptionState.CatchingUp;
        CatchUp(subscription, nowMs);
    }
}
