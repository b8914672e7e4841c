namespace Watch.Core.Keyspace;

/// <summary>How much of a range to read, and as of when.</summary>
public sealed record ScanRequest
{
    /// <summary>At most this many keys in the page, 1 or more; without limit where not said.</summary>
    public int KeysMax { get; init; } = int.MaxValue;

    /// <summary>
    /// The page ends before the item that would take it past this many bytes, counted as <see cref="PageBytes"/> counts;
    /// the first item is always in it. Without limit where not said.
    /// </summary>
    public long BytesMax { get; init; } = long.MaxValue;

    /// <summary>
    /// At most this many keys are looked at, 1 or more, whether or not they exist at that revision: what is gone, or came later, costs as
    /// much as what is found. Without limit where not said.
    /// </summary>
    public int VisitsMax { get; init; } = int.MaxValue;

    /// <summary>Leave the values empty.</summary>
    public bool KeysOnly { get; init; }

    /// <summary>Begin behind this key: <see cref="ScanPage.Last"/> of the page before.</summary>
    public Key? After { get; init; }

    /// <summary>The revision to read at; null for the present. Pages of one scan name the first page's revision here.</summary>
    public Revision? At { get; init; }
}

/// <summary>One page of a range, in key order.</summary>
/// <param name="Items">The keys.</param>
/// <param name="Revision">The revision at which all of it is true: a watch from the next one on misses nothing.</param>
/// <param name="More">Whether the range holds more behind <paramref name="Last"/>, or may: an empty page is not the end then.</param>
/// <param name="Last">The last key that was looked at, where there is more; it is no earlier than the last item, and need not exist.</param>
/// <param name="IsFull">Whether it ended since another item would have been too many, or too large; else it ended since enough was looked at, or with the range.</param>
public sealed record ScanPage(IReadOnlyList<KeyValue> Items, Revision Revision, bool More, Key? Last = null, bool IsFull = false);

/// <summary>One page of a scope's history, in revision order, no commit split.</summary>
/// <param name="Commits">The commits, each with those of its changes that lie in the scope.</param>
/// <param name="Reached">Everything after the asked cursor and up to here is in the page; ask again from here for more.</param>
/// <param name="Left">
/// How many changes of the one commit are not in the page, which is too large for one; 0 where all are whole. Where there are some, it
/// lies behind <paramref name="Reached"/>: ask again from there, and say how many of its changes are had.
/// </param>
public sealed record HistoryPage(IReadOnlyList<Commit> Commits, Revision Reached, int Left = 0);

/// <summary>How much history is kept for replay; past either limit, <see cref="BucketState.DueCompaction"/> names a compaction.</summary>
public sealed record HistoryLimits
{
    /// <summary>At most this many revisions, 1 or more.</summary>
    public required long RevisionsMax { get; init; }

    /// <summary>At most this many bytes, counted as <see cref="PageBytes.Kept"/> counts.</summary>
    public required long BytesMax { get; init; }
}

/// <summary>How limits in bytes count a key or a change: what it holds, and a fixed part for its numbers.</summary>
public static class PageBytes
{
    /// <summary>Counted for a change or an item beside its key and values: revisions, version, time, lengths.</summary>
    public const int Fixed = 48;

    /// <summary>Counted for a change kept in history beside its value: its record and its places in the indexes, as measured.</summary>
    public const int KeptFixed = 160;

    /// <summary>A commit of more bytes than this comes in pieces: 4 MiB. A piece has one change at least, whatever its size.</summary>
    public const long PieceMax = 4L << 20;

    /// <summary>Bytes of a read's item.</summary>
    public static long Of(Key key, int valueLength) => Fixed + key.Length + (long)valueLength;

    /// <summary>Bytes of a change with its previous value, as a page of history carries it.</summary>
    public static long Of(Change change)
    {
        ArgumentNullException.ThrowIfNull(change);
        return Fixed + change.Key.Length + (long)change.Value.Length + (change.PreviousValue?.Length ?? 0);
    }

    /// <summary>Bytes that a change holds in memory; the previous value is the one before it and is not counted twice.</summary>
    public static long Kept(Change change)
    {
        ArgumentNullException.ThrowIfNull(change);
        return KeptFixed + (long)change.Value.Length;
    }
}
