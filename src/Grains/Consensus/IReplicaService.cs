using System.Collections.Immutable;
using Orleans;
using Orleans.Runtime;
using Orleans.Services;
using Watch.Core;
using Watch.Core.Consensus;

namespace Watch.Grains.Consensus;

/// <summary>
/// A node's replica of every group, one per silo and addressed by silo. Only silos call it: the contract lives in this assembly, which
/// clients do not have. Every question names its bucket; who does not lead the bucket's group says so, and who does if it knows.
/// </summary>
[Alias("watch.IReplicaService")]
internal partial interface IReplicaService : IGrainService
{
    /// <summary>Who this node is and what it knows; answered by every node at any time.</summary>
    [Alias("Describe"), ResponseTimeout("00:00:01")]
    Task<NodeDescription> Describe(BucketId bucket);

    /// <summary>
    /// Hears what another node says: parcels as <see cref="Core.Consensus.Messages.ParcelCodec"/> writes them. The answer says only that
    /// they have arrived; what this node says to them comes as parcels of its own.
    /// </summary>
    [Alias("Deliver"), ResponseTimeout("00:00:01")]
    Task Deliver(SiloAddress silo, ImmutableArray<ReadOnlyMemory<byte>> parcels);

    /// <summary>
    /// Changes the members of a group by one node. Answered when the change stands in the leader's log; it is certain when it has
    /// committed, which <see cref="DescribeGroup"/> shows. Asking again is harmless.
    /// </summary>
    [Alias("ChangeMembers"), ResponseTimeout("00:00:05")]
    Task<MembershipReply> ChangeMembers(GroupId group, MembershipChange change);

    /// <summary>Who belongs to a group, and who leads it, as this node's own replica knows it; answered by every node at any time.</summary>
    [Alias("DescribeGroup"), ResponseTimeout("00:00:01")]
    Task<GroupDescription> DescribeGroup(GroupId group);

    /// <summary>
    /// Lets the node take part: decides about the cluster's birth, starts the replica, and is answered when that is decided. Called once,
    /// by the silo itself, when it has become active.
    /// </summary>
    [Alias("Begin"), ResponseTimeout("01:00:00")]
    Task Begin();

    /// <summary>
    /// The silo is about to stop: the node hands over what it leads with others, and is answered when the messages that say so have left or
    /// were lost. Called once, by the silo itself.
    /// </summary>
    [Alias("End"), ResponseTimeout("00:00:10")]
    Task End();

    /// <summary>Takes writes into the log; answered when all of them are committed and applied, or certainly will not be.</summary>
    [Alias("Propose"), ResponseTimeout("00:00:10")]
    Task<ProposeReply> Propose(ProposeRequest request);

    /// <summary>Reads several keys at one revision. What a policy allows that asks for less than the leader's word, any replica answers.</summary>
    [Alias("GetMany"), ResponseTimeout("00:00:05")]
    Task<KeysReply> GetMany(BucketId bucket, ImmutableArray<Key> keys, ReadPolicy policy);

    /// <summary>The bucket's revision, confirmed by a majority after the question came: who has that revision has all that was acknowledged by then.</summary>
    [Alias("Confirm"), ResponseTimeout("00:00:05")]
    Task<RevisionReply> Confirm(BucketId bucket);

    /// <summary>Reads a page of keys, as fresh as the request's policy says.</summary>
    [Alias("Scan"), ResponseTimeout("00:00:10")]
    Task<ScanReply> Scan(BucketId bucket, ScanRequest request);

    /// <summary>Reads the history of a scope; the leader answers.</summary>
    [Alias("History"), ResponseTimeout("00:00:10")]
    Task<HistoryReply> History(HistoryRequest request);

    /// <summary>
    /// The same of any member that does not lead and has come as far as is asked for: its history is the leader's (I-H1). Any other
    /// refuses.
    /// </summary>
    [Alias("HistoryAt"), ResponseTimeout("00:00:05")]
    Task<HistoryReply> HistoryAt(HistoryRequest request);

    /// <summary>Reads a page of keys for a watch that begins with them; the leader answers.</summary>
    [Alias("Snapshot"), ResponseTimeout("00:00:10")]
    Task<SnapshotPageReply> Snapshot(SnapshotPageRequest request);

    /// <summary>The same of any member that does not lead and has come as far as is asked for. Any other refuses.</summary>
    [Alias("SnapshotAt"), ResponseTimeout("00:00:05")]
    Task<SnapshotPageReply> SnapshotAt(SnapshotPageRequest request);

    /// <summary>
    /// Gives up history up to and including a revision, by entries in the log; answered when some of them are applied, with the revision up
    /// to which there is none. Where that is earlier than what was asked for, who wants more asks on.
    /// </summary>
    [Alias("Compact"), ResponseTimeout("00:00:10")]
    Task<RevisionReply> Compact(BucketId bucket, Revision through);

    /// <summary>
    /// From the answer's revision on, every commit of these scopes names the silo. Asking again is harmless. The answer's heads are in
    /// the order asked.
    /// </summary>
    [Alias("Register"), ResponseTimeout("00:00:05")]
    Task<HeadsReply> Register(BucketId bucket, string silo, ImmutableArray<Scope> scopes);

    /// <summary>
    /// The bucket's revision, and which of the silo's scopes changed since it last said what it knows: by this a silo notices that a last
    /// event was lost, or that the leader does not know one of its scopes (any more). It costs what changed, not what is watched.
    /// </summary>
    [Alias("Progress"), ResponseTimeout("00:00:05")]
    Task<ProgressReply> Progress(ProgressQuestion question);

    /// <summary>Commits of these scopes no longer name the silo.</summary>
    [Alias("Unregister"), ResponseTimeout("00:00:05")]
    Task<LeaderReply> Unregister(BucketId bucket, string silo, ImmutableArray<Scope> scopes);

    /// <summary>Commits no longer name the silo at all: it stops.</summary>
    [Alias("Forget"), ResponseTimeout("00:00:02")]
    Task<LeaderReply> Forget(BucketId bucket, string silo);

    /// <summary>How the bucket is.</summary>
    [Alias("DescribeBucket"), ResponseTimeout("00:00:05")]
    Task<BucketStatusReply> DescribeBucket(BucketId bucket);
}
