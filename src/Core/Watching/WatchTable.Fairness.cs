namespace Watch.Core.Watching;

// Whose turn it is to ask: repairs of scopes first, since everybody live waits for them, and then whoever is behind, one page each.
public sealed partial class WatchTable
{
    private readonly CatchUpQueue _repairs;
    private readonly CatchUpQueue _catchUps;
    // Questions under way whose answers nobody waits for: they hold their places until they end, for they cost what the others cost (I-F3).
    private readonly Dictionary<long, CatchUpQueue> _abandoned = [];
    private bool _isAnswering;

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
        if (_isAnswering)
            return;
        while (_repairs.TakeNext() is [HistoryReader repair])
        {
            // Messages may have closed the gap while it stood in line.
            if (repair.Feed.HasGap)
                Ask([repair], repair.Feed.Cursor, repair.Feed.Wanted, _options.FetchEventsMax, _options.FetchBytesMax);
            else
                _repairs.Ended();
        }

        while (_catchUps.TakeNext() is { } next)
            if (next is [SnapshotReader snapshot])
            {
                // What it may be given has become no less while it stood in line: nobody else fills its queue.
                var (keys, bytes) = snapshot.Subscription!.Room();
                Ask(snapshot, Math.Min(keys, _options.FetchEventsMax), Math.Min(bytes, _options.SnapshotBytesMax));
            }
            else
                Ask([.. next.Cast<HistoryReader>()]);
    }

    /// <summary>
    /// So many events are given out in one step at most, of a page times those who asked for it together: some milliseconds, in which nobody
    /// of the silo is told anything. Few of many are asked for all the same.
    /// </summary>
    internal const int TogetherEventsMax = 16_384, PageOfManyMin = 256;

    // Who has room for most decides how much is asked for: the others take what they can of it.
    private void Ask(List<HistoryReader> readers)
    {
        var (events, bytes) = (0, 0L);
        foreach (var reader in readers)
        {
            var (its, itsBytes) = PageOf(reader);
            (events, bytes) = (Math.Max(events, its), Math.Max(bytes, itsBytes));
        }

        events = Math.Min(events, Math.Max(PageOfManyMin, TogetherEventsMax / readers.Count));
        Ask(readers, readers[0].Subscription!.Cursor!.Value, readers[0].Feed.LastChange, events, bytes);
    }

    // Of what a subscription reads it may deliver little, and show less. So as long as all that came was taken, the next page is twice as
    // many times its room; one that has a small queue would come no further than one change of its scope at a time else.
    private (int Events, long Bytes) PageOf(HistoryReader reader)
    {
        var (roomEvents, roomBytes) = reader.Subscription!.Room();
        var pages = 1L << Math.Min(reader.TakenWhole, 20);
        var events = (int)Math.Min(roomEvents * pages, _options.FetchEventsMax);
        var bytes = roomBytes >= _options.FetchBytesMax ? _options.FetchBytesMax : Math.Min(roomBytes * pages, _options.FetchBytesMax);
        return (events, bytes);
    }

    /// <summary>Whether a queue has to take all that is read for this subscription, and as large as it is read.</summary>
    private static bool TakesAllThatIsRead(Subscription subscription) =>
        subscription.Group.Form is { TakesAll: true } form && form.Filter.Scope == subscription.Feed.Scope && !form.Events.HasFlag(EventFilter.KeysOnly);

    private void Ask(List<HistoryReader> readers, Revision after, Revision upTo, int eventsMax, long bytesMax)
    {
        var (id, first) = (new FetchId(++_lastFetch), readers[0]);
        _reads.Add(id, readers);
        var skip = first.Begin(id, after);
        var (needsPrevious, failures) = (false, 0);
        foreach (var reader in readers)
        {
            Invariant.That(reader.Subscription is null || reader.Subscription.Cursor == after, "I-F4: those who read together go on behind the same revision.");
            reader.Begin(first);
            needsPrevious |= reader.Subscription?.Group.Form.NeedsPreviousValues ?? true;
            failures = Math.Max(failures, reader.Failures);
        }

        _effects.Add(new WatchEffect.Fetch(
            first.Feed.Bucket, first.Feed.Scope, id, after, upTo, skip, eventsMax, bytesMax, needsPrevious, IsRepair: first.Subscription is null, failures));
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
        if (reading is HistoryReader { InFlight: { } fetch } reader && _reads.TryGetValue(fetch, out var readers) && readers.Remove(reader) && readers.Count == 0)
        {
            _reads.Remove(fetch);
            _abandoned.Add(fetch.Value, Line(reading));
        }
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
