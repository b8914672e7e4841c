namespace Watch.Core.Consensus;

/// <summary>
/// The rules on which Raft's safety rests, one small function each, so that a test can break one at a time and see that its checkers
/// notice. The product uses this class as it stands.
/// </summary>
internal class SafetyRules
{
    internal static readonly SafetyRules Raft = new();

    /// <summary>How many of so many voters elect and commit.</summary>
    internal virtual int Quorum(int voters) => Consensus.Quorum.Of(voters);

    /// <summary>Whether a message's term is over.</summary>
    internal virtual bool IsOver(Term message, Term own) => message < own;

    /// <summary>Whether a candidate's log is at least as up to date as one's own (Raft, section 5.4.1).</summary>
    internal virtual bool IsUpToDate(LogIndex last, Term lastTerm, LogIndex ownLast, Term ownLastTerm) =>
        lastTerm > ownLastTerm || (lastTerm == ownLastTerm && last >= ownLast);

    /// <summary>Whether a replica that voted for one node may vote for another in the same term.</summary>
    internal virtual bool MayVoteAgain => false;

    /// <summary>Whether what a majority has may be counted as committed (Raft, section 5.4.2).</summary>
    internal virtual bool CommitsByCounting(Term entry, Term leader) => entry == leader;

    /// <summary>How far a follower's commit index follows its leader's.</summary>
    internal virtual LogIndex Commit(LogIndex leaders, LogIndex verified) => LogIndex.Min(leaders, verified);

    /// <summary>Which commit index a leader tells its followers (L12).</summary>
    internal virtual LogIndex Told(LogIndex committed, LogIndex handedOut) => handedOut;

    /// <summary>Whether a snapshot brings a replica forward (R13).</summary>
    internal virtual bool BringsForward(LogIndex snapshot, LogIndex committed) => snapshot > committed;

    /// <summary>Whether a log agrees with a snapshot at the snapshot's index, and stays (R13).</summary>
    internal virtual bool Agrees(Term? own, Term snapshots) => own == snapshots;

    /// <summary>Whether what groups need of a segment is written again before it goes (N6).</summary>
    internal virtual bool WritesAgainWhatGoes => true;

    /// <summary>How far a replica may say that it has its log.</summary>
    internal virtual LogIndex Acknowledged(LogIndex durable, LogIndex last) => durable;

    /// <summary>When a follower that answered this round certainly stood by the leader: a lease counts from here.</summary>
    internal virtual TimeSpan StoodByAt(in Round round, in Moment answered) => round.BeganAt;

    /// <summary>Until when a replica that heard from a leader at some time supports nobody else.</summary>
    internal virtual TimeSpan PromisedUntil(TimeSpan heardAt, RaftOptions options) => heardAt + options.Promise;

    /// <summary>The first round whose confirmation serves a read that arrives now.</summary>
    internal virtual long RoundForRead(in Round current) => current.Number + 1;
}
