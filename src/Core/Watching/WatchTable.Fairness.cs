namespace Watch.Core.Watching;

// Whose turn it is to ask: repairs of scopes first, since everybody live waits for them, and then whoever is behind, one page each.
public sealed partial class WatchTable
{
    private readonly CatchUpQueue _repairs;
    private readonly CatchUpQueue _catchUps;
    // Questions under way whose answers nobody waits for: they hold their places until they end, for they cost what the others cost (I-F3).
    private readonly Dictionary<long, CatchUpQueue> _abandoned = [];

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
            if (next is SnapshotReader snapshot)
                Ask(snapshot, Math.Min(events, _options.FetchEventsMax), Math.Min(bytes, _options.SnapshotBytesMax));
            else
                Ask((HistoryReader)next, events, bytes);
        }
    }

    // Of what a subscription reads it may deliver little, and show less. So as long as all that came was taken, the next page is twice as
    // many times its room; one that has a small queue would come no further than one change of its scope at a time else.
    private void Ask(HistoryReader reader, int roomEvents, long roomBytes)
    {
        var (subscription, pages) = (reader.Subscription!, 1L << Math.Min(reader.TakenWhole, 20));
        var events = (int)Math.Min(roomEvents * pages, _options.FetchEventsMax);
        var bytes = roomBytes >= _options.FetchBytesMax ? _options.FetchBytesMax : Math.Min(roomBytes * pages, _options.FetchBytesMax);
        Ask(reader, subscription.Cursor!.Value, subscription.Feed.LastChange, events, bytes);
    }

    /// <summary>Whether a queue has to take all that is read for this subscription, and as large as it is read.</summary>
    private static bool TakesAllThatIsRead(Subscription subscription) =>
        subscription.Group.Form is { TakesAll: true } form && form.Filter.Scope == subscription.Feed.Scope && !form.Events.HasFlag(EventFilter.KeysOnly);

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
            subscription.Terms.Bucket, subscription.Feed.Scope, id, reader.Range, reader.After, reader.AtLeast, pinned, keysMax, bytesMax, keysOnly, reader.Failures));
    }

    /// <summary>Nobody waits for what it reads any more.</summary>
    private void Forget(Reading? reading)
    {
        if (reading is null)
            return;
        DueList.CallOff(reading);
        Line(reading).Leave(reading);
        if (reading is HistoryReader { InFlight: { } fetch } && _reads.Remove(fetch))
            _abandoned.Add(fetch.Value, Line(reading));
        else if (reading is SnapshotReader { InFlight: { } page } && _snapshots.Remove(page))
            _abandoned.Add(page.Value, Line(reading));
    }

    /// <summary>A question has ended that had been abandoned, or one that was answered before.</summary>
    private void EndAbandoned(long number)
    {
        if (!_abandoned.Remove(number, out var line))
            return;
        line.Ended();
        Serve();
    }
}
