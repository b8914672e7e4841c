namespace Watch.Core.Watching;

/// <summary>
/// The latest revisions of a scope, kept only while one of its subscriptions is joining. It closes the seam between replay and
/// live: a reader of history that has reached <see cref="From"/> takes the rest from here, in the same step in which it goes
/// live, so it need not chase a scope that changes faster than history can be asked.
/// </summary>
internal sealed class RecentCommits(Revision from, int commitsMax, long bytesMax)
{
    private readonly Queue<(Commit Commit, CommitSize Size)> _commits = new();
    private long _bytes;

    /// <summary>Every change of the scope after this revision is here.</summary>
    public Revision From { get; private set; } = from;

    public IEnumerable<(Commit Commit, CommitSize Size)> After(Revision cursor)
    {
        Invariant.That(cursor >= From, "T4: recent commits are read only by those who have all before them.");
        foreach (var each in _commits)
            if (each.Commit.Revision > cursor)
                yield return each;
    }

    public void Add(Commit commit, CommitSize size)
    {
        _commits.Enqueue((commit, size));
        _bytes += size.Bytes + size.PreviousBytes;
        while (_commits.Count > commitsMax || _bytes > bytesMax)
        {
            var (oldest, oldestSize) = _commits.Dequeue();
            _bytes -= oldestSize.Bytes + oldestSize.PreviousBytes;
            From = oldest.Revision;
        }
    }

    /// <summary>What lies at or before this revision is lost to the scope.</summary>
    public void Restart(Revision from)
    {
        _commits.Clear();
        _bytes = 0;
        From = from;
    }
}
