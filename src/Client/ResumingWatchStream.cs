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
internal partial class ResumingWatchStream : IWatchStream
{
    private static readonly TimeSpan s_firstAsk = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_lastAsk = TimeSpan.FromSeconds(5);

    private readonly GrainWatchClient _client;
    private readonly bool _resume;

    // What a watch was asked is kept as what many have in common and what is its own: a process may have a million that are idle. For the
    // same reason all that most of them never need is made when it is needed.
    private readonly WatchRequest _terms;
    private readonly WatchTarget _target;
    private readonly string _incarnation;
    private readonly ulong _filterHash;
    private RareState? _rare;
    private IWatchFeed? _feed;
    private long _cursor;
    private int _end;
    private int _readers;
    private volatile bool _isSynced;
    private volatile bool _showsProgress;

    public ResumingWatchStream(GrainWatchClient client, WatchRequest request, IWatchFeed feed, bool resume)
    {
        _client = client;
        _feed = feed;
        _resume = resume;
        (_terms, _target) = (client.TermsOf(request), request.Target);
        var registration = feed.Registration;
        (Start, _incarnation, _filterHash) = (registration.Start, registration.Incarnation, registration.FilterHash);
        _isSynced = !request.Snapshot;
        if (request.Snapshot)
            Rare.Keeper = new SnapshotKeeper(tellsDeletes: !request.Filter.HasFlag(EventFilter.NoDeletes));
        _showsProgress = request.ProgressInterval is not null || request.StaleAfter is not null;
        Cursor = Start;
    }

    /// <summary>Whose watch it is.</summary>
    private protected GrainWatchClient Client => _client;

    public Revision Start { get; }

    public Revision Cursor
    {
        get => new(Volatile.Read(ref _cursor));
        // With a barrier: whoever begins to wait for a revision looks here after that.
        private set => Interlocked.Exchange(ref _cursor, value.Value);
    }

    public Task<WatchEndReason> Completion
    {
        get
        {
            var completion = Made(ref Rare.Completion, static () => new TaskCompletionSource<WatchEndReason>(TaskCreationOptions.RunContinuationsAsynchronously));
            if (HasEnded)
                completion.TrySetResult((WatchEndReason)_end);
            return completion.Task;
        }
    }

    public IAsyncEnumerable<WatchEvent> DetachReader() => new Detached(this);

    public IAsyncEnumerator<WatchEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default) =>
        new Reader(this, ReadEventsAsync(cancellationToken).GetAsyncEnumerator(cancellationToken));

    public async IAsyncEnumerable<WatchBatch> ReadBatchesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var batch in ReadAsync(cancellationToken))
        {
            Take(batch);
            yield return batch;
        }
    }

    public WatchCursor GetCursor() => _isSynced
        ? new WatchCursor(Request.Incarnation, Request.Bucket, Cursor, Request.FilterHash)
        : throw new WatchException(WatchErrorCode.InvalidCursor, "The watch has no cursor before its snapshot is complete.");

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
        var waiting = Waits().WaitAsync(revision, reached.Token);
        try
        {
            if (await Task.WhenAny(waiting, asking) == asking && !cancellationToken.IsCancellationRequested)
                await asking;
            await waiting;
        }
        catch (OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw;
        }
        finally
        {
            // However it ended: neither asks or waits any longer, and a source that is only disposed of would let both go on for ever.
            reached.Cancel();
            await GivenUp.Quietly(asking);
            await GivenUp.Quietly(waiting);
        }
    }

    public async ValueTask DisposeAsync()
    {
        End(WatchEndReason.Disposed);
        await ReleaseAsync();
    }

    private async IAsyncEnumerable<WatchEvent> ReadEventsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var batch in ReadAsync(cancellationToken))
        {
            for (var at = 0; at < batch.Events.Length; at++)
            {
                if (!Shows(batch, at))
                    continue;
                var each = batch.Events[at];
                if (Keeper is not { } keeper)
                    yield return each;
                else
                    foreach (var told in keeper.Tell(each))
                        yield return told;
                // Nothing more is handed on to one who left meanwhile, nor does the cursor move over it.
                if (_isStopped)
                    break;
            }

            if (_isStopped)
                continue;

            MoveTo(batch.Revision);
        }
    }

    /// <summary>A reader of events is about to be handed one of a batch: false where it is not told of that. When all of them are handed over, the cursor moves on to the batch's own.</summary>
    private protected bool Shows(WatchBatch batch, int at)
    {
        var each = batch.Events[at];
        if (each.Type == WatchEventType.Progress && !_showsProgress)
            return false;
        Note(each);
        if (MovesCursor(each))
        {
            var isLastOfRevision = at + 1 == batch.Events.Length || batch.Events[at + 1].Revision != each.Revision;
            MoveTo(isLastOfRevision ? each.Revision : each.Revision.Previous);
        }

        return true;
    }

    /// <summary>What makes snapshots into differences for a reader of events; null where it began without one.</summary>
    private protected SnapshotKeeper? Keeper => _rare?.Keeper;

    // What a snapshot shows lies at or below its revision, and the cursor is not there before all of it is.
    private static bool MovesCursor(WatchEvent each) => each.IsChange && each.Cause != WatchEventCause.Snapshot;

    /// <summary>What there is to hand on, batch by batch, until the last event or until the reader leaves.</summary>
    private async IAsyncEnumerable<WatchBatch> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var ready = new ReadySignal();
        BeginReading(ready);
        await using var canceled = cancellationToken.UnsafeRegister(static stream => ((ResumingWatchStream)stream!).Stop(), this);
        try
        {
            for (var step = TryStep(out var batch); step != ReaderStep.Leave; step = TryStep(out batch))
            {
                if (step == ReaderStep.Rest)
                    await WokenAsync(ready);
                if (step == ReaderStep.Reopen)
                    batch = await GoOnElsewhereAsync();
                if (batch is null)
                    continue;
                var end = EndOf(batch);
                // Before it is handed on: a reader that stops at the last event has been told how the watch ended.
                if (end != WatchEndReason.None)
                    End(end);
                yield return batch;
                if (end != WatchEndReason.None)
                    yield break;
            }
        }
        finally
        {
            await DisposeAsync();
        }

        cancellationToken.ThrowIfCancellationRequested();
    }

    // Without the token: it stops the watch, which wakes, too.
    private static ValueTask WokenAsync(ReadySignal ready) => ready.WaitAsync();

    private protected void MoveTo(Revision revision)
    {
        if (!_isSynced)
            return;
        Cursor = Revision.Max(Cursor, revision);                            // S3
        Volatile.Read(ref _rare)?.Waits?.Reached(Cursor);
    }

    /// <summary>A snapshot begins, or is complete.</summary>
    private void Note(WatchEvent each)
    {
        if (each.Type == WatchEventType.SnapshotBegins)
            _isSynced = false;
        if (each.Type == WatchEventType.TargetsChanged)
            NoteTarget(each);
        if (each.Type != WatchEventType.Synced)
            return;
        _isSynced = true;
        MoveTo(each.Revision);
    }

    /// <summary>The watch is over; the first reason counts.</summary>
    private protected void End(WatchEndReason reason)
    {
        if (Interlocked.CompareExchange(ref _end, (int)reason, (int)WatchEndReason.None) != (int)WatchEndReason.None)
            return;
        Volatile.Read(ref _rare)?.Completion?.TrySetResult(reason);
        Volatile.Read(ref _rare)?.Waits?.End(Over());
    }

    private bool HasEnded => Volatile.Read(ref _end) != (int)WatchEndReason.None;

    private WatchException Over() => new(WatchErrorCode.Unavailable, $"The watch of {Target} ended ({(WatchEndReason)_end}) at revision {Cursor}.");

    // Made when somebody waits first, who is then told what happened before.
    private RevisionWaits Waits()
    {
        var waits = Made(ref Rare.Waits);
        waits.Reached(Cursor);
        if (HasEnded)
            waits.End(Over());
        return waits;
    }

    private IWatchFeed Feed() => _feed ?? throw new WatchException(WatchErrorCode.Unavailable, HasEnded ? "The watch has ended." : "The way to the watch's server is lost just now.");

    private RareState Rare => Made(ref _rare);

    private static T Made<T>(ref T? place)
        where T : class, new() => Made(ref place, static () => new T());

    private static T Made<T>(ref T? place, Func<T> make)
        where T : class => Volatile.Read(ref place) is { } there ? there : Interlocked.CompareExchange(ref place, make(), null) ?? place!;

    private static TimeSpan Longer(TimeSpan pause) => pause * 2 < s_lastAsk ? pause * 2 : s_lastAsk;

    /// <summary>Asks how far the watch is, at first often, until it is told to stop.</summary>
    private async Task KeepAskingAsync(CancellationToken enough)
    {
        for (var pause = s_firstAsk; ; pause = Longer(pause))
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

    /// <summary>What most watches never have, for lack of anybody who asks for it or anything that goes wrong.</summary>
    private sealed class RareState
    {
        public SnapshotKeeper? Keeper;
        public WatchRequest? Request;
        public RevisionWaits? Waits;
        public TargetChanges? Changes;
        public Backoff? Pauses;
        public SilenceClock? Silence;
        public OpeningElsewhere? Opening;
        public CancellationTokenSource? Reopening;
        public TaskCompletionSource<WatchEndReason>? Completion;
    }

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
