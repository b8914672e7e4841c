using Watch.Core;
using Watch.Core.Consensus;

namespace Watch.Grains.Consensus;

/// <summary>What this node may answer, and for whom (P2).</summary>
internal sealed partial class Replica
{
    private readonly Dictionary<(GroupId Group, long Ticket), TaskCompletionSource<bool>> _reads = [];

    /// <summary>The bucket's state if this node may speak for it (P2); null otherwise.</summary>
    public BucketReplica? LeadingOf(BucketId bucket)
    {
        if (!Serves || !Node.Catalogue.Buckets.TryGetValue(bucket, out var info))
            return null;
        return Node.Groups.TryGetValue(info.Group, out var group) && group.LeadsWithOwnTermCommitted ? Of(info.Group) : null;
    }

    /// <summary>The bucket's state if this node may answer for it alone, by its lease; null otherwise.</summary>
    public BucketReplica? LeadingByLease(BucketId bucket)
    {
        if (LeadingOf(bucket) is not { } leading)
            return null;
        // The lease reads what was handed out, so that has to be applied first.
        if (_rules.AppliesBeforeLease)
            TalkNow();
        if (Unavailable is not null || !Node.MayReadByLease(leading.Group, Now))
            return null;
        ShareLease(leading);
        return leading;
    }

    /// <summary>
    /// The bucket's state as far as this node has it, if it belongs to the bucket's group; null otherwise. Since the node began it has to
    /// have applied something: before a leader, or its own leading, has told what of the log is committed, the state is only that of the last
    /// snapshot, and a bucket without one looks as if nothing had ever been written.
    /// </summary>
    public BucketReplica? MemberOf(BucketId bucket)
    {
        if (!Serves || !Node.Catalogue.Buckets.TryGetValue(bucket, out var info))
            return null;
        return Node.Groups.TryGetValue(info.Group, out var group) && (group.Members.IsVoter(Node.Self.Id) || group.Members.IsLearner(Node.Self.Id))
            && Of(info.Group) is { Reading.IsOpen: true } member ? member : null;
    }

    /// <summary>Appends commands to a group's log if this node leads the group. Where that breaks a rule, the node stops and nothing was appended.</summary>
    public ProposeOutcome Propose(GroupId group, IReadOnlyList<ReadOnlyMemory<byte>> commands) =>
        Try(() => Node.Propose(group, commands, Now), new ProposeOutcome(false, LogIndex.None, Term.None, ProposeRefusal.NotLeader));

    /// <summary>Changes the members of a group if this node leads the group; as <see cref="Propose"/>.</summary>
    public MembershipOutcome Change(GroupId group, MembershipChange change) =>
        Serves ? Try(() => Node.Change(group, change, Now), MembershipOutcome.NotLeader) : MembershipOutcome.NotLeader;

    /// <summary>Begins to hand a group's lead over, if this node has it; as <see cref="Propose"/>.</summary>
    public bool HandOver(GroupId group, NodeId to) => Serves && Try(() => Node.Transfer(group, to, Now), false);

    /// <summary>An argument that is refused changed nothing; after any other failure the state machine is not what it should be (P3).</summary>
    private T Try<T>(Func<T> step, T refused)
    {
        try
        {
            return step();
        }
        catch (Exception error) when (error is not ArgumentException)
        {
            Break(error);
            return refused;
        }
    }

    /// <summary>
    /// Whether this node may answer, from its state as it is then, questions about a group that came before this call (P2). All that ask
    /// before it next speaks to the others share one question.
    /// </summary>
    public ValueTask<bool> ConfirmAsync(GroupId group)
    {
        if (Node.Groups[group].Members.Voters is [var only] && only == Node.Self.Id && HasAllApplied(group))
            return ValueTask.FromResult(true);
        if (Try(() => Node.RequestRead(group), null) is not { } ticket)
            return ValueTask.FromResult(false);
        if (!_reads.TryGetValue((group, ticket), out var read))
            _reads.Add((group, ticket), read = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously));
        WakeAtOnce();
        return new ValueTask<bool>(read.Task);
    }

    /// <summary>Whether everything is applied that is committed, which this tries. A group that has just shrunk to one voter has entries that others made committed.</summary>
    private bool HasAllApplied(GroupId group)
    {
        if (Of(group).Applied < Node.Groups[group].Committed)
            TalkNow();
        return _broken is null && Of(group).Applied >= Node.Groups[group].Committed;
    }

    /// <summary>What this node says instead of an answer for a group that it does not lead: where to look.</summary>
    public Refusal NotLeading(GroupId group)
    {
        var leader = Node.Groups.TryGetValue(group, out var replica) ? replica.Leader : NodeId.None;
        return new Refusal(RefusalKind.NotLeader, $"Node '{Node.Self.Name}' does not lead group {group}.", LeaderSilo: leader == Node.Self.Id ? null : _postman.SiloOf(leader));
    }

    /// <summary>A group as this node knows it. A node that stopped leads nothing, whatever its state machine last was.</summary>
    public GroupDescription About(GroupId id)
    {
        if (!Node.Groups.TryGetValue(id, out var group))
            return new GroupDescription([], [], false, NodeId.None, false, 0, 0, 0, [], []);
        var leads = Serves && group.LeadsWithOwnTermCommitted;
        return new GroupDescription(
            group.Members.Voters, group.Members.Learners, group.MembersCommitted, leads || group.Leader != Node.Self.Id ? group.Leader : NodeId.None,
            leads, group.Term.Value, group.Last.Value, group.Committed.Value, leads ? [.. group.HeardLately(Now)] : [], leads ? [.. group.Heirs] : []);
    }

    /// <summary>Whether nobody else could take over what this node does not do any more.</summary>
    public bool IsAlone(GroupId group) => !Node.Groups.TryGetValue(group, out var replica) || replica.Members.Voters is [var only] && only == Node.Self.Id;
}
