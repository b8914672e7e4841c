using Orleans;
using Watch.Core;

namespace Watch;

/// <summary>How fresh a read is.</summary>
[GenerateSerializer, Alias("watch.ReadKind")]
public enum ReadKind
{
    /// <summary>Never older than any write acknowledged before the read began.</summary>
    Linearizable = 0,

    /// <summary>The same, on the leader's word alone while its lease lasts.</summary>
    Lease = 1,

    /// <summary>As of some earlier moment.</summary>
    Eventual = 2,

    /// <summary>Of a revision or later.</summary>
    AtLeast = 3,
}

/// <summary>
/// How fresh a read has to be, chosen for each call; the default is <see cref="Linearizable"/>. Every answer names the revision of which it
/// is true, whatever the policy, and is true of that one revision.
/// </summary>
/// <param name="Kind">What is asked for.</param>
/// <param name="Revision">Of <see cref="ReadKind.AtLeast"/>: the least revision.</param>
[GenerateSerializer, Immutable, Alias("watch.ReadPolicy")]
public readonly record struct ReadPolicy([property: Id(0)] ReadKind Kind, [property: Id(1)] Revision Revision)
{
    /// <summary>
    /// Never older than any write that anybody was acknowledged before the read began. A majority of the voters confirms the leader for it:
    /// one exchange of messages, shared by all reads that wait; none where there is one voter.
    /// </summary>
    public static ReadPolicy Linearizable => default;

    /// <summary>
    /// As <see cref="Linearizable"/>, but the leader answers alone while its lease lasts: no exchange. It relies on the clocks of two nodes
    /// drifting apart by no more than the margin (150 ms) during one lease (1.5 s). Without a lease it is a linearizable read.
    /// </summary>
    public static ReadPolicy Lease => new(ReadKind.Lease, Revision.None);

    /// <summary>
    /// What the replica of the silo that serves the call has, or another one's where it has none: the cheapest, and the only one that is
    /// answered while nobody leads. It may lack the latest writes, by any amount of time where that replica is cut off, and two reads in a
    /// row may go back in time. Continuing pages of a scan may be refused with <see cref="WatchErrorCode.FutureRevision"/>.
    /// </summary>
    public static ReadPolicy Eventual => new(ReadKind.Eventual, Revision.None);

    /// <summary>
    /// Of a revision that one was told before, or later: to read one's own writes, or what an event spoke of. Answered by the replica of
    /// the silo that serves the call, as soon as it has come so far; where that silo has none, by the leader. What has not come within the
    /// silo's <c>LeaderTimeout</c> (5 s unless set otherwise) is refused with <see cref="WatchErrorCode.FutureRevision"/>.
    /// </summary>
    public static ReadPolicy AtLeast(Revision revision) => new(ReadKind.AtLeast, revision);
}
