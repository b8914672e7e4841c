using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// A group's log in memory: entries from index 1 on without a gap, terms that never fall. Slices that were handed out stay valid:
/// entries are immutable, and what is replaced is written to a fresh array.
/// </summary>
public sealed class RaftLog
{
    private Entry[] _entries = [];
    private int _count;

    /// <summary>The index of the last entry.</summary>
    public LogIndex Last => new(_count);

    /// <summary>The term of the last entry.</summary>
    public Term LastTerm => _count == 0 ? Term.None : _entries[_count - 1].Term;

    /// <summary>The stamp of the last entry.</summary>
    public LogTime LastStamp => _count == 0 ? LogTime.Zero : _entries[_count - 1].Stamp;

    /// <summary>The entry at an index from 1 to <see cref="Last"/>.</summary>
    public Entry this[LogIndex index] => _entries.AsSpan(0, _count)[(int)(index.Value - 1)];

    /// <summary>The term at an index; null behind the end.</summary>
    public Term? TermAt(LogIndex index) => index == LogIndex.None ? Term.None : index > Last ? null : this[index].Term;

    /// <summary>The entries behind one index up to and including another.</summary>
    public ReadOnlyMemory<Entry> Slice(LogIndex after, LogIndex upTo) =>
        _entries.AsMemory((int)after.Value, (int)(upTo - after));

    /// <summary>Adds an entry behind the last one; one at or below the last index replaces what stands there and everything behind it.</summary>
    public void Put(Entry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var place = (int)(entry.Index.Value - 1);
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
