using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// Puts one group's log together, from its newest snapshot and from what the write-ahead log holds of it: entries that the snapshot stands
/// for, entries that were replaced, the word that a snapshot was installed (<see cref="LogBase"/>), and the entries that count.
///
///   G1  What lies behind the snapshot's index counts if the log agreed with the snapshot there: if the entry at that index is of the
///       snapshot's term, or the last base is the snapshot itself.
///   G2  Where it did not agree, or did not reach that far, the snapshot was received and the power went before the log said so: what lies
///       behind belongs to another history and is void. The log is told so before anything else is written (<see cref="RecoveredGroup.LacksBase"/>);
///       otherwise the next start would take new entries for void ones.
///   G3  A log that begins behind something begins behind a snapshot that is there. If it is not, it was lost: that is damage.
///   G4  Of the entries that the snapshot stands for the last ones stay where the log agrees with it, within limits: a leader that begins
///       anew sends them to a follower that lacks a little, where it would have to send the whole snapshot otherwise. Nothing depends on
///       how many the write-ahead log still has.
/// </summary>
internal sealed class GroupRecovery(GroupId group, RaftOptions options)
{
    private readonly List<Entry> _behind = [];
    private readonly Tail _tail = new(options);
    private LogBase _base;
    private LogIndex? _last;
    private Term? _termAtSnapshot;

    internal SnapshotInfo? Snapshot { get; set; }

    internal HardState State { get; set; }

    private LogIndex From => Snapshot?.Index ?? LogIndex.None;

    internal void Put(Entry entry)
    {
        Invariant.That(_last is not { } last || entry.Index <= last.Next, "R1: a log has no gap");
        _last = entry.Index;
        if (entry.Index <= From)
        {
            // It replaces all that came behind it, also where a snapshot stands for it.
            _behind.Clear();
            _termAtSnapshot = entry.Index == From ? entry.Term : null;
            _tail.Put(entry);
            return;
        }
        var place = _behind.Count == 0 ? 0 : (int)Math.Max(0, entry.Index - _behind[0].Index);
        _behind.RemoveRange(place, _behind.Count - place);
        _behind.Add(entry);
    }

    internal void Begin(in LogBase start)
    {
        _base = start;
        if (!start.Keeps)
        {
            _behind.Clear();
            _tail.Clear();
        }
        if (!start.Keeps || start.Index == From)
            _termAtSnapshot = start.Index == From ? start.Term : null;
        // Where it keeps what follows, how far that goes may stand in a segment that was retired.
        if (!start.Keeps)
            _last = start.Index;
    }

    internal RecoveredGroup Complete()
    {
        RequireSnapshot(_base.Index);                                    // G3
        if (Snapshot is not { } snapshot)
        {
            RequireSnapshot(_behind.Count == 0 ? LogIndex.None : _behind[0].Index.Previous);
            return new RecoveredGroup(new RaftLog(LogIndex.None, Term.None, LogTime.Zero, _behind), State, null, false);
        }
        var agrees = _termAtSnapshot == snapshot.Term;                   // G1
        Invariant.That(agrees || _termAtSnapshot is not null || _behind.Count == 0, $"G1: what lies behind a snapshot follows something (group {group})");
        if (agrees && _behind.Count > 0)
            RequireSnapshot(_behind[0].Index.Previous);
        var log = agrees && _tail.EndsAt(snapshot) ? _tail.Begin() : new RaftLog(snapshot.Index, snapshot.Term, snapshot.Stamp);       // G4
        foreach (var entry in _behind.Where(_ => agrees))
            log.Put(entry);
        return new RecoveredGroup(log, State, snapshot, LacksBase: !agrees);             // G2
    }

    private void RequireSnapshot(LogIndex index)
    {
        if (index > From)
            throw new SnapshotDamagedException(SnapshotFormat.NameOf(group, index), 0, $"the log of group {group} goes on behind this snapshot, or a newer one, and there is none.");
    }

    /// <summary>The last entries that a snapshot stands for, without a gap.</summary>
    private sealed class Tail(RaftOptions options)
    {
        private readonly Queue<Entry> _entries = new();
        private Entry? _last;
        private long _bytes;

        internal void Put(Entry entry)
        {
            // One that replaces another is rare, and what came before it may go: a tail is there for speed.
            if (_last is { } last && entry.Index != last.Index.Next)
                Clear();
            _entries.Enqueue(entry);
            (_last, _bytes) = (entry, _bytes + LogBatch.BytesOf(entry));
            // One more than the limit: the oldest only says what the others follow.
            while (_entries.Count > 1 && (_entries.Count - 1 > options.SnapshotTailEntries || _bytes - LogBatch.BytesOf(_entries.Peek()) > options.SnapshotTailBytes))
                _bytes -= LogBatch.BytesOf(_entries.Dequeue());
        }

        internal void Clear()
        {
            _entries.Clear();
            (_last, _bytes) = (null, 0);
        }

        internal bool EndsAt(SnapshotInfo snapshot) => _last is { } last && last.Index == snapshot.Index && last.Term == snapshot.Term;

        internal RaftLog Begin()
        {
            var before = _entries.Dequeue();
            return new RaftLog(before.Index, before.Term, before.Stamp, _entries);
        }
    }
}
