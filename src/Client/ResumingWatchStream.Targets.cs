using Watch.Core;
using Watch.Interfaces;

namespace Watch.Client;

// What a watch was asked, and how that changes while it runs. A change of target is exact at a revision, From, also where the session is
// lost between its answer and the reader's meeting it:
//
//   S6: what the caller was answered holds. A watch that is resumed before its reader met a change goes on with the target before it up to
//       From: what comes later is cut off, the reader is told of the change, and the watch is registered with the new target from there.
//       The server is asked for progress, so that a quiet target gets there, too.
//       An answer counts only while the feed that gave it is read. What is changed once more before the reader got there takes effect at the
//       same revision, of which no server is asked.
//   S7: a change of which nothing was answered takes effect at the reader's cursor when the watch is resumed, and the caller is told that.
//       One that its caller does not wait for any more is not known to anybody who would tell it again: for it the watch is resumed at once.
//   S8: a watch that began with a snapshot has none of its new target at the change (I-T4): until it does, it is as if it began anew.
internal partial class ResumingWatchStream
{
    public WatchTarget Target => _rare?.Changes?.Last?.Target ?? Request.Target;

    public async Task<Revision> ChangeTargetAsync(WatchTarget target, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        cancellationToken.ThrowIfCancellationRequested();
        // Before anything is noted: one that takes effect where the watch is resumed is refused too late for its caller, and ends the watch.
        TargetTranslation.EnsureValid(target);
        var changes = Made(ref Rare.Changes);
        var change = changes.Tell(target);
        using var late = new CancellationTokenSource(_client.CallTimeout, _client.Time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            return await TellAsync(changes, change, limit.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            // Whether the server took it is not known. The reader gives the feed up, so that this is decided now and not at some later loss.
            var decided = GiveUp(changes, change);
            cancellationToken.ThrowIfCancellationRequested();
            if (decided is { } from)
                return from;                                                // S7
            throw new WatchException(WatchErrorCode.Unavailable, $"The change of target to {target} was not answered within {_client.CallTimeout}. It takes effect where the watch goes on, which {nameof(WatchEventType.TargetsChanged)} tells; a reader that waits for this call does not go on.");
        }
        catch (WatchException error) when (TransportErrors.IsFinal(error))
        {
            changes.Refused(change);
            throw;
        }
        catch
        {
            // What nobody expects must not keep the changes behind it waiting for this one's answer.
            GiveUp(changes, change);
            throw;
        }
    }

    public async Task ChangePolicyAsync(SlowPolicy policy, int? queueEventsMax = null, long? queueBytesMax = null, CancellationToken cancellationToken = default)
    {
        var told = Feed();
        await told.SetPolicyAsync(policy, queueEventsMax, queueBytesMax, cancellationToken);
        // Wherever the watch is resumed, it goes on so.
        Change(request => request with
        {
            WhenSlow = policy,
            QueueEventsMax = queueEventsMax ?? request.QueueEventsMax,
            QueueBytesMax = queueBytesMax ?? request.QueueBytesMax,
        });
        // One that was opened meanwhile was registered with the old policy, and its opening may have looked before.
        if (Volatile.Read(ref _feed) is { } now && now != told)
            await now.SetPolicyAsync(policy, queueEventsMax, queueBytesMax, cancellationToken);
    }

    private WatchRequest Request =>
        Volatile.Read(ref _rare)?.Request ?? _terms with { Target = _target, Incarnation = _incarnation, FilterHash = _filterHash };

    /// <summary>Changes what the next registration asks for. Callers and the reader do, at the same time.</summary>
    private void Change(Func<WatchRequest, WatchRequest> change)
    {
        var rare = Rare;
        while (true)
        {
            var before = Volatile.Read(ref rare.Request);
            if (Interlocked.CompareExchange(ref rare.Request, change(before ?? Request), before) == before)
                return;
        }
    }

    private Revision? GiveUp(TargetChanges changes, TargetChange change)
    {
        var decided = changes.GiveUp(change);
        Volatile.Read(ref _consumer)?.Wake();
        return decided;
    }

    /// <summary>Has the server take a change, however often that takes: it knows a change by its version.</summary>
    private async Task<Revision> TellAsync(TargetChanges changes, TargetChange change, CancellationToken cancellationToken)
    {
        for (var pause = s_firstAsk; ; pause = Longer(pause))
        {
            var feed = Volatile.Read(ref _feed);
            var number = changes.FeedToTell(change, out var decided);
            if (decided is { } there)
                return there;                                               // S6, S7
            if (HasEnded)
                throw Over();
            try
            {
                if (feed is not null && number is { } told && Volatile.Read(ref _feed) == feed)
                {
                    var reply = await feed.RetargetAsync(change.Target, change.Version, cancellationToken);
                    // Its reader may have met it before.
                    if (Request is { TargetVersion: var version, FilterHash: 0 } && version == change.Version)
                        Change(request => request.TargetVersion == change.Version ? request with { FilterHash = reply.FilterHash } : request);
                    if (changes.Taken(change, told, reply.From, reply.FilterHash) is { } from)
                        return from;
                }
            }
            catch (WatchException lost) when (!TransportErrors.IsFinal(lost))
            {
                // The watch is resuming, or about to: it is told again, or decided meanwhile.
            }

            await _client.DelayAsync(pause, cancellationToken);
        }
    }

    /// <summary>The reader meets a change of targets.</summary>
    private void NoteTarget(WatchEvent changed)
    {
        MoveTo(changed.Revision);
        if (_rare?.Changes?.Met(changed.Count, changed.Revision) is { } met)
            Change(request => request with { Target = met.Target, TargetVersion = met.Version, FilterHash = met.FilterHash });
        if (_rare?.Keeper is not null)
            _isSynced = false;                                              // S8
    }

    /// <summary>The batch that tells of a change which takes effect where the watch is resumed (S6, S7); null where there is none.</summary>
    private WatchBatch? DueChange()
    {
        if (_rare?.Changes?.DueAt(Cursor, beginsAnew: !_isSynced) is not { } due)
            return null;
        var cursor = Cursor;
        return new WatchBatch(0, cursor, cursor, [new WatchEvent { Type = WatchEventType.TargetsChanged, Revision = cursor, Count = due.Version }]);
    }

    /// <summary>Whether the reader stands where the target changes, and the feed goes on with the old one (S6, S7).</summary>
    private bool IsChangeDue => _isSynced && _rare?.Changes?.IsDueAt(Cursor) == true;

    /// <summary>A batch up to where the target changes (S6).</summary>
    private WatchBatch? UpToChange(WatchBatch? batch)
    {
        if (batch is null || _rare?.Changes?.GoodUpTo is not { } from || batch.Revision <= from)
            return batch;
        var events = batch.Events;
        var end = 0;
        while (end < events.Length && events[end].Revision <= from)
            end++;
        // A snapshot that came in place of compacted history makes up for what lies before the change.
        for (var at = 0; at < events.Length; at++)
        {
            if (events[at].Type == WatchEventType.SnapshotBegins)
                return batch;
        }

        var kept = events.RemoveRange(end, events.Length - end);
        // What was left out may lie before the change as well as behind it.
        if (end < events.Length && events[end].Type == WatchEventType.Lagged)
            kept = kept.Add(events[end] with { Revision = from });
        return batch with { Revision = from, Events = kept };
    }

    // A snapshot watch that is synced goes on: where history does not have what it missed, the server begins a snapshot in place of it.
    private WatchRequest NextRequest() => Request with { StartAt = _isSynced ? _client.Rules.ResumesAt(Cursor) : null };
}
