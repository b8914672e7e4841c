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
/// </summary>
internal sealed class GroupRecovery(GroupId group)
{
    private readonly List<Entry> _behind = [];
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
            _behind.Clear();
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
        var log = new RaftLog(snapshot.Index, snapshot.Term, snapshot.Stamp, agrees ? _behind : []);
        return new RecoveredGroup(log, State, snapshot, LacksBase: !agrees);             // G2
    }

    private void RequireSnapshot(LogIndex index)
    {
        if (index > From)
            throw new SnapshotDamagedException(SnapshotFormat.NameOf(group, index), 0, $"the log of group {group} goes on behind this snapshot, or a newer one, and there is none.");
    }
}
