using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// Snapshots: what they stand for is dropped from the log, and a replica that needs what was dropped is sent one.
///
///   R12 A snapshot stands for committed entries only, and names index, term, stamp and members there. Entries are dropped when the
///       snapshot is durable, has its name, and everything up to there was handed out; some stay for followers that lag a little.
///   R13 A snapshot is installed only where it brings the replica forward: never at or below its commit index. Where the log agrees with
///       it at its index, the log stays as it is and no state is loaded. Where it does not, all of the log belongs to another history
///       or ends before it, and goes; nothing committed is among that.
///   R14 A replica says that it has a snapshot's log when the snapshot is durable. The word in the write-ahead log that older entries are
///       void (<see cref="LogBase"/>) is written before any newer entry; a crash in between is put right at recovery (G2).
/// </summary>
public sealed partial class RaftGroup
{
    /// <summary>Within an interval, a snapshot for which there was no room is tried again so often.</summary>
    private const int SnapshotRetries = 10;

    private readonly Queue<SnapshotWork> _work = new();
    private SnapshotReceipt? _receipt;
    private LogBase? _base;
    private InstalledSnapshot? _installed;
    private long _bytesBehind;
    private long _bytesBegun;
    private LogIndex _retryAt;
    private bool _isTaking;
    private LogIndex? _heldUpTo;

    /// <summary>Its newest durable snapshot; null where there is none.</summary>
    public SnapshotInfo? Snapshot { get; private set; }

    /// <summary>How many entries were handed out that no snapshot stands for.</summary>
    public long EntriesBehindSnapshot => _handedOut - SnapshotIndex;

    /// <summary>How many bytes of the log they were, about.</summary>
    public long BytesBehindSnapshot => _bytesBehind;

    internal LogIndex SnapshotIndex => Snapshot?.Index ?? LogIndex.None;

    /// <summary>Whether a long log is a reason to take a snapshot now: not where a transfer would begin anew by it (L13), or there was no room just now.</summary>
    internal bool MayTakeSnapshot => !_isTaking && _handedOut >= _retryAt && Leading is not { IsTransferring: true };

    /// <summary>Whether so much has come since the last snapshot that another one pays.</summary>
    internal bool IsDueForSnapshot
    {
        get
        {
            if (_isTaking || _handedOut < _retryAt)
                return false;
            var patience = Leading?.SnapshotPatience ?? 1;               // L13
            return EntriesBehindSnapshot >= Options.SnapshotEntries * patience || _bytesBehind >= Options.SnapshotBytes * patience;
        }
    }

    /// <summary>What a snapshot stands for that is taken of the state with everything applied up to an index.</summary>
    internal SnapshotInfo BeginSnapshot(LogIndex applied)
    {
        Invariant.That(applied <= _handedOut && applied > SnapshotIndex, $"R12: a snapshot stands for what was handed out (group {Id}: {applied} of {_handedOut}, after {SnapshotIndex})");
        (_bytesBegun, _isTaking) = (_bytesBehind, true);
        return new SnapshotInfo(Id, applied, _log.TermAt(applied)!.Value, _log.StampAt(applied), _members.At(applied).Encode());
    }

    /// <summary>A snapshot that was begun here is durable.</summary>
    internal void SnapshotTaken(SnapshotInfo taken)
    {
        _isTaking = false;
        if (taken.Index <= SnapshotIndex)
            return;
        Invariant.That(taken.Index <= Committed, "R12: a snapshot stands for committed entries");
        Snapshot = taken;
        _bytesBehind -= _bytesBegun;
        Forget();
    }

    /// <summary>
    /// The snapshot that was begun here came to nothing: a newer one arrived meanwhile, or there was no room for it. Then the next one waits
    /// until a part of an interval has been written: by then there may be room, and trying costs as much as taking one.
    /// </summary>
    internal void SnapshotGivenUp(bool hadNoRoom)
    {
        _isTaking = false;
        if (hadNoRoom)
            _retryAt = _handedOut + Math.Max(1, Options.SnapshotEntries / SnapshotRetries);
    }

    /// <summary>A chunk that was received could not be kept. Whoever leads is told, and pauses (L15).</summary>
    internal void ChunkRefused(SnapshotWork.Write work)
    {
        if (_receipt is not { IsBusy: true } receipt || !receipt.IsOf(work.From, work.Snapshot))
            return;
        _receipt = null;
        if (Leader == work.From && Rules.BringsForward(work.Snapshot.Index, Committed))
            Send(work.From, new SnapshotAnswer(Id, Term, Self, receipt.Round, work.Snapshot.Index, SnapshotAnswer.Refused));
    }

    /// <summary>Takes the next piece of work for the disk.</summary>
    internal bool TryTakeWork(out SnapshotWork work) => _work.TryDequeue(out work!);

    internal void Want(SnapshotWork work) => _work.Enqueue(work);

    /// <summary>Takes the snapshot that was installed: state begins from it, before any entry is applied.</summary>
    internal InstalledSnapshot? TakeInstalled()
    {
        var installed = _installed;
        _installed = null;
        return installed;
    }

    /// <summary>A leader sends a piece of its snapshot.</summary>
    internal void Receive(InstallSnapshot message)
    {
        if (!Rules.BringsForward(message.Snapshot.Index, Committed))
        {
            Send(message.From, HasSnapshot(message.Snapshot, message.Round), message.Snapshot.Index);      // R13
            return;
        }
        if (_receipt is { IsBusy: true } || _receipt?.Overtakes(message) == true)
            return;
        if (_receipt is null || !_receipt.IsOf(message.From, message.Snapshot))
            _receipt = new SnapshotReceipt(message.From, message.Snapshot);
        (_receipt.Round, _receipt.Term) = (message.Round, message.Term);
        if (message.Chunk == _receipt.Next)
            Want(_receipt.Take(message));
        else
            Send(message.From, new SnapshotAnswer(Id, Term, Self, message.Round, message.Snapshot.Index, _receipt.Next));
    }

    /// <summary>A chunk was written; with the last one the snapshot is durable, unless a newer one was there.</summary>
    internal void ChunkWritten(SnapshotWork.Write work, bool kept, in Moment now)
    {
        if (_receipt is not { IsBusy: true } receipt || !receipt.IsOf(work.From, work.Snapshot))
            return;
        receipt.Written();
        if (work.IsLast)
        {
            _receipt = null;
            if (kept)
                Install(work.Snapshot, receipt.Content, now);
        }
        else if (receipt.IsAbandoned || !Rules.BringsForward(work.Snapshot.Index, Committed))
        {
            DropReceipt(receipt);
        }
        if (Leader != work.From)
            return;
        if (work.Snapshot.Index <= Committed)
            Send(work.From, HasSnapshot(work.Snapshot, receipt.Round), work.Snapshot.Index);
        else if (!work.IsLast)
            Send(work.From, new SnapshotAnswer(Id, Term, Self, receipt.Round, work.Snapshot.Index, receipt.Next));
    }

    /// <summary>The log goes on with entries of a leader: a snapshot that another node had begun to send is of no use any more.</summary>
    internal void DropReceiptFromOther(NodeId leader)
    {
        if (_receipt is { } receipt && !receipt.IsFrom(leader))
            DropReceipt(receipt);
    }

    /// <summary>The log is committed beyond a snapshot of which a part was received.</summary>
    private void DropReceiptIfPassed()
    {
        if (_receipt is { IsAbandoned: false } receipt && !Rules.BringsForward(receipt.Info.Index, Committed))
            DropReceipt(receipt);
    }

    /// <summary>Gives up what was received of a snapshot; where a chunk is at the disk, when that is done.</summary>
    private void DropReceipt(SnapshotReceipt receipt)
    {
        receipt.IsAbandoned = true;
        if (receipt.IsBusy)
            return;
        _receipt = null;
        Want(new SnapshotWork.Drop(receipt.Info));
    }

    /// <summary>The state that the write-ahead log has of this group, or will have with what was collected.</summary>
    internal HardState CollectedState => _takenState;

    /// <summary>The entries behind the snapshot that the write-ahead log has, or will have with what was collected.</summary>
    internal ReadOnlyMemory<Entry> CollectedBehindSnapshot => _log.Slice(SnapshotIndex, _taken);

    /// <summary>Whether the write-ahead log has what this replica's log says, as far as it was collected.</summary>
    internal bool IsCollectedBehindSnapshot => _base is null && _taken >= SnapshotIndex;

    private AppendAnswer HasSnapshot(SnapshotInfo snapshot, in Round round) =>
        new(Id, Term, Self, round, true, snapshot.Index, LogIndex.None, Term.None, Committed);

    private void Install(SnapshotInfo snapshot, ReadOnlyMemory<byte> content, in Moment now)
    {
        Snapshot = snapshot;
        (_bytesBehind, _heldUpTo) = (0, null);
        if (!Rules.BringsForward(snapshot.Index, Committed) || Rules.Agrees(_log.TermAt(snapshot.Index), snapshot.Term))
        {
            if (Role != Role.Leader)
                AdvanceCommit(snapshot.Index);
            Forget();
            return;
        }
        Invariant.That(Role != Role.Leader, $"R13: a leader has everything that was committed (group {Id}, term {Term})");
        _log = new RaftLog(snapshot.Index, snapshot.Term, snapshot.Stamp);
        _members = new MembershipHistory(_log, SnapshotMembers.Decode(snapshot.Members.Span));
        Committed = _handedOut = _taken = _durable = snapshot.Index;
        _base = new LogBase(snapshot.Index, snapshot.Term, Keeps: false);        // R14
        _installed = new InstalledSnapshot(snapshot, content);
        if (Role is not (Role.Follower or Role.Learner))
            Follow(NodeId.None, now);
        else if (MayStand == Role is Role.Learner)
            Follow(Leader, now);
    }

    /// <summary>What was kept for followers that lagged goes when they have it, or this replica does not lead any more (L14).</summary>
    internal void ForgetWhatWasHeld()
    {
        if (_heldUpTo is { } upTo && (Leading is not { } leader || leader.NeededBehind >= upTo))
            Forget();
    }

    /// <summary>R12, L14.</summary>
    private void Forget()
    {
        var upTo = LogIndex.Min(LogIndex.Min(SnapshotIndex, Committed), LogIndex.Min(_handedOut, _durable));
        var (entries, bytes) = (0, 0L);
        while (upTo > _log.First.Previous && entries < Options.SnapshotTailEntries && (bytes += LogBatch.BytesOf(_log[upTo])) <= Options.SnapshotTailBytes)
        {
            entries++;
            upTo = upTo.Previous;
        }
        var (tail, needed) = (upTo, Leading?.NeededBehind ?? upTo);
        bytes = 0;
        while (upTo > _log.First.Previous && upTo > needed && (bytes += LogBatch.BytesOf(_log[upTo])) <= Options.FollowerTailBytes)
            upTo = upTo.Previous;
        _heldUpTo = upTo < tail ? tail : null;
        _log.ForgetUpTo(upTo);
        _members.ForgetUpTo(upTo);
    }
}

/// <summary>A snapshot that took a log's place.</summary>
/// <param name="Info">What it stands for.</param>
/// <param name="Content">Of the system group its content.</param>
internal sealed record InstalledSnapshot(SnapshotInfo Info, ReadOnlyMemory<byte> Content);
