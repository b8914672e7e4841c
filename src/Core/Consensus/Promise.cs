namespace Watch.Core.Consensus;

/// <summary>
/// Whom a replica stands by, and for how long: the other half of a leader's lease. A replica that acknowledged a leader's round supports
/// nobody else until that round's lease and the drift margin have run out on its own clock, counted from when it heard, which was not
/// before the leader sent. After a restart it does not remember whom it stood by, and stands by whoever that was.
/// </summary>
internal readonly record struct Promise(NodeId Leader, Term Term, long RoundNumber, TimeSpan Until)
{
    /// <summary>No promise.</summary>
    internal static readonly Promise None = new(NodeId.None, Term.None, 0, TimeSpan.MinValue);

    /// <summary>The promise of a replica that may have made one before it restarted.</summary>
    internal static Promise Forgotten(TimeSpan until) => new(NodeId.None, new Term(long.MaxValue), long.MaxValue, until);

    /// <summary>Whether it forbids to support a node. A leader that asks for a vote has given up the lease it had.</summary>
    internal bool Forbids(NodeId node, Release? released, in Moment now) =>
        now.Monotonic < Until && node != Leader && !(released is { } word && CoveredBy(word));

    /// <summary>Whether a leader's word frees this replica: an earlier leader's lease was over before that one was elected.</summary>
    internal bool CoveredBy(Release word) => Term < word.Term || (Term == word.Term && RoundNumber <= word.RoundNumber);
}
