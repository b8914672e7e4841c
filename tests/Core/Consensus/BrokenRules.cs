using Watch.Core.Consensus;

namespace Watch.Core.Tests.Consensus;

/// <summary>Raft with one safety rule broken each.</summary>
internal abstract class BrokenRules(string name) : SafetyRules
{
    internal static readonly BrokenRules[] All =
    [
        new AcknowledgeBeforeSync(), new SkipTermCheck(), new WrongQuorum(), new CommitOldTermByCounting(), new LeaseFromAnswer(), new NoLeaseProtection(),
        new VoteWithoutComparingLogs(), new VoteTwice(), new ReadWithoutAsking(), new TruncateBeforeSync(), new RetireUnwritten(),
    ];

    internal string Name { get; } = name;

    /// <summary>Whether a node's log may go on without what a snapshot stands for only when that snapshot is on the disk: the shell's part.</summary>
    internal static bool SyncsBeforeTruncation(SafetyRules rules) => rules is not TruncateBeforeSync;

    /// <summary>Whether clients may ask for lease reads.</summary>
    internal virtual bool LeaseReads => true;

    private sealed class AcknowledgeBeforeSync() : BrokenRules("acknowledge before fsync")
    {
        internal override LogIndex Acknowledged(LogIndex durable, LogIndex last) => last;
    }

    private sealed class SkipTermCheck() : BrokenRules("skip the term check")
    {
        internal override bool IsOver(Term message, Term own) => false;
    }

    private sealed class WrongQuorum() : BrokenRules("wrong quorum")
    {
        internal override int Quorum(int voters) => Math.Max(1, voters / 2);
    }

    private sealed class CommitOldTermByCounting() : BrokenRules("commit an old-term entry by counting")
    {
        internal override bool CommitsByCounting(Term entry, Term leader) => true;
    }

    private sealed class LeaseFromAnswer() : BrokenRules("lease counted from the answer")
    {
        internal override TimeSpan StoodByAt(in Round round, in Moment answered) => answered.Monotonic;
    }

    private sealed class NoLeaseProtection() : BrokenRules("no lease protection in votes")
    {
        internal override TimeSpan PromisedUntil(TimeSpan heardAt, RaftOptions options) => heardAt;
    }

    private sealed class VoteWithoutComparingLogs() : BrokenRules("vote without comparing logs")
    {
        internal override bool IsUpToDate(LogIndex last, Term lastTerm, LogIndex ownLast, Term ownLastTerm) => true;
    }

    private sealed class VoteTwice() : BrokenRules("vote twice in a term")
    {
        internal override bool MayVoteAgain => true;
    }

    /// <summary>
    /// Not among <see cref="All"/>: a random cluster does not notice it. What is taken back was committed and is the same when it comes again, the
    /// store keeps the newer of two snapshots whatever order they come in (<c>An_older_snapshot_never_replaces_a_newer_one</c>), and a
    /// loss would need a majority that goes back at once. SnapshotTests shows the rule, and what happens without it.
    /// </summary>
    internal sealed class InstallOlder() : BrokenRules("a snapshot replaces a log that is ahead of it")
    {
        internal override bool BringsForward(LogIndex snapshot, LogIndex committed) => true;

        internal override bool Agrees(Term? own, Term snapshots) => false;
    }

    private sealed class TruncateBeforeSync() : BrokenRules("truncate the log before the snapshot is on the disk");

    private sealed class RetireUnwritten() : BrokenRules("retire a segment without writing again what is needed of it")
    {
        internal override bool WritesAgainWhatGoes => false;
    }

    /// <summary>Leases also keep a leader's reads right that confirms them badly, as long as clocks behave: without them it shows.</summary>
    private sealed class ReadWithoutAsking() : NoLeases("confirm a read without asking")
    {
        internal override long RoundForRead(in Round current) => 0;
    }
}

/// <summary>Nobody stands by anybody, as if clocks meant nothing; and nobody asks for lease reads. Everything else must still hold.</summary>
internal class NoLeases(string name) : BrokenRules(name)
{
    internal override bool LeaseReads => false;

    internal override TimeSpan PromisedUntil(TimeSpan heardAt, RaftOptions options) => heardAt;
}
