namespace Watch.Core.Keyspace;

/// <summary>Cuts a sequence of changes into pages: by whole commits, within limits, always going on. A commit too large for a message comes in pieces.</summary>
internal static class HistoryPager
{
    /// <summary>The page of the changes in (after, upTo].</summary>
    /// <param name="changes">The changes of one scope.</param>
    /// <param name="after">The cursor.</param>
    /// <param name="upTo">The last revision that is wanted.</param>
    /// <param name="changesMax">The page ends before the commit that would bring more changes than this.</param>
    /// <param name="bytesMax">The page ends before the commit that would bring more bytes than this.</param>
    /// <param name="skip">How many changes of the first commit are had already.</param>
    public static HistoryPage Cut(IChangeSequence changes, Revision after, Revision upTo, int changesMax, long bytesMax, int skip = 0)
    {
        var commits = new List<Commit>();
        var reached = after;
        var position = ChangeSearch.FirstAfter(changes, after) + skip;
        long changesTaken = 0, bytesTaken = 0;
        while (position < changes.Count && changes[position].Revision <= upTo)
        {
            var (count, bytes) = Measure(changes, position);
            var fits = changesTaken + count <= changesMax && bytesTaken + bytes <= bytesMax;

            // The first commit is taken whatever its size: a page that could be empty would never let its reader go on.
            if (!fits && commits.Count > 0)
                return new HistoryPage(commits, reached);
            if (bytes > PageBytes.PieceMax && commits.Count == 0 && CountOfPiece(changes, position, count) is var piece && piece < count)
                return new HistoryPage([Take(changes, position, piece)], after, Left: count - piece);

            commits.Add(Take(changes, position, count));
            reached = commits[^1].Revision;
            changesTaken += count;
            bytesTaken += bytes;
            position += count;
        }

        return new HistoryPage(commits, Revision.Max(after, upTo));
    }

    private static (int Count, long Bytes) Measure(IChangeSequence changes, int position)
    {
        var revision = changes[position].Revision;
        var (count, bytes) = (0, 0L);
        while (position + count < changes.Count && changes[position + count] is var change && change.Revision == revision)
        {
            count++;
            bytes += PageBytes.Of(change);
        }

        return (count, bytes);
    }

    private static int CountOfPiece(IChangeSequence changes, int position, int count)
    {
        var (taken, bytes) = (1, PageBytes.Of(changes[position]));
        while (taken < count && (bytes += PageBytes.Of(changes[position + taken])) <= PageBytes.PieceMax)
            taken++;
        return taken;
    }

    private static Commit Take(IChangeSequence changes, int position, int count)
    {
        var taken = new Change[count];
        for (var each = 0; each < count; each++)
            taken[each] = changes[position + each];
        return new Commit(taken[0].Revision, taken);
    }
}
