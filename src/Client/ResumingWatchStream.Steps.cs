using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Client;

/// <summary>What there is for a reader to do next.</summary>
internal enum ReaderStep
{
    /// <summary>Nothing: it is woken when there is something.</summary>
    Rest,

    /// <summary>To hand a batch on.</summary>
    Batch,

    /// <summary>To have the watch go on elsewhere.</summary>
    Reopen,

    /// <summary>To leave: the watch was ended.</summary>
    Leave,
}

// What a reader does, step by step: none of it waits but the reopening, so that a reader for whom nothing comes has nothing under way.
internal partial class ResumingWatchStream
{
    private IWatchConsumer? _consumer;
    private volatile bool _isStopped;

    /// <summary>Whether nothing is handed on any more.</summary>
    private protected bool IsStopped => _isStopped;

    /// <summary>Becomes the one reader, who is woken when there is something to do; at once if there is.</summary>
    private protected void BeginReading(IWatchConsumer reader)
    {
        if (Interlocked.Exchange(ref _readers, 1) != 0)
            throw new InvalidOperationException("A watch has one reader, which reads it once; start another watch for another reader.");
        Volatile.Write(ref _consumer, reader);
        BeginListening();
        if (_feed is { } feed)
            feed.Consumer = reader;
    }

    /// <summary>What to do next.</summary>
    private protected ReaderStep TryStep(out WatchBatch? batch)
    {
        while (!_isStopped)
        {
            batch = null;
            if (IsBeingOpened || IsChangeDue)
                return ReaderStep.Reopen;                                                   // S6
            if (!TryTake(out batch))
                return RestOrStale(out batch);                                              // F2
            if (_isStopped)
                break;
            if (batch is null || (batch.Previous > Cursor && _isSynced))                    // lost, or S2
                return ReaderStep.Reopen;
            if (EndOf(batch) is var end && end != WatchEndReason.None)
                return MayGoOn(end) ? ReaderStep.Reopen : ReaderStep.Batch;                 // S4
            batch = _isSynced ? UpToChange(batch.Behind(Cursor)) : batch.Within(Cursor);    // S1, S6; S5
            if (batch is not null)
                return HandedOn(batch);
        }

        batch = null;
        return ReaderStep.Leave;
    }

    /// <summary>The reader of whole batches is about to be handed one.</summary>
    private protected void Take(WatchBatch batch)
    {
        var wasSynced = _isSynced;
        foreach (var each in batch.Events)
            Note(each);
        // Where a snapshot begins behind changes, its batch has moved over them.
        if (wasSynced && !_isSynced)
            Cursor = Revision.Max(Cursor, batch.Revision);
        MoveTo(batch.Revision);
    }

    /// <summary>Leaves the server; nothing is handed on any more.</summary>
    private protected async ValueTask ReleaseAsync()
    {
        Stop();
        Volatile.Read(ref _rare)?.Silence?.Dispose();
        if (Interlocked.Exchange(ref _feed, null) is { } feed)
            await feed.DisposeAsync();
    }

    /// <summary>The watch was ended by its owner; its reader is not woken yet.</summary>
    private protected void MarkStopped()
    {
        End(WatchEndReason.Disposed);
        _isStopped = true;
        Interlocked.MemoryBarrier();
    }

    private void Stop()
    {
        _isStopped = true;
        // Between the two, since a reopening that makes its source looks at the mark afterwards.
        Interlocked.MemoryBarrier();
        Volatile.Read(ref _rare)?.Reopening?.Cancel();
        Volatile.Read(ref _consumer)?.Wake();
    }

    private bool TryTake(out WatchBatch? batch)
    {
        batch = null;
        try
        {
            return _feed is not { } feed || feed.TryNext(out batch);
        }
        catch (Exception error) when (TransportErrors.IsLost(error, CancellationToken.None))
        {
            return true;
        }
    }

    /// <summary>Opens another feed at the cursor, however long that takes; answers with a last batch where that cannot be.</summary>
    private protected async ValueTask<WatchBatch?> ReopenAsync()
    {
        if (Interlocked.Exchange(ref _feed, null) is { } lost)
            await lost.DisposeAsync();
        if (_isStopped)
            return null;
        if (!_resume)
        {
            return _client.Gone.IsCancellationRequested
                ? Ended(WatchEndReason.Disposed, GrainWatchClient.Disposed().Message)
                : Ended(WatchEndReason.ClientLost, "The way to the server was lost, and the watch was asked not to resume.");
        }

        if (DueChange() is { } change)
            return change;

        var stop = StopOfReopening();
        var wasRefused = false;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await (wasRefused ? Pauses.PauseAsync(stop) : _client.PauseAsync(Pauses, stop));
                await OpenAsync(stop);
                return null;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
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
            catch (Exception error) when (TransportErrors.IsLost(error, stop) || error is WatchException)
            {
                // The next attempt comes after a longer pause: one of its own where the server was reached and refused just this watch.
                wasRefused = error is WatchException { Code: not (WatchErrorCode.Unavailable or WatchErrorCode.ShuttingDown) };
            }
        }

        return null;
    }

    private async Task OpenAsync(CancellationToken stop)
    {
        var request = NextRequest();
        var feed = await _client.OpenAsync(request, stop);
        // Before it can be asked for changes.
        var owesChange = _rare?.Changes?.Resumed() == true;
        // With a barrier: whoever changes the policy looks for the feed after that.
        Interlocked.Exchange(ref _feed, feed);
        try
        {
            if (Request is var now && (now.WhenSlow, now.QueueEventsMax, now.QueueBytesMax) != (request.WhenSlow, request.QueueEventsMax, request.QueueBytesMax))
                await feed.SetPolicyAsync(now.WhenSlow, now.QueueEventsMax, now.QueueBytesMax, stop);
            if (Request.FilterHash != feed.Registration.FilterHash)
                Change(request => request with { FilterHash = feed.Registration.FilterHash });
            if (owesChange)
                await feed.AskProgressAsync(stop);                          // S6
            feed.Consumer = _consumer;
            Pauses.Reset();
            ClientMetrics.Resumed();
        }
        catch
        {
            // One that is not read is not kept: it would stay with the server, unread.
            Interlocked.CompareExchange(ref _feed, null, feed);
            await feed.DisposeAsync();
            throw;
        }
    }

    private Backoff Pauses => Rare.Pauses ??= _client.NewBackoff();

    // Made when it is needed first: most watches are never lost.
    private CancellationToken StopOfReopening()
    {
        var source = Made(ref Rare.Reopening);
        if (_isStopped)
            source.Cancel();
        return source.Token;
    }

    private WatchBatch Ended(WatchEndReason reason, string message, Revision firstAvailable = default) =>
        Ended(Cursor, reason, message, firstAvailable);

    /// <summary>The last batch of a watch that no silo can end any more.</summary>
    internal static WatchBatch Ended(Revision cursor, WatchEndReason reason, string message, Revision firstAvailable) =>
        new(0, cursor, cursor, [new WatchEvent { Type = WatchEventType.Canceled, Revision = cursor, Reason = reason, Message = message, FirstAvailable = firstAvailable }]);

    private protected static WatchEndReason EndOf(WatchBatch batch) =>
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
}
