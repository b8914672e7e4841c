using Watch.Core.Consensus.Messages;

namespace Watch.Core.Consensus;

/// <summary>
/// Sending: entries to each follower as far as the limits allow, in messages of the node's current round; and handing over.
///
///   L5  Entries are sent while this node's own disk still writes them: a majority may have them first.
///   L6  Who is asked to take over has the whole log, and the lease was given up before (R9). Nothing is sent after that until the
///       hand-over ends: an answer to a later round would be a promise that the release does not cover.
///   L12 Followers are told that no more is committed than this replica has handed out itself. They answer reads from what they applied, and
///       a lease read here that comes after such a read must not show less, though a majority has what this node's disk still writes.
/// </summary>
internal sealed partial class LeaderRole
{
    private NodeId? _transferTo;
    private TimeSpan _transferUntil = TimeSpan.MaxValue;
    private bool _handedOver;

    /// <summary>L12.</summary>
    private LogIndex Told => Context.Rules.Told(Group.Committed, Group.HandedOut);

    /// <summary>The nodes that a heartbeat has to reach.</summary>
    internal IEnumerable<NodeId> HeartbeatTo => _handedOver ? [] : _others.Keys;

    /// <summary>Sends every follower what it lacks.</summary>
    internal void Replicate(in Moment now)
    {
        if (_handedOver)
            return;
        foreach (var (node, progress) in _others)
        {
            while (progress.Next >= Log.First && progress.Wants(Log.Last, Told, Options))
                SendTo(node, progress, now);
            if (progress.Next < Log.First)
                SendSnapshot(node, progress, now);                       // L9
        }
    }

    /// <summary>The voters to whom leadership may be handed over, those with most of the log first.</summary>
    internal IEnumerable<NodeId> Heirs() =>
        Members.Voters.Where(node => node != Group.Self && IsCaughtUp(node)).OrderByDescending(node => _others[node].Match.Value);

    internal bool Transfer(NodeId to, in Moment now)
    {
        // Nothing is accepted until the heir has everything: one that lags would hold all writers up (L6).
        if (to == Group.Self || !Members.IsVoter(to) || _transferTo is not null || !IsCaughtUp(to))
            return false;
        (_transferTo, _transferUntil) = (to, now.Monotonic + Options.Lease);
        HandOverIfReady(now);
        return true;
    }

    /// <summary>Steps down on purpose: the others hear that nobody needs to wait, and the one with the most of the log that it may stand.</summary>
    internal void Resign(in Moment now)
    {
        Replicate(now);
        var round = GiveUpLease();
        NodeId? heir = null;
        foreach (var (node, progress) in _others)
        {
            if (Members.IsVoter(node) && !progress.IsSilent && (heir is not { } best || progress.Match > _others[best].Match))
                heir = node;
            Group.Send(node, new ReleaseLease(Group.Id, Group.Term, Group.Self, round));
        }
        if (heir is { } next)
            Group.Send(next, new TimeoutNow(Group.Id, Group.Term, Group.Self, round));
        Group.Follow(NodeId.None, now);
        (Group.CurrentRole as FollowerRole)?.Wait(now);
    }

    private void HandOverIfReady(in Moment now)
    {
        if (_handedOver || _transferTo is not { } to || _others[to].Match != Log.Last)
            return;
        _handedOver = true;
        _transferUntil = now.Monotonic + Options.HeartbeatInterval;      // long enough for an election, too short to be missed
        Group.Send(to, new TimeoutNow(Group.Id, Group.Term, Group.Self, GiveUpLease()));      // L6
    }

    private void EndTransfer() => (_transferTo, _transferUntil, _handedOver) = (null, TimeSpan.MaxValue, false);

    private void SendTo(NodeId node, Progress progress, in Moment now)
    {
        Invariant.That(progress.Next >= Log.First, "R1: a leader sends entries that its log still has");
        var after = progress.Next.Previous;
        var (upTo, bytes) = (after, 0L);
        while (upTo < Log.Last && upTo - after < Options.AppendEntriesMax
               && (upTo == after || bytes + Log[upTo.Next].Payload.Length <= Options.AppendBytesMax))
        {
            upTo = upTo.Next;
            bytes += Log[upTo].Payload.Length;
        }
        Group.Send(node, new AppendEntries(Group.Id, Group.Term, Group.Self, Context.Rounds.Current, after, Log.TermAt(after)!.Value, Told, Log.Slice(after, upTo)));
        progress.Sent((int)(upTo - after), bytes, LogIndex.Min(Told, upTo), now, Options);
    }
}
