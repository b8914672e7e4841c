using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// What a leader knows of one follower: where their logs agree, what is on its way, and which round it answered last.
///
/// While the leader does not know where the logs agree it probes: one message at a time, until one is accepted. From then on it sends
/// ahead without waiting, within limits, and falls back to probing when something was refused or no answer came. A follower that
/// answers nothing at all is left alone until it does: a heartbeat per node finds that out, not messages per group. A follower that is
/// sent a snapshot stays in the first state until it has it.
/// </summary>
internal sealed class Progress(LogIndex next)
{
    private readonly Queue<(LogIndex Last, int Entries, long Bytes)> _inFlight = new();
    private bool _awaitsProbe;
    private LogIndex _commitSent;
    private int _begunAnew;
    private int _pauses;
    private int _furthest;
    private int _chunkSends;
    private TimeSpan _pausedUntil = TimeSpan.MinValue;

    /// <summary>Up to here the follower durably has this leader's log.</summary>
    internal LogIndex Match { get; private set; }

    /// <summary>The follower knows that everything up to here is committed.</summary>
    internal LogIndex CommitKnown { get; private set; }

    /// <summary>The next index to send.</summary>
    internal LogIndex Next { get; private set; } = next;

    /// <summary>Whether it is unknown where the logs agree.</summary>
    internal bool IsProbing { get; private set; } = true;

    /// <summary>The last round that the follower answered.</summary>
    internal long Answered { get; private set; }

    /// <summary>When the follower certainly stood by the leader; <see cref="TimeSpan.MinValue"/> for never.</summary>
    internal TimeSpan StoodByAt { get; private set; } = TimeSpan.MinValue;

    /// <summary>From when a lease counts that this follower's last answer supports; <see cref="TimeSpan.MinValue"/> for none.</summary>
    internal TimeSpan LeaseFrom { get; private set; } = TimeSpan.MinValue;

    /// <summary>When to send again what was not answered; <see cref="TimeSpan.MaxValue"/> where everything was, or nobody listens.</summary>
    internal TimeSpan RetryAt { get; private set; } = TimeSpan.MaxValue;

    internal int InFlightEntries { get; private set; }

    internal long InFlightBytes { get; private set; }

    /// <summary>The snapshot that is on its way to it; null where none is.</summary>
    internal SnapshotTransfer? Transfer { get; private set; }

    /// <summary>
    /// Whether it was sent a snapshot and lacks more since then than stays in memory anyway: were entries forgotten now, it would need another
    /// snapshot (L13).
    /// </summary>
    internal bool IsCatchingUp { get; private set; }

    /// <summary>Whether an answer must come, or not come, before anything else is sent.</summary>
    internal bool AwaitsProbe => _awaitsProbe;

    /// <summary>Whether it was left alone because it answered nothing.</summary>
    internal bool IsSilent { get; private set; }

    /// <inheritdoc/>
    public override string ToString() =>
        $"match {Match}, next {Next}{(IsProbing ? ", probing" : "")}{(_awaitsProbe ? ", awaits" : "")}{(IsSilent ? ", silent" : "")}, {InFlightEntries} in flight, commit sent {_commitSent}, known {CommitKnown}";

    /// <summary>Whether to send now: entries, a probe, or only the commit index.</summary>
    internal bool Wants(LogIndex last, LogIndex commit, RaftOptions options)
    {
        if (IsSilent || _awaitsProbe)
            return false;
        if (IsProbing)
            return Match < last || CommitKnown < commit;
        if (Next <= last)
            return InFlightEntries < options.InFlightEntriesMax && InFlightBytes < options.InFlightBytesMax;
        return _commitSent < commit;
    }

    /// <summary>A message was sent.</summary>
    internal void Sent(int entries, long bytes, LogIndex commit, in Moment now, RaftOptions options)
    {
        _awaitsProbe = IsProbing;
        _commitSent = LogIndex.Max(_commitSent, commit);
        if (entries > 0 && !IsProbing)
        {
            Next += entries;
            _inFlight.Enqueue((Next.Previous, entries, bytes));
            InFlightEntries += entries;
            InFlightBytes += bytes;
        }
        if (RetryAt == TimeSpan.MaxValue)
            RetryAt = now.Monotonic + options.HeartbeatInterval;
    }

    /// <summary>The follower answered a round, whatever else it said.</summary>
    internal void Heard(long round, TimeSpan at, bool countsForLease)
    {
        Answered = Math.Max(Answered, round);
        StoodByAt = at > StoodByAt ? at : StoodByAt;
        LeaseFrom = countsForLease && at > LeaseFrom ? at : LeaseFrom;
        Wake();
    }

    /// <summary>There is life on the other node, but its replica has begun anew: it has to be told again what is committed.</summary>
    internal void Begin()
    {
        CommitKnown = LogIndex.None;
        if (!IsProbing || IsSilent)
            Probe();
    }

    /// <summary>There is life on the other node.</summary>
    internal void Wake()
    {
        if (IsSilent)
            Probe();
    }

    /// <summary>The lease that its answers supported was given up.</summary>
    internal void Release() => LeaseFrom = TimeSpan.MinValue;

    /// <summary>The follower has the log up to an index.</summary>
    internal void Accepted(LogIndex upTo, LogIndex itsCommit, LogIndex last, LogIndex commit, in Moment now, RaftOptions options)
    {
        var news = upTo > Match || itsCommit > CommitKnown || IsProbing;
        Match = LogIndex.Max(Match, upTo);
        // A commit index falls only where the follower has begun anew, or this answer was overtaken: telling it once more settles both.
        if (itsCommit < CommitKnown)
            _commitSent = LogIndex.Min(_commitSent, itsCommit);
        CommitKnown = itsCommit;
        if (IsProbing)
        {
            Probe();
            IsProbing = false;
        }
        Next = LogIndex.Max(Next, Match.Next);
        NoteCaughtUp(last, options);
        while (_inFlight.TryPeek(out var oldest) && oldest.Last <= Match)
        {
            _inFlight.Dequeue();
            InFlightEntries -= oldest.Entries;
            InFlightBytes -= oldest.Bytes;
        }
        if (Match == last && CommitKnown >= commit)
            RetryAt = TimeSpan.MaxValue;
        else if (news)
            RetryAt = now.Monotonic + options.HeartbeatInterval;
    }

    /// <summary>The follower's log did not agree at an index.</summary>
    internal void Refused(LogIndex previous, LogIndex next)
    {
        // An answer to a message that a later one has overtaken says nothing new; but a follower whose own snapshot stands for what it is
        // sent says that it has more than this leader has heard.
        if ((previous <= Match && next <= Match.Next) || (IsProbing && previous != Next.Previous))
            return;
        Probe();
        Next = LogIndex.Max(Match.Next, next);
    }

    /// <summary>No answer came: what is on its way is taken for lost, or the follower for gone if it answered nothing lately.</summary>
    internal void Retry(in Moment now, RaftOptions options)
    {
        Probe();
        IsSilent = StoodByAt == TimeSpan.MinValue || now.Monotonic - StoodByAt > options.Lease;
    }

    /// <summary>The transfer of this snapshot, begun where none is or an older one was.</summary>
    internal SnapshotTransfer TransferOf(SnapshotInfo snapshot)
    {
        if (Transfer is not null && Transfer.Info.StandsFor(snapshot))
            return Transfer;
        _begunAnew += Transfer is null ? 0 : 1;
        IsCatchingUp = true;
        return Transfer = new SnapshotTransfer(snapshot);
    }

    /// <summary>So many times later than otherwise the next snapshot is due until this follower has what it lacks (L13).</summary>
    internal int PatienceWithTransfer(RaftOptions options) =>
        (int)Math.Min(options.SnapshotPatienceMax, (long)options.SnapshotPatience << Math.Min(_begunAnew, 30));

    /// <summary>Whether it is left without a snapshot for now, since it did not take the last one (L15).</summary>
    internal bool IsPaused(in Moment now) => now.Monotonic < _pausedUntil;

    /// <summary>Counts that the chunk is sent once more; false where that was done often enough.</summary>
    internal bool TrySendChunk(RaftOptions options)
    {
        if (_chunkSends == options.ChunkSendsMax)
            return false;
        _chunkSends++;
        return true;
    }

    /// <summary>A chunk was sent, or none may be sent now: what comes next comes with an answer or after a while.</summary>
    internal void AwaitTransfer(in Moment now, RaftOptions options)
    {
        _awaitsProbe = IsProbing = true;
        RetryAt = now.Monotonic + options.HeartbeatInterval * options.ChunkRetryHeartbeats;
    }

    /// <summary>The follower asks for this chunk next, which may be sent.</summary>
    internal void GoOn(int chunk)
    {
        // Further than ever: what stopped it before is over, and if something stops it again, that is new (L15).
        if (chunk > _furthest)
            (_furthest, _pauses) = (chunk, 0);
        _awaitsProbe = false;
        _chunkSends = 0;
        RetryAt = TimeSpan.MaxValue;
    }

    /// <summary>The snapshot is gone: the transfer begins anew after a while.</summary>
    internal void GiveUpTransfer(in Moment now, RaftOptions options)
    {
        Transfer = null;
        AwaitTransfer(now, options);
    }

    /// <summary>The follower does not take what it is sent: another try comes later, and until then nothing is put off for its sake (L15).</summary>
    internal void PauseTransfer(in Moment now, RaftOptions options)
    {
        var pause = TimeSpan.FromTicks(Math.Min(options.TransferPauseMax.Ticks, options.TransferPause.Ticks << _pauses));
        _pauses = pause < options.TransferPauseMax ? _pauses + 1 : _pauses;
        _pausedUntil = now.Monotonic + pause;
        IsCatchingUp = false;
        DropTransfer();
        AwaitTransfer(now, options);
    }

    internal void DropTransfer() => (Transfer, _chunkSends) = (null, 0);

    /// <summary>The follower has the snapshot that was sent. What was written meanwhile it lacks still.</summary>
    internal void CompleteTransfer(LogIndex last, RaftOptions options)
    {
        DropTransfer();
        NoteCaughtUp(last, options);
    }

    private void NoteCaughtUp(LogIndex last, RaftOptions options)
    {
        if (Transfer is null && last - Match <= options.SnapshotTailEntries)
            (IsCatchingUp, _begunAnew, _pauses, _furthest, _pausedUntil) = (false, 0, 0, 0, TimeSpan.MinValue);
    }

    private void Probe()
    {
        if (!IsProbing)
            Next = Match.Next;
        IsProbing = true;
        IsSilent = false;
        _awaitsProbe = false;
        _inFlight.Clear();
        (InFlightEntries, InFlightBytes) = (0, 0);
        _commitSent = CommitKnown;
        RetryAt = TimeSpan.MaxValue;
    }
}
