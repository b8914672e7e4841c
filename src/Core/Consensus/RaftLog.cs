using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// A group's log in memory: entries from <see cref="First"/> on without a gap, terms that never fall. What lies before the first entry
/// is known by the index, term and stamp of its last entry (a snapshot stands for it; a whole log begins behind nothing). Slices that
/// were handed out stay valid: entries are immutable, and what is replaced is written to a fresh array.
/// </summary>
public sealed class RaftLog
{
    private LogIndex _before;
    private Term _beforeTerm;
    private LogTime _beforeStamp;
    private Entry[] _entries = [];
    private int _count;

    /// <summary>An empty log that begins at index 1.</summary>
    public RaftLog()
    {
    }

    /// <summary>A log that begins behind a snapshot.</summary>
    /// <param name="before">The index of the last entry that the snapshot stands for.</param>
    /// <param name="term">Its term.</param>
    /// <param name="stamp">Its stamp.</param>
    /// <param name="entries">What follows.</param>
    public RaftLog(LogIndex before, Term term, LogTime stamp, IReadOnlyCollection<Entry>? entries = null)
    {
        (_before, _beforeTerm, _beforeStamp) = (before, term, stamp);
        if (entries is null)
            return;
        _entries = new Entry[entries.Count];
        foreach (var entry in entries)
            Put(entry);
    }

    /// <summary>The index of the first entry, whether it is there yet or not.</summary>
    public LogIndex First => _before.Next;

    /// <summary>The index of the last entry.</summary>
    public LogIndex Last => _before + _count;

    /// <summary>The term of the last entry.</summary>
    public Term LastTerm => TermAt(Last)!.Value;

    /// <summary>The stamp of the last entry.</summary>
    public LogTime LastStamp => StampAt(Last);

    /// <summary>The entry at an index from <see cref="First"/> to <see cref="Last"/>.</summary>
    public Entry this[LogIndex index] => _entries.AsSpan(0, _count)[(int)(index - First)];

    /// <summary>The term at an index; null behind the end and before what the log still knows.</summary>
    public Term? TermAt(LogIndex index) => index == _before ? _beforeTerm : index > Last || index < First ? null : this[index].Term;

    /// <summary>The stamp at an index that the log knows.</summary>
    public LogTime StampAt(LogIndex index) => index == _before ? _beforeStamp : this[index].Stamp;

    /// <summary>The entries behind one index up to and including another.</summary>
    public ReadOnlyMemory<Entry> Slice(LogIndex after, LogIndex upTo) => _entries.AsMemory((int)(after - _before), (int)(upTo - after));

    /// <summary>
    /// The last index up to a bound whose term is at most so high: where two logs may agree, as far as one of them can tell. Not before
    /// what the log still knows: whether they can agree there is for the caller to say.
    /// </summary>
    public LogIndex LastUpTo(LogIndex bound, Term term)
    {
        var index = LogIndex.Min(bound, Last);
        while (index > _before && this[index].Term > term)
            index = index.Previous;
        return LogIndex.Max(index, _before);
    }

    /// <summary>
    /// The last index at which a log whose entry at <paramref name="bound"/> has a term may agree with this one; null where that lies before
    /// what this log still knows.
    /// </summary>
    public LogIndex? MayAgree(LogIndex bound, Term term)
    {
        var index = LastUpTo(bound, term);
        return bound < index || (index == _before && _beforeTerm > term) ? null : index;
    }

    /// <summary>Adds an entry behind the last one; one at or below the last index replaces what stands there and everything behind it.</summary>
    public void Put(Entry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var place = (int)(entry.Index - First);
        Invariant.That(place >= 0 && place <= _count, "R1: a log has no gap");
        if (place < _count)
            Move(0, place, place);
        Invariant.That(entry.Term >= LastTerm, "R1: terms never fall along a log");
        if (_count == _entries.Length)
            Move(0, _count, Math.Max(16, _count * 2));
        _entries[_count++] = entry;
    }

    /// <summary>Forgets the entries up to an index that the log has: a snapshot stands for them.</summary>
    public void ForgetUpTo(LogIndex index)
    {
        if (index <= _before)
            return;
        var (term, stamp, count) = (TermAt(index)!.Value, StampAt(index), (int)(index - _before));
        // What was handed out keeps the old array alive, not this log: forgotten entries must not stay reachable.
        Move(count, _count - count, _count - count);
        (_before, _beforeTerm, _beforeStamp) = (index, term, stamp);
    }

    private void Move(int skip, int count, int room)
    {
        var fresh = new Entry[room];
        _entries.AsSpan(skip, count).CopyTo(fresh);
        (_entries, _count) = (fresh, count);
    }
}
