using System.Runtime.CompilerServices;
using Watch.Core;

namespace Watch.Client;

/// <summary>
/// A watch as its reader sees it: one sequence, whatever happens to silos and connections underneath.
/// </summary>
/// <remarks>
/// The reader's cursor is the truth. A feed (one attempt) is read until it ends. Was it lost, or did its silo stop, the stream pauses,
/// opens another from the revision after the cursor, anywhere, and goes on. Rules:
/// S1: of a batch only what lies behind the cursor is handed on: nothing arrives twice.
/// S2: a batch whose Previous lies above the cursor proves a loss on the way: the feed is given up and the stream resumes at its cursor.
/// S3: the cursor moves only over what was handed to the reader: revision by revision for one who reads events, since a reader that
///     stops between two events of a batch has to find the second one behind its cursor.
/// S5: while a snapshot is not complete the cursor stays, and a watch that is lost then begins it anew; so does one that began with a
///     snapshot and finds what it would need next compacted. To a reader of events the later snapshot is told as the difference.
/// S4: an end that the watch's owner has to know (slow, compacted, bucket deleted, ...) is handed on and is the last event.
/// </remarks>
internal sealed class ResumingWatchStream : IWatchStream
{
    private static readonly TimeSpan s_firstAsk = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_lastAsk = TimeSpan.FromSeconds(5);

    private readonly GrainWatchClient _client;
    private readonly RevisionWaits _waits = new();
    private readonly TargetChanges _changes = new();
    private readonly SnapshotKeeper? _keeper;
    private WatchRequest _request;
    private readonly Backoff _backoff;
    private readonly bool _resume;
    private readonly CancellationTokenSource _disposed = new();
    private readonly TaskCompletionSource<WatchEndReason> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IWatchFeed? _feed;
    private long _cursor;
    private int _readers;
    private volatile bool _isSynced;
    private volatile bool _showsProgress;

    public ResumingWatchStream(GrainWatchClient client, WatchRequest request, IWatchFeed feed, Backoff backoff, bool resume)
    {
        _client = client;
        _feed = feed;
        _backoff = backoff;
        _resume = resume;
        _request = request with { Incarnation = feed.Registration.Incarnation, FilterHash = feed.Registration.FilterHash };
        _isSynced = !request.Snapshot;
        _keeper = request.Snapshot ? new SnapshotKeeper() : null;
        _showsProgress = request.ProgressInterval is not null || request.StaleAfter is not null;
        Start = feed.Registration.Start;
        Cursor = Start;
    }

    public Revision Start { get; }

    public Revision Cursor
    {
        get => new(Volatile.Read(ref _cursor));
        private set => Volatile.Write(ref _cursor, value.Value);
    }

    public Task<WatchEndReason> Completion => _completion.Task;

    public IAsyncEnumerable<WatchEvent> DetachReader() => new Detached(this);

    public IAsyncEnumerator<WatchEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default) =>
        new Reader(this, ReadEventsAsync(cancellationToken).GetAsyncEnumerator(cancellationToken));

    public async IAsyncEnumerable<WatchBatch> ReadBatchesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var batch in ReadAsync(cancellationToken))
        {
            var wasSynced = _isSynced;
            foreach (var each in batch.Events)
                Note(each);
            // Where a snapshot begins behind changes, its batch has moved over them.
            if (wasSynced && !_isSynced)
                Cursor = Revision.Max(Cursor, batch.Revision);
            MoveTo(batch.Revision);
            yield return batch;
        }
    }

    public WatchTarget Target => _changes.Last?.Target ?? Request.Target;

    public WatchCursor GetCursor() => _isSynced
        ? new WatchCursor(Request.Incarnation, Request.Bucket, Cursor, Request.FilterHash)
        : throw new WatchException(WatchErrorCode.InvalidCursor, "The watch has no cursor before its snapshot is complete.");

    public async Task<Revision> ChangeTargetAsync(WatchTarget target, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        var version = _changes.NextVersion();
        var feed = Feed();
        // Before it is told: its reader may meet it before the answer is here.
        _changes.Tell(version, target);
        try
        {
            var reply = await feed.RetargetAsync(target, version, cancellationToken);
            _changes.Taken(version, reply.FilterHash);
            return reply.From;
        }
        catch (WatchException error) when (TransportErrors.IsFinal(error))
        {
            _changes.Refused(version);
            throw;
        }
    }

    public async Task ChangePolicyAsync(SlowPolicy policy, int? queueEventsMax = null, long? queueBytesMax = null, CancellationToken cancellationToken = default)
    {
        await Feed().SetPolicyAsync(policy, queueEventsMax, queueBytesMax, cancellationToken);
        // Wherever the watch is resumed, it goes on so.
        Request = Request with
        {
            WhenSlow = policy,
            QueueEventsMax = queueEventsMax ?? Request.QueueEventsMax,
            QueueBytesMax = queueBytesMax ?? Request.QueueBytesMax,
        };
    }

    public Task AskProgressAsync(CancellationToken cancellationToken = default)
    {
        _showsProgress = true;
        return Feed().AskProgressAsync(cancellationToken);
    }

    public async Task WaitForAsync(Revision revision, CancellationToken cancellationToken = default)
    {
        if (revision <= Cursor)
            return;
        using var reached = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // It asks, and asks again, until the wait is over.
        var asking = KeepAskingAsync(reached.Token);
        var waiting = _waits.WaitAsync(revision, cancellationToken);
        if (await Task.WhenAny(waiting, asking) == asking && !cancellationToken.IsCancellationRequested)
            await asking;
        await waiting;
        reached.Cancel();
        await asking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    public async ValueTask DisposeAsync()
    {
        End(WatchEndReason.Disposed);
        _disposed.Cancel();
        if (Interlocked.Exchange(ref _feed, null) is { } feed)
            await feed.DisposeAsync();
    }

    private async IAsyncEnumerable<WatchEvent> ReadEventsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var batch in ReadAsync(cancellationToken))
        {
            for (var at = 0; at < batch.Events.Length; at++)
            {
                var each = batch.Events[at];
                if (each.Type == WatchEventType.Progress && !_showsProgress)
                    continue;
                Note(each);
                if (MovesCursor(each))
                {
                    var isLastOfRevision = at + 1 == batch.Events.Length || batch.Events[at + 1].Revision != each.Revision;
                    MoveTo(isLastOfRevision ? each.Revision : each.Revision.Previous);
                }

                if (_keeper is null)
                    yield return each;
                else
                    foreach (var told in _keeper.Tell(each))
                        yield return told;
            }

            MoveTo(batch.Revision);
        }
    }

    // What a snapshot shows lies at or below its revision, and the cursor is not there before all of it is.
    private static bool MovesCursor(WatchEvent each) => each.IsChange && each.Cause != WatchEventCause.Snapshot;

    /// <summary>What there is to hand on, batch by batch, until the last event or until the reader leaves.</summary>
    private async IAsyncEnumerable<WatchBatch> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _readers, 1) != 0)
            throw new InvalidOperationException("A watch has one reader, which reads it once; start another watch for another reader.");

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposed.Token);
        try
        {
            while (await NextAsync(stop.Token) is { } batch)
            {
                var end = EndOf(batch);
                yield return batch;
                if (end == WatchEndReason.None)
                    continue;
                End(end);
                yield break;
            }
        }
        finally
        {
            await DisposeAsync();
        }

        cancellationToken.ThrowIfCancellationRequested();
    }

    private void MoveTo(Revision revision)
    {
        if (!_isSynced)
            return;
        Cursor = Revision.Max(Cursor, revision);                            // S3
        _waits.Reached(Cursor);
    }

    /// <summary>A snapshot begins, or is complete.</summary>
    private void Note(WatchEvent each)
    {
        if (each.Type == WatchEventType.SnapshotBegins)
            _isSynced = false;
        if (each.Type == WatchEventType.TargetsChanged && _changes.Met(each.Count) is { } met)
            Request = Request with { Target = met.Target, TargetVersion = each.Count, FilterHash = met.FilterHash };
        if (each.Type != WatchEventType.Synced)
            return;
        _isSynced = true;
        MoveTo(each.Revision);
    }

    private void End(WatchEndReason reason)
    {
        _completion.TrySetResult(reason);
        _waits.End(new WatchException(WatchErrorCode.Unavailable, $"The watch of {Target} ended ({reason}) at revision {Cursor}."));
    }

    private WatchRequest Request
    {
        get => Volatile.Read(ref _request);
        set => Volatile.Write(ref _request, value);
    }

    private IWatchFeed Feed() => _feed ?? throw new WatchException(WatchErrorCode.Unavailable, _completion.Task.IsCompleted ? "The watch has ended." : "The way to the watch's server is lost just now.");

    /// <summary>Asks how far the watch is, at first often, until it is told to stop.</summary>
    private async Task KeepAskingAsync(CancellationToken enough)
    {
        for (var pause = s_firstAsk; ; pause = pause * 2 < s_lastAsk ? pause * 2 : s_lastAsk)
        {
            try
            {
                if (_feed is { } feed)
                    await feed.AskProgressAsync(enough);
            }
            catch (WatchException lost) when (lost.Code == WatchErrorCode.Unavailable)
            {
                // The watch is resuming, or has ended, which the waiter is told.
            }

            await _client.DelayAsync(pause, enough);
        }
    }

    /// <summary>The next batch to hand on; null when the reader ended the watch.</summary>
    private async ValueTask<WatchBatch?> NextAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var batch = await TakeAsync(cancellationToken);
            if (cancellationToken.IsCancellationRequested)
                return null;

            if (batch is null || (batch.Previous > Cursor && _isSynced))                    // lost, or S2
                batch = await ReopenAsync(cancellationToken);
            else if (EndOf(batch) is var end && end != WatchEndReason.None)
                batch = MayGoOn(end) ? await ReopenAsync(cancellationToken) : batch;        // S4
            else if (_isSynced)
                batch = batch.Behind(Cursor);                                               // S1
            else
                batch = batch.Within(Cursor);                                               // S5

            if (batch is not null)
                return batch;
        }

        return null;
    }

    private async ValueTask<WatchBatch?> TakeAsync(CancellationToken cancellationToken)
    {
        if (_feed is not { } feed)
            return null;
        try
        {
            return await feed.NextAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception error) when (TransportErrors.IsLost(error, cancellationToken))
        {
            return null;
        }
    }

    /// <summary>Opens another feed at the cursor, however long that takes; answers with a last batch where that cannot be.</summary>
    private async ValueTask<WatchBatch?> ReopenAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _feed, null) is { } lost)
            await lost.DisposeAsync();
        if (!_resume)
            return Ended(WatchEndReason.ClientLost, "The way to the server was lost, and the watch was asked not to resume.");

        var wasRefused = false;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await (wasRefused ? _backoff.PauseAsync(cancellationToken) : _client.PauseAsync(_backoff, cancellationToken));
                var feed = _feed = await _client.OpenAsync(NextRequest(), cancellationToken);
                if (_changes.Last is { } change)
                    _changes.Taken(change.Version, (await feed.RetargetAsync(change.Target, change.Version, cancellationToken)).FilterHash);
                _backoff.Reset();
                return null;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return null;
            }
            catch (WatchException error) when (error.Code == WatchErrorCode.ShuttingDown && !_client.OutlivesServer)
            {
                return Ended(WatchEndReason.ServerStopping, error.Message);
            }
            catch (WatchException error) when (TransportErrors.IsFinal(error))
            {
                if (error.Code == WatchErrorCode.Compacted && MayGoOn(WatchEndReason.Compacted))
                    continue;
                return Ended(TransportErrors.ReasonOf(error), error.Message, error.FirstAvailable);
            }
            catch (Exception error) when (TransportErrors.IsLost(error, cancellationToken) || error is WatchException)
            {
                // The next attempt comes after a longer pause: one of its own where the server was reached and refused just this watch.
                wasRefused = error is WatchException { Code: not (WatchErrorCode.Unavailable or WatchErrorCode.ShuttingDown) };
            }
        }

        return null;
    }

    private WatchBatch Ended(WatchEndReason reason, string message, Revision firstAvailable = default) =>
        Ended(Cursor, reason, message, firstAvailable);

    /// <summary>The last batch of a watch that no silo can end any more.</summary>
    internal static WatchBatch Ended(Revision cursor, WatchEndReason reason, string message, Revision firstAvailable) =>
        new(0, cursor, cursor, [new WatchEvent { Type = WatchEventType.Canceled, Revision = cursor, Reason = reason, Message = message, FirstAvailable = firstAvailable }]);

    private static WatchEndReason EndOf(WatchBatch batch) =>
        batch.Events is [.., { Type: WatchEventType.Canceled, Reason: var reason }] ? reason : WatchEndReason.None;

    /// <summary>Whether the watch can go on elsewhere after this end.</summary>
    private bool MayGoOn(WatchEndReason reason)
    {
        if (!_resume)
            return false;
        if (reason == WatchEndReason.Compacted && Request.Snapshot && _isSynced)
        {
            _isSynced = false;                                              // S5
            return true;
        }

        return reason == WatchEndReason.ClientLost || (reason == WatchEndReason.ServerStopping && _client.OutlivesServer);
    }

    private WatchRequest NextRequest() => _isSynced
        ? Request with { StartAt = Cursor.Next, Snapshot = false }
        : Request with { StartAt = null };

    /// <summary>The stream as nothing but its sequence.</summary>
    private sealed class Detached(ResumingWatchStream stream) : IAsyncEnumerable<WatchEvent>
    {
        public IAsyncEnumerator<WatchEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default) => stream.GetAsyncEnumerator(cancellationToken);
    }

    /// <summary>A reader that ends the watch even if it is disposed of unread, in which case a generated sequence does nothing.</summary>
    private sealed class Reader(ResumingWatchStream stream, IAsyncEnumerator<WatchEvent> events) : IAsyncEnumerator<WatchEvent>
    {
        public WatchEvent Current => events.Current;

        public ValueTask<bool> MoveNextAsync() => events.MoveNextAsync();

        public async ValueTask DisposeAsync()
        {
            await events.DisposeAsync();
            if (Interlocked.Exchange(ref stream._readers, 1) == 0)
                await stream.DisposeAsync();
        }
    }
}
