namespace Watch.Core.Keyspace;

/// <summary>
/// How old a bucket's revisions are, by the time of its log, as closely as giving them up by age needs it: noted now and then while
/// entries are applied.
/// </summary>
/// <remarks>
/// Each replica notes for itself, and forgets with a restart or a snapshot: then the notes begin anew, so history is kept longer than asked
/// for, never shorter. Log time stands still while nobody leads, and history with it. While nothing is written, the leader says how far it
/// has come. Not thread-safe.
/// </remarks>
/// <param name="ageMs">How old history may become, 1 or more.</param>
public sealed class HistoryAges(long ageMs)
{
    /// <summary>Into so many parts an age is divided: history is kept at most one of them longer than asked for.</summary>
    public const int Parts = 64;

    private readonly Queue<(LogTime At, Revision Revision)> _notes = new();
    private LogTime? _partBegan;
    private (LogTime At, Revision Revision) _latest;
    private Revision _old;

    /// <summary>How many notes there are: no more than <see cref="Parts"/> and two.</summary>
    public int Count => _notes.Count;

    /// <summary>An entry was applied.</summary>
    /// <param name="at">Its stamp; none is earlier than the one before.</param>
    /// <param name="revision">The bucket's revision after it: all of that is no younger.</param>
    public void Note(LogTime at, Revision revision)
    {
        // Of all entries of a part of the age the last one is noted, so each revision is taken for younger than it is by that much at most.
        if (_partBegan is not { } began)
            _partBegan = at;
        else if (at.Value - began.Value >= Math.Max(1, ageMs / Parts))
        {
            _notes.Enqueue(_latest);
            _partBegan = at;
        }

        _latest = (at, revision);
        Pass(at);
    }

    /// <summary>Log time has come so far, whether or not anything is written.</summary>
    /// <param name="now">No earlier than the last stamp.</param>
    public void Pass(LogTime now)
    {
        while (_notes.TryPeek(out var oldest) && IsOld(oldest.At, now))
            _old = _notes.Dequeue().Revision;
        if (_notes.Count > 0 || _partBegan is null || !IsOld(_latest.At, now))
            return;
        _old = _latest.Revision;
        _partBegan = null;
    }

    /// <summary>When the next revision becomes old of those that history still has, by log time; null while all of them are.</summary>
    public LogTime? NextAt(Revision compacted)
    {
        if (_partBegan is null || _latest.Revision <= compacted)
            return null;
        var next = _latest;
        foreach (var note in _notes)
        {
            if (note.Revision <= compacted)
                continue;
            next = note;
            break;
        }

        return new LogTime(next.At.Value + ageMs + 1);
    }

    /// <summary>The last revision that is certainly older than the age; null where there is none, or history does not have it anyway.</summary>
    public Revision? Due(Revision compacted) => _old > compacted ? _old : null;

    /// <summary>Another state takes the place of the one whose entries were noted.</summary>
    public void Restart()
    {
        _notes.Clear();
        (_partBegan, _old) = (null, default);
    }

    private bool IsOld(LogTime at, LogTime now) => now.Value - at.Value > ageMs;
}
