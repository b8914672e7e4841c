namespace Watch.Core.Keyspace;

/// <summary>
/// A key and its versions: every change above the compaction point and, where it is a put, the newest one at or below it. The
/// newest version has a field of its own, so a key that was written once needs no list.
/// </summary>
internal sealed class KeyEntry(Key key, Segment parent, Revision head) : ScopeEntry(key, parent, head), IChangeSequence
{
    private CompactQueue<Change> _older;

    /// <summary>The last version, put or delete; null where compaction left none.</summary>
    public Change? Newest { get; private set; }

    /// <summary>The put that gave the key its present value; null where the key does not exist.</summary>
    public Change? Current => Newest is { Kind: ChangeKind.Put } ? Newest : null;

    public override bool IsEmpty => Newest is null;

    public int Count => Newest is null ? 0 : _older.Count + 1;

    public Change this[int position] => position < _older.Count ? _older[position] : Newest!;

    public void Append(Change change)
    {
        if (Newest is not null)
            _older.Append(Newest);
        Newest = change;
    }

    /// <summary>The put that gave the key its value at a revision; null where it did not exist then.</summary>
    public Change? At(Revision revision)
    {
        if (Newest is null)
            return null;
        var version = Newest;
        if (version.Revision > revision)
        {
            var behind = ChangeSearch.FirstAfter(this, revision);
            if (behind == 0)
                return null;
            version = this[behind - 1];
        }

        return version.Kind == ChangeKind.Put ? version : null;
    }

    /// <summary>
    /// Drops the versions that a compaction at this revision leaves no use for: all before the newest one at or below it, and
    /// that one too where it is a delete. The one that stays lets go of the value before it, which no reader can ask for.
    /// </summary>
    public void Compact(Revision through)
    {
        var behind = ChangeSearch.FirstAfter(this, through);
        if (behind == 0)
            return;

        var newestBelow = this[behind - 1];
        var dropped = newestBelow.Kind == ChangeKind.Delete ? behind : behind - 1;
        if (dropped > _older.Count)
            Newest = null;
        _older.DropOldest(Math.Min(dropped, _older.Count));
        if (newestBelow.Kind == ChangeKind.Delete || newestBelow.PreviousValue is null)
            return;

        var kept = newestBelow with { PreviousValue = null };
        if (_older.Count == 0)
            Newest = kept;
        else
            _older.Replace(0, kept);
    }
}

/// <summary>Binary search by revision.</summary>
internal static class ChangeSearch
{
    /// <summary>The position of the first change behind a revision; the count where there is none.</summary>
    public static int FirstAfter(IChangeSequence changes, Revision revision)
    {
        var (low, high) = (0, changes.Count);
        while (low < high)
        {
            var middle = (int)(((uint)low + (uint)high) / 2);
            if (changes[middle].Revision <= revision)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
