namespace Watch.Core.Watching;

// Whose turn it is to ask: repairs of scopes first, since everybody live waits for them, and then whoever is behind, one page each.
public sealed partial class WatchTable
{
    private readonly CatchUpQueue _repairs;
    private readonly CatchUpQueue _catchUps;

    /// <summary>Stands in line for a page, and is served at once where there is room (I-F1).</summary>
    private void Want(Reading reading)
    {
        Invariant.That(reading is not HistoryReader { InFlight: not null } and not SnapshotReader { InFlight: not null }, "T6: one question to history at a time.");
        DueList.CallOff(reading);
        Line(reading).Join(reading);
        Serve();
    }

    private CatchUpQueue Line(Reading reading) => reading.Subscription is null ? _repairs : _catchUps;

    private void Serve()
    {
        while (_repairs.TakeNext() is HistoryReader repair)
        {
            // Messages may have closed the gap while it stood in line.
            if (repair.Feed.HasGap)
                Ask(repair, repair.Feed.Cursor, repair.Feed.Wanted, _options.FetchEventsMax, _options.FetchBytesMax);
            else
                _repairs.Ended();
        }

        while (_catchUps.TakeNext() is { } next)
        {
            // What it may be given has become no less while it stood in line: nobody else fills its queue.
            var (events, bytes) = next.Subscription!.Room();
            events = Math.Min(events, _options.FetchEventsMax);
            if (next is SnapshotReader snapshot)
                Ask(snapshot, events, Math.Min(bytes, _options.SnapshotBytesMax));
            else
                Ask((HistoryReader)next, next.Subscription.Cursor!.Value, next.Subscription.Feed.LastChange, events, Math.Min(bytes, _options.FetchBytesMax));
        }
    }

    private void Ask(HistoryReader reader, Revision after, Revision upTo, int eventsMax, long bytesMax)
    {
        var id = new FetchId(++_lastFetch);
        _reads.Add(id, reader);
        var skip = reader.Begin(id, after);
        var needsPrevious = reader.Subscription?.Group.Form.NeedsPreviousValues ?? true;
        _effects.Add(new WatchEffect.Fetch(
            reader.Feed.Bucket, reader.Feed.Scope, id, after, upTo, skip, eventsMax, bytesMax, needsPrevious, IsRepair: reader.Subscription is null, reader.Failures));
    }

    private void Ask(SnapshotReader reader, int keysMax, long bytesMax)
    {
        var id = new SnapshotId(++_lastFetch);
        _snapshots.Add(id, reader);
        reader.InFlight = id;
        var subscription = reader.Subscription!;
        var keysOnly = subscription.Group.Form.Events.HasFlag(EventFilter.KeysOnly);
        var pinned = _rules.PinsSnapshots ? reader.At : null;
        _effects.Add(new WatchEffect.ReadSnapshot(
            subscription.Spec.Bucket, subscription.Feed.Scope, id, reader.Range, reader.After, reader.AtLeast, pinned, keysMax, bytesMax, keysOnly, reader.Failures));
    }

    /// <summary>Nobody waits for what it reads any more.</summary>
    private void Forget(Reading? reading)
    {
        if (reading is null)
            return;
        DueList.CallOff(reading);
        Line(reading).Leave(reading);
        if ((reading is HistoryReader { InFlight: { } fetch } && _reads.Remove(fetch)) || (reading is SnapshotReader { InFlight: { } page } && _snapshots.Remove(page)))
        {
            Line(reading).Ended();
            Serve();
        }
    }
}
