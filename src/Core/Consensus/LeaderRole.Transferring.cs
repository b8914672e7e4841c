using Watch.Core.Consensus.Messages;

namespace Watch.Core.Consensus;

/// <summary>
/// Sending a snapshot to a follower that needs entries which this leader's log no longer has.
///
///   L9  A follower is sent either entries or a snapshot, never both: entries only behind an index that the log still knows, and a
///       snapshot only where the log begins later than what the follower needs.
///   L10 One chunk is on its way to a follower at a time; it is sent again when no answer comes, and the follower says which one it
///       needs. When the leader takes a newer snapshot meanwhile, the transfer begins anew with that one.
///   L11 A transfer holds nothing else up: what the others are sent, heartbeats and reads go on, and a node has at most
///       <see cref="RaftOptions.SnapshotTransfersMax"/> under way.
///   L13 A transfer comes to an end, however slow the follower is and however much is written meanwhile: until the follower has what it
///       lacks, what was written during the transfer included, the next snapshot is due later, and each time that a transfer had to begin
///       anew, twice as late again, up to a limit (the log stays in memory meanwhile). Beyond that limit a follower is too slow for what is
///       written, whatever it is sent.
///   L14 Entries that a follower who listens lacks stay when a snapshot stands for them, up to so many bytes: what lags a little longer than
///       the last entries reach back is not sent a snapshot for it, and what was sent one goes on behind that one.
///   L15 A follower that refuses what it is sent (there is no room for it, or it cannot read it) or listens and says nothing of it
///       (<see cref="RaftOptions.ChunkSendsMax"/>) holds nobody up: it gives its place back, waits at the end of the queue after a pause that
///       doubles each time that it got no further than ever, and during the pause no snapshot is put off for its sake. One that has received a part and still has it goes
///       on behind that.
/// </summary>
internal sealed partial class LeaderRole
{
    /// <summary>Whether a follower is sent a snapshot or what was written since then: taking another snapshot now might begin that anew.</summary>
    internal bool IsTransferring => _others.Values.Any(progress => progress.IsCatchingUp && !progress.IsSilent);

    /// <summary>
    /// Up to here no follower who listens lacks anything of this log (L14). One that lacks more than the log has is sent the newest snapshot,
    /// whatever is kept.
    /// </summary>
    internal LogIndex NeededBehind
    {
        get
        {
            var behind = Log.Last;
            foreach (var progress in _others.Values.Where(progress => !progress.IsSilent))
            {
                var has = LogIndex.Max(progress.Match, progress.Transfer?.Info.Index ?? LogIndex.None);
                if (has >= Log.First.Previous)
                    behind = LogIndex.Min(behind, has);
            }
            return behind;
        }
    }

    /// <summary>So many times later than otherwise the next snapshot is due (L13).</summary>
    internal int SnapshotPatience
    {
        get
        {
            var patience = 1;
            foreach (var progress in _others.Values.Where(progress => progress.IsCatchingUp && !progress.IsSilent))
                patience = Math.Max(patience, progress.PatienceWithTransfer(Options));
            return patience;
        }
    }

    /// <summary>A chunk was read; null where the snapshot is gone.</summary>
    internal void ChunkRead(SnapshotWork.Read work, ReadOnlyMemory<byte>? content, bool isLast, in Moment now)
    {
        if (!_others.TryGetValue(work.To, out var progress) || progress.Transfer is not { } transfer || !transfer.Info.StandsFor(work.Snapshot))
            return;
        if (content is { } bytes)
        {
            transfer.Read(work.Chunk, bytes, isLast);
            return;
        }
        progress.GiveUpTransfer(now, Options);
        Context.Transfers.Give(Group.Id, work.To);
    }

    private void SendSnapshot(NodeId node, Progress progress, in Moment now)
    {
        if (progress.IsSilent || progress.AwaitsProbe)
            return;
        var newest = Group.Snapshot;
        Invariant.That(newest is not null && newest.Index >= Log.First.Previous, $"L9: a snapshot stands for what the log no longer has (group {Group.Id})");
        if (progress.IsPaused(now) || !Context.Transfers.TryTake(Group.Id, node, Options.SnapshotTransfersMax, now.Monotonic, Options.HeartbeatInterval * Options.ChunkRetryHeartbeats * 3))
        {
            progress.AwaitTransfer(now, Options);
            return;
        }
        var transfer = progress.TransferOf(newest);                      // L10
        if (transfer.MustAsk)
        {
            transfer.Asked();
            Group.Want(new SnapshotWork.Read(transfer.Info, node, transfer.Chunk));
        }
        if (transfer.Content is not { } content)
            return;
        if (!progress.TrySendChunk(Options))
        {
            PauseTransfer(node, progress, now);
            return;
        }
        Group.Send(node, new InstallSnapshot(Group.Id, Group.Term, Group.Self, Context.Rounds.Current, transfer.Info, transfer.Chunk, transfer.IsLast, content));
        progress.AwaitTransfer(now, Options);
    }

    private void Hear(SnapshotAnswer answer, in Moment now)
    {
        if (!_others.TryGetValue(answer.From, out var progress))
            return;
        Hear(progress, answer.Round, now);
        if (progress.Transfer is not { } transfer || transfer.Info.Index != answer.Index)
            return;
        if (answer.Next == SnapshotAnswer.Refused)
            PauseTransfer(answer.From, progress, now);
        else if (transfer.GoTo(answer.Next))
            progress.GoOn(answer.Next);
    }

    /// <summary>L15.</summary>
    private void PauseTransfer(NodeId node, Progress progress, in Moment now)
    {
        progress.PauseTransfer(now, Options);
        Context.Transfers.Give(Group.Id, node);
    }

    /// <summary>The follower's log reaches the snapshot's index, or nobody knows whether it still listens: others may be sent theirs.</summary>
    private void EndTransfer(NodeId node, Progress progress)
    {
        if (progress.Transfer is not { } transfer || (progress.Match < transfer.Info.Index && !progress.IsSilent))
            return;
        if (progress.Match >= transfer.Info.Index)
            progress.CompleteTransfer(Log.Last, Options);
        else
            progress.DropTransfer();
        Context.Transfers.Give(Group.Id, node);
    }

    private void EndTransfers()
    {
        foreach (var (node, progress) in _others)
        {
            progress.DropTransfer();
            Context.Transfers.Give(Group.Id, node);
        }
    }
}
