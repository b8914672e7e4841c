namespace Watch.Core.Watching;

/// <summary>A read of history: of a scope that has a gap, or of a subscription that is behind. One question is under way at most.</summary>
internal sealed class HistoryReader(ScopeFeed feed, Subscription? subscription) : Reading
{
    private Revision _partAfter;
    private Commit? _part;

    public ScopeFeed Feed => feed;

    /// <inheritdoc/>
    public override Subscription? Subscription => subscription;

    /// <inheritdoc/>
    public override ReadingPlace? Place => subscription is { Cursor: { } cursor } ? new ReadingPlace(feed, cursor, _partAfter == cursor ? _part : null) : null;

    public FetchId? InFlight { get; set; }

    /// <summary>How many pages one after the other went into the queue as a whole, of a subscription that does not take all that it reads.</summary>
    public int TakenWhole { get; set; }

    /// <summary>Where the question under way, or the last one, began.</summary>
    public Revision After { get; private set; }

    /// <summary>
    /// A question begins. Returns how many changes of the revision right behind it are here already: one that is too large for an answer
    /// comes in pieces, and is given to nobody before it is whole.
    /// </summary>
    public int Begin(FetchId id, Revision after)
    {
        (InFlight, After) = (id, after);
        if (_part is not null && _partAfter != after)
            _part = null;
        return _part?.Changes.Count ?? 0;
    }

    /// <summary>A question begins together with another one of the same place; of what is here already it has just what that one has, which may leave.</summary>
    public void Begin(HistoryReader first)
    {
        (InFlight, After) = (first.InFlight, first.After);
        Share(first);
    }

    /// <summary>It has what another one has that asked together with it.</summary>
    public void Share(HistoryReader first) => (_part, _partAfter) = (first._part, first._partAfter);

    /// <summary>The whole revisions of an answer; what is left over of its last one waits for the next. Null where it brings nothing.</summary>
    public IReadOnlyList<Commit>? Complete(HistoryPiece piece)
    {
        List<Commit> commits = [.. piece.Commits];
        if (_part is { } part && commits.Count > 0)
        {
            Invariant.That(commits[0].Revision == part.Revision, "H1: an answer goes on with the revision of which it was told that a part is there.");
            commits[0] = new Commit(part.Revision, [.. part.Changes, .. commits[0].Changes]);
        }

        _part = null;
        if (piece.Left == 0)
            return piece.Reached > After ? commits : null;

        Invariant.That(commits.Count > 0 && commits[^1].Revision > piece.Reached, "H2: what is not whole lies behind what an answer reaches.");
        (_part, _partAfter) = (commits[^1], piece.Reached);
        commits.RemoveAt(commits.Count - 1);
        return commits;
    }
}
