using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// The effects: what waits for the disk, what waits for the network, what waits for the state machine. Records are taken in order and
/// become durable in that order; a message waits until the disk has what it speaks of (R2), committed entries likewise (R6).
/// </summary>
public sealed partial class RaftGroup
{
    private readonly List<Waiting> _outbox = [];
    private readonly Queue<ReadAnswer> _readAnswers = new();
    private HardState _durableState;
    private HardState _takenState;
    private long _stateVersion = 1;
    private long _takenVersion = 1;
    private long _durableVersion = 1;
    private LogIndex _durable;
    private LogIndex _taken;
    private LogIndex _handedOut;
    private long _ticket;

    /// <summary>Its log up to here is on its disk.</summary>
    public LogIndex Durable => _durable;

    /// <summary>Up to here committed entries were handed out.</summary>
    public LogIndex HandedOut => _handedOut;

    /// <summary>Whether something waits to be made durable.</summary>
    public bool HasToPersist => _takenState != _state || _taken < _log.Last || _base is not null;

    /// <summary>Whether a term and vote, as they are, are on the disk.</summary>
    internal bool StateIsDurable => _durableState == _state;

    /// <summary>Up to where this replica may say that it has its log.</summary>
    internal LogIndex Acknowledged => Rules.Acknowledged(_durable, _log.Last);

    /// <summary>
    /// Takes what waits to be made durable, up to so many bytes of records but at least one entry. What is taken first must be
    /// durable first: one batch, or batches in the order in which they were taken.
    /// </summary>
    public bool TryTakePersist(int bytesMax, out PersistEffect effect)
    {
        effect = default;
        if (!HasToPersist)
            return false;

        var upTo = _taken;
        var bytes = 0;
        while (upTo < _log.Last && (upTo == _taken || bytes + LogBatch.BytesOf(_log[upTo.Next]) <= bytesMax))
        {
            upTo = upTo.Next;
            bytes += LogBatch.BytesOf(_log[upTo]);
        }
        effect = new PersistEffect(_takenState == _state ? null : _state, _log.Slice(_taken, upTo), _base);
        _base = null;
        (_takenState, _takenVersion, _taken) = (_state, _stateVersion, upTo);
        return true;
    }

    /// <summary>What was taken is durable, before anything else is taken: votes and entries count from now on, and what waited for them is sent.</summary>
    public void Persisted(in PersistEffect effect, in Moment now)
    {
        if (effect.State is { } state)
            _durableState = state;
        _durableVersion = _takenVersion;
        // What was replaced while the disk wrote it is no longer counted as taken, and proves nothing about what stands there now.
        if (effect.Entries.Length > 0)
            _durable = LogIndex.Max(_durable, LogIndex.Min(effect.Entries.Span[^1].Index, _taken));
        _role.Persisted(now);
        SettleReads(now);
    }

    /// <summary>Takes the entries that have become committed since the last call, in order; none of them twice.</summary>
    public ReadOnlyMemory<Entry> TakeCommitted()
    {
        var upTo = LogIndex.Min(Committed, Acknowledged);                // R6
        if (upTo <= _handedOut)
            return default;
        var entries = _log.Slice(_handedOut, upTo);
        foreach (var entry in entries.Span)
            _bytesBehind += LogBatch.BytesOf(entry);
        _handedOut = upTo;
        return entries;
    }

    /// <summary>Takes the next answer to reads. What was committed must have been taken before, and applied.</summary>
    public bool TryTakeReadAnswer(in Moment now, out ReadAnswer answer)
    {
        SettleReads(now);
        return _readAnswers.TryDequeue(out answer);
    }

    /// <summary>
    /// Lets a leader send what its followers lack. In a round that began after everything that came in before, so that its answers
    /// confirm the reads that wait.
    /// </summary>
    internal void Flush(in Moment now) => Leading?.Replicate(now);

    /// <summary>Takes the messages that the disk does not hold back.</summary>
    internal void Release(Action<NodeId, Message> send)
    {
        if (_outbox.Count == 0)
            return;
        var kept = 0;
        for (var i = 0; i < _outbox.Count; i++)
        {
            if (IsReleased(_outbox[i]))
                send(_outbox[i].To, _outbox[i].Message);
            else
                _outbox[kept++] = _outbox[i];
        }
        _outbox.RemoveRange(kept, _outbox.Count - kept);
    }

    /// <summary>Sends a message as soon as this replica's term and vote, and its log up to an index, are on the disk.</summary>
    internal void Send(NodeId to, GroupMessage message, LogIndex durable = default) => _outbox.Add(new Waiting(to, message, _stateVersion, durable));

    /// <summary>The next ticket; none is given out twice.</summary>
    internal long NextTicket() => ++_ticket;

    internal void Answer(in ReadAnswer answer) => _readAnswers.Enqueue(answer);

    private void SettleReads(in Moment now) => Leading?.SettleReads(now);

    private bool IsReleased(in Waiting waiting) => _durableVersion >= waiting.StateVersion && Acknowledged >= waiting.Durable;

    private void CutFrom(LogIndex index)
    {
        Invariant.That(index > Committed, $"R6: what is committed never changes (group {Id}: entry {index} of {Committed} committed)");
        _durable = LogIndex.Min(_durable, index.Previous);
        _taken = LogIndex.Min(_taken, index.Previous);
        _members.CutFrom(index);
    }

    private readonly record struct Waiting(NodeId To, GroupMessage Message, long StateVersion, LogIndex Durable);
}
