using Watch.Core.Consensus.Messages;

namespace Watch.Core.Consensus;

/// <summary>
/// Leadership confirmed: each follower's answer names the round that it answers. What a majority answered confirms two things.
///
///   L7  A read may be answered when a majority has answered a round that began after the read arrived, and everything was handed out that
///       was committed when it arrived. An entry of the leader's own term is among that: before it has committed, a new leader does not
///       know what is.
///   L8  The lease lasts from the beginning of the last round that a majority has answered. This replica itself answers at once. Answers
///       to a round that was given up count for nothing, and so do answers to a round that began before this replica led (they may come
///       in its term, from one that was asked in an earlier one, and say nothing of whom it stands by in this), and to one that has not begun
///       (another life of this node asked).
/// </summary>
internal sealed partial class LeaderRole
{
    private readonly Queue<Read> _reads = new();
    private Read _newest;
    private long _asked;
    private long _givenUp;
    private long _before;

    /// <summary>Whether reads wait for a round that has not been asked about.</summary>
    internal bool WantsConfirmation => _reads.Count > 0 && _newest.Round > _asked && !_handedOver;

    /// <summary>When a majority will have been silent for too long.</summary>
    private TimeSpan QuorumLostAt
    {
        get
        {
            var heard = OfMajority(TimeSpan.MaxValue, static progress => progress.StoodByAt);
            return heard == TimeSpan.MaxValue ? heard : (heard > _since ? heard : _since) + Options.Promise;
        }
    }

    /// <summary>Until when this leader may answer reads alone; in the past where it has no lease.</summary>
    internal TimeSpan LeaseUntil(in Moment now)
    {
        var from = _handedOver ? TimeSpan.MinValue : OfMajority(now.Monotonic, static progress => progress.LeaseFrom);
        return from == TimeSpan.MinValue ? from : from + Options.Lease;      // L8
    }

    /// <summary>The members that have answered within the time of a promise, this one among them.</summary>
    internal IEnumerable<NodeId> HeardLately(TimeSpan now) =>
        Members.All.Where(node => node == Group.Self || (_others.TryGetValue(node, out var progress) && progress.StoodByAt != TimeSpan.MinValue && now - progress.StoodByAt <= Options.Promise));

    internal long RequestRead()
    {
        var round = Context.Rules.RoundForRead(Context.Rounds.Current);
        var index = LogIndex.Max(Group.Committed, OwnTermFrom);              // L7
        if (_reads.Count > 0 && _newest.Round == round && _newest.Index == index)
            return _newest.Ticket;
        _newest = new Read(Group.NextTicket(), round, index);
        _reads.Enqueue(_newest);
        return _newest.Ticket;
    }

    /// <summary>The reads that wait are asked about in this round.</summary>
    internal void Asks(in Round round) => _asked = round.Number;

    /// <summary>A follower answered a heartbeat.</summary>
    internal void HearAnswer(NodeId from, Term reached, in Round round, in Moment now)
    {
        if (!_others.TryGetValue(from, out var progress))
            return;
        if (reached == Group.Term)
            Hear(progress, round, now);
        else
            progress.Begin();
    }

    internal void SettleReads(in Moment now)
    {
        if (_reads.Count == 0)
            return;
        var confirmed = OfMajority(long.MaxValue, static progress => progress.Answered);
        while (_reads.TryPeek(out var read) && read.Round <= confirmed && read.Index <= Group.HandedOut)
        {
            _reads.Dequeue();
            Group.Answer(new ReadAnswer(Group.Id, read.Ticket, true));
        }
    }

    private void Hear(Progress progress, in Round round, in Moment now)
    {
        // Nothing began later than now, in this life (L8).
        if (round.Number > _before && round.Number <= Context.Rounds.Current.Number && round.BeganAt <= now.Monotonic)
            progress.Heard(round.Number, Context.Rules.StoodByAt(round, now), countsForLease: round.Number > _givenUp);
        else
            progress.Wake();
    }

    /// <summary>R9: from here on no lease read is answered on the strength of a round up to the one returned.</summary>
    private long GiveUpLease()
    {
        _givenUp = Context.Rounds.Current.Number;
        foreach (var progress in _others.Values)
            progress.Release();
        return _givenUp;
    }

    private void FailReads()
    {
        while (_reads.TryDequeue(out var read))
            Group.Answer(new ReadAnswer(Group.Id, read.Ticket, false));
    }

    /// <summary>The greatest value that a majority of the voters has reached, with this replica's own given.</summary>
    private T OfMajority<T>(T own, Func<Progress, T> of)
        where T : IComparable<T>
    {
        var values = new T[Members.Voters.Length];
        for (var i = 0; i < values.Length; i++)
            values[i] = Members.Voters[i] is var voter && voter == Group.Self ? own : of(_others[voter]);
        Array.Sort(values);
        return values[values.Length - Context.Rules.Quorum(values.Length)];
    }

    private readonly record struct Read(long Ticket, long Round, LogIndex Index);
}
