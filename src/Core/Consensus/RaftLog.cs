using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// A group's log in memory: entries from <see cref="First"/> on without a gap, terms that never fall. What lies before the first entry
/// is known by the index, term and stamp of its last entry (a snapshot stands for it; a whole log begins behind nothing). Slices that
/// were handed out stay valid: entries are immutable, and what is replaced is written to a fresh array.
/// </summary>
public sealed class RaftLog
{
    private readonly LogIndex _before;
    private readonly Term _beforeTerm;
    private readonly LogTime _beforeStamp;
    private Entry[] _entries = [];
    private int _count;

    /// <summary>An empty log that begins at index 1.</summary>
    public RaftLog()
    {
    }

    /// <summary>An empty log that begins behind a snapshot.</summary>
    /// <param name="before">The index of the last entry that the snapshot stands for.</param>
    /// <param name="term">Its term.</param>
    /// <param name="stamp">Its stamp.</param>
    public RaftLog(LogIndex before, Term term, LogTime stamp) => (_before, _beforeTerm, _beforeStamp) = (before, term, stamp);

    /// <summary>The index of the first entry, whether it is there yet or not.</summary>
    public LogIndex First => _before.Next;

    /// <summary>The index of the last entry.</summary>
    public LogIndex Last => _before + _count;

    /// <summary>The term of the last entry.</summary>
    public Term LastTerm => _count == 0 ? _beforeTerm : _entries[_count - 1].Term;

    /// <summary>The stamp of the last entry.</summary>
    public LogTime LastStamp => _count == 0 ? _beforeStamp : _entries[_count - 1].Stamp;

    /// <summary>The entry at an index from <see cref="First"/> to <see cref="Last"/>.</summary>
    public Entry this[LogIndex index] => _entries.AsSpan(0, _count)[(int)(index - First)];

    /// <summary>The term at an index; null behind the end and before what the log still knows.</summary>
    public Term? TermAt(LogIndex index) => index == _before ? _beforeTerm : index > Last || index < First ? null : this[index].Term;

    /// <summary>The entries behind one index up to and including another.</summary>
    public ReadOnlyMemory<Entry> Slice(LogIndex after, LogIndex upTo) => _entries.AsMemory((int)(after - _before), (int)(upTo - after));

    /// <summary>The last index up to a bound whose term is at most so high: where two logs may agree, as far as one of them can tell.</summary>
    public LogIndex LastUpTo(LogIndex bound, Term term)
    {
        var index = LogIndex.Min(bound, Last);
        while (index > _before && this[index].Term > term)
            index = index.Previous;
        return LogIndex.Max(index, _before);
    }

    /// <summary>Adds an entry behind the last one; one at or below the last index replaces what stands there and everything behind it.</summary>
    public void Put(Entry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var place = (int)(entry.Index - First);
        Invariant.That(place >= 0 && place <= _count, "R1: a log has no gap");
        if (place < _count)
        {
            _entries = _entries.AsSpan(0, place).ToArray();
            _count = place;
        }
        Invariant.That(entry.Term >= LastTerm, "R1: terms never fall along a log");
        if (_count == _entries.Length)
            Array.Resize(ref _entries, Math.Max(16, _count * 2));
        _entries[_count++] = entry;
    }
}
