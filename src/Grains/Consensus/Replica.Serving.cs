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
        if (Unavailable is not null || !_running || !Node.Catalogue.Buckets.TryGetValue(bucket, out var info))
            return null;
        return Node.Groups.TryGetValue(info.Group, out var group) && group.LeadsWithOwnTermCommitted ? Of(info.Group) : null;
    }

    /// <summary>The bucket's state if this node may answer for it alone, by its lease; null otherwise.</summary>
    public BucketReplica? LeadingByLease(BucketId bucket)
    {
        if (LeadingOf(bucket) is not { } leading)
            return null;
        // The lease reads what was handed out, so that has to be applied first, and it has to be all that is committed.
        if (_rules.AppliesBeforeLease)
            TalkNow();
        if (_broken is not null || Unavailable is not null || !Node.MayReadByLease(leading.Group, Now))
            return null;
        ShareLease(leading);
        return leading;
    }

    /// <summary>The bucket's state as far as this node has it, if it belongs to the bucket's group; null otherwise.</summary>
    public BucketReplica? MemberOf(BucketId bucket)
    {
        if (Unavailable is not null || !_running || !Node.Catalogue.Buckets.TryGetValue(bucket, out var info))
            return null;
        return Node.Groups.TryGetValue(info.Group, out var group) && (group.Members.IsVoter(Node.Self.Id) || group.Members.IsLearner(Node.Self.Id)) ? Of(info.Group) : null;
    }

    /// <summary>
    /// Whether this node may answer, from its state as it is then, questions about a group that came before this call (P2). All that ask
    /// before it next speaks to the others share one question.
    /// </summary>
    public ValueTask<bool> ConfirmAsync(GroupId group)
    {
        if (Node.Groups[group].Members.Voters is [var only] && only == Node.Self.Id)
            return ValueTask.FromResult(true);
        if (Node.RequestRead(group) is not { } ticket)
            return ValueTask.FromResult(false);
        if (!_reads.TryGetValue((group, ticket), out var read))
            _reads.Add((group, ticket), read = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously));
        WakeAtOnce();
        return new ValueTask<bool>(read.Task);
    }

    /// <summary>What this node says instead of an answer for a group that it does not lead: where to look.</summary>
    public Refusal NotLeading(GroupId group)
    {
        var leader = Node.Groups.TryGetValue(group, out var replica) ? replica.Leader : NodeId.None;
        return new Refusal(RefusalKind.NotLeader, $"Node '{Node.Self.Name}' does not lead group {group}.", LeaderSilo: leader == Node.Self.Id ? null : _postman.SiloOf(leader));
    }

    /// <summary>Whether nobody else could take over what this node does not do any more.</summary>
    public bool IsAlone(GroupId group) => !Node.Groups.TryGetValue(group, out var replica) || replica.Members.Voters is [var only] && only == Node.Self.Id;
}
