using System.Collections.Immutable;
using Orleans;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;

namespace Watch.Grains.Consensus;

/// <summary>Who a node is.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Incarnation">The incarnation of the cluster that it belongs to; empty where it knows none.</param>
/// <param name="Leads">Whether it leads the group of the bucket asked about, with an entry of its own term committed.</param>
/// <param name="Node">Its number.</param>
/// <param name="Bootstrap">Its setting <c>Bootstrap</c>.</param>
[GenerateSerializer, Immutable, Alias("watch.NodeDescription")]
internal sealed record NodeDescription(
    [property: Id(0)] string Name,
    [property: Id(1)] string Incarnation,
    [property: Id(2)] bool Leads,
    [property: Id(3)] NodeId Node,
    [property: Id(4)] string Bootstrap = "");

/// <summary>A group as one replica knows it.</summary>
/// <param name="Voters">Who votes, by the last such entry in its log, committed or not; empty where the node has no replica of the group.</param>
/// <param name="Learners">Who learns.</param>
/// <param name="MembersCommitted">Whether that entry has committed, as far as it knows.</param>
/// <param name="Leader">Who leads; <see cref="NodeId.None"/> where it does not know.</param>
/// <param name="Leads">Whether it leads itself, with an entry of its own term committed.</param>
/// <param name="Term">The term.</param>
/// <param name="LastIndex">The last index of its log.</param>
/// <param name="CommittedIndex">Everything up to here is committed.</param>
/// <param name="Heard">Of a leader: the members that have answered it lately, itself among them.</param>
/// <param name="Heirs">Of a leader: the voters that could lead at once, those with most of its log first.</param>
[GenerateSerializer, Immutable, Alias("watch.GroupDescription")]
internal sealed record GroupDescription(
    [property: Id(0)] ImmutableArray<NodeId> Voters,
    [property: Id(1)] ImmutableArray<NodeId> Learners,
    [property: Id(2)] bool MembersCommitted,
    [property: Id(3)] NodeId Leader,
    [property: Id(4)] bool Leads,
    [property: Id(5)] long Term,
    [property: Id(6)] long LastIndex,
    [property: Id(7)] long CommittedIndex,
    [property: Id(8)] ImmutableArray<NodeId> Heard,
    [property: Id(9)] ImmutableArray<NodeId> Heirs);

/// <summary>What became of a change of members. A node that does not lead refuses; <see cref="Code"/> says everything else.</summary>
[GenerateSerializer, Immutable, Alias("watch.MembershipReply")]
internal sealed record MembershipReply : LeaderReply
{
    /// <summary>The <see cref="MembershipOutcome"/> as a number.</summary>
    [Id(0)]
    public int Code { get; init; }

    /// <summary>What became of it.</summary>
    public MembershipOutcome Outcome => (MembershipOutcome)Code;
}

/// <summary>Why a replica did not do what it was asked. Whatever it says, nothing was done.</summary>
[GenerateSerializer, Alias("watch.RefusalKind")]
internal enum RefusalKind
{
    NotLeader = 0,
    Busy = 1,
    ShuttingDown = 2,
    UnknownBucket = 3,
    Compacted = 4,
    FutureRevision = 5,
    Failed = 6,
    TooLarge = 7,
}

/// <summary>A refusal, with what the caller needs to know.</summary>
/// <param name="Kind">Why.</param>
/// <param name="Message">In words.</param>
/// <param name="FirstAvailable">Of <see cref="RefusalKind.Compacted"/>: the first revision that history still has.</param>
/// <param name="LeaderSilo">Of <see cref="RefusalKind.NotLeader"/>: the silo of the leader as far as the node knows, or null.</param>
[GenerateSerializer, Immutable, Alias("watch.Refusal")]
internal sealed record Refusal([property: Id(0)] RefusalKind Kind, [property: Id(1)] string Message, [property: Id(2)] Revision FirstAvailable = default, [property: Id(3)] SiloAddress? LeaderSilo = null);

/// <summary>What every answer of a replica has: either it refuses, or the rest is filled in.</summary>
[GenerateSerializer, Immutable, Alias("watch.LeaderReply")]
internal record LeaderReply
{
    [Id(0)]
    public Refusal? Refusal { get; init; }
}

/// <summary>Writes for one bucket, encoded as log entries carry them.</summary>
[GenerateSerializer, Immutable, Alias("watch.ProposeRequest")]
internal sealed record ProposeRequest([property: Id(0)] BucketId Bucket, [property: Id(1)] ImmutableArray<ReadOnlyMemory<byte>> Commands);

/// <summary>One answer per write, in the order proposed.</summary>
[GenerateSerializer, Immutable, Alias("watch.ProposeReply")]
internal sealed record ProposeReply : LeaderReply
{
    [Id(0)]
    public ImmutableArray<CommandOutcome> Outcomes { get; init; } = [];
}

/// <summary>A scope to tell of a commit: its revision before, for the chain, and the silos that watch it.</summary>
[GenerateSerializer, Immutable, Alias("watch.WatchedScope")]
internal sealed record WatchedScope([property: Id(0)] Scope Scope, [property: Id(1)] Revision Previous, [property: Id(2)] ImmutableArray<string> Silos);

/// <summary>What became of one write.</summary>
/// <param name="Result">What its caller is told.</param>
/// <param name="Changes">Its changes, where somebody watches them; else empty.</param>
/// <param name="Watched">The scopes to tell.</param>
[GenerateSerializer, Immutable, Alias("watch.CommandOutcome")]
internal sealed record CommandOutcome(
    [property: Id(0)] WriteResult Result,
    [property: Id(1)] ImmutableArray<Change> Changes,
    [property: Id(2)] ImmutableArray<WatchedScope> Watched);

/// <summary>Keys at one revision.</summary>
[GenerateSerializer, Immutable, Alias("watch.KeysReply")]
internal sealed record KeysReply : LeaderReply
{
    [Id(0)]
    public ImmutableArray<KeyValue?> Keys { get; init; } = [];

    [Id(1)]
    public Revision Revision { get; init; }
}

/// <summary>A bucket's revision, confirmed.</summary>
[GenerateSerializer, Immutable, Alias("watch.RevisionReply")]
internal sealed record RevisionReply : LeaderReply
{
    [Id(0)]
    public Revision Revision { get; init; }
}

/// <summary>A page of a scan.</summary>
[GenerateSerializer, Immutable, Alias("watch.ScanReply")]
internal sealed record ScanReply : LeaderReply
{
    [Id(0)]
    public ScanResult? Page { get; init; }

    /// <summary>The page ended behind this key, since enough was looked at, and is not full; null where it is full, or all there is.</summary>
    [Id(1)]
    public Key? GoOn { get; init; }
}

/// <summary>Asks for the changes of a scope in (<paramref name="After"/>, <paramref name="UpTo"/>].</summary>
/// <param name="Bucket">The bucket.</param>
/// <param name="Scope">The scope.</param>
/// <param name="After">The cursor.</param>
/// <param name="UpTo">The last revision that is wanted.</param>
/// <param name="ChangesMax">How many changes are of use.</param>
/// <param name="BytesMax">How many bytes are of use.</param>
/// <param name="PreviousValues">Whether the values before are of use; else they are left out.</param>
/// <param name="Skip">How many changes of the first revision are had already.</param>
[GenerateSerializer, Immutable, Alias("watch.HistoryRequest")]
internal sealed record HistoryRequest(
    [property: Id(0)] BucketId Bucket,
    [property: Id(1)] Scope Scope,
    [property: Id(2)] Revision After,
    [property: Id(3)] Revision UpTo,
    [property: Id(4)] int ChangesMax,
    [property: Id(5)] long BytesMax,
    [property: Id(6)] bool PreviousValues,
    [property: Id(7)] int Skip);

/// <summary>Changes of a scope, in revision order, no revision split but one that is too large for a message.</summary>
[GenerateSerializer, Immutable, Alias("watch.HistoryReply")]
internal sealed record HistoryReply : LeaderReply
{
    [Id(0)]
    public ImmutableArray<Change> Changes { get; init; } = [];

    /// <summary>Everything of the scope up to here is in the answer or before it.</summary>
    [Id(1)]
    public Revision Reached { get; init; }

    /// <summary>How many changes of the last revision are not in the answer; it lies behind <see cref="Reached"/> then.</summary>
    [Id(2)]
    public int Left { get; init; }
}

/// <summary>Asks for a page of keys.</summary>
/// <param name="Bucket">The bucket.</param>
/// <param name="Start">The first key of the range.</param>
/// <param name="End">The first key behind it; null where it has no end.</param>
/// <param name="After">Only later keys are wanted.</param>
/// <param name="AtLeast">The state must have come so far.</param>
/// <param name="Pinned">The revision to read at; null for the state as it is.</param>
/// <param name="KeysMax">How many keys are of use.</param>
/// <param name="BytesMax">How many bytes are of use.</param>
/// <param name="KeysOnly">Whether values are left out.</param>
[GenerateSerializer, Immutable, Alias("watch.SnapshotPageRequest")]
internal sealed record SnapshotPageRequest(
    [property: Id(0)] BucketId Bucket,
    [property: Id(1)] Key Start,
    [property: Id(2)] Key? End,
    [property: Id(3)] Key? After,
    [property: Id(4)] Revision AtLeast,
    [property: Id(5)] Revision? Pinned,
    [property: Id(6)] int KeysMax,
    [property: Id(7)] long BytesMax,
    [property: Id(8)] bool KeysOnly);

/// <summary>A page of keys, as they were at one revision.</summary>
[GenerateSerializer, Immutable, Alias("watch.SnapshotPageReply")]
internal sealed record SnapshotPageReply : LeaderReply
{
    [Id(0)]
    public ImmutableArray<KeyValue> Items { get; init; } = [];

    [Id(1)]
    public Revision At { get; init; }

    [Id(2)]
    public bool More { get; init; }

    /// <summary>Where there is more: the last key that was looked at, which need not exist.</summary>
    [Id(3)]
    public Key? Last { get; init; }
}

/// <summary>The bucket's revision, confirmed, and of each scope asked about the revision of its last change.</summary>
[GenerateSerializer, Immutable, Alias("watch.HeadsReply")]
internal sealed record HeadsReply : LeaderReply
{
    [Id(0)]
    public Revision Revision { get; init; }

    [Id(1)]
    public Revision Compacted { get; init; }

    [Id(2)]
    public ImmutableArray<Revision> Heads { get; init; } = [];

    [Id(3)]
    public string Incarnation { get; init; } = "";
}

/// <summary>A scope and the revision of its last change.</summary>
[GenerateSerializer, Immutable, Alias("watch.HeadOfScope")]
internal readonly record struct HeadOfScope([property: Id(0)] Scope Scope, [property: Id(1)] Revision Head);

/// <summary>A silo's periodic question: has anything changed that I was not told?</summary>
/// <param name="Bucket">The bucket.</param>
/// <param name="Silo">Who asks.</param>
/// <param name="AckTerm">The term of the last answer that it took in; 0 where there was none.</param>
/// <param name="AckNumber">That answer's number.</param>
/// <param name="Scopes">How many scopes the leader has for it, as far as it knows.</param>
/// <param name="ScopesHash">Their checksum.</param>
/// <param name="WantsAll">Whether all of them are to be told: the two did not agree twice running.</param>
[GenerateSerializer, Immutable, Alias("watch.ProgressQuestion")]
internal sealed record ProgressQuestion(
    [property: Id(0)] BucketId Bucket,
    [property: Id(1)] string Silo,
    [property: Id(2)] long AckTerm,
    [property: Id(3)] long AckNumber,
    [property: Id(4)] int Scopes,
    [property: Id(5)] ulong ScopesHash,
    [property: Id(6)] bool WantsAll);

/// <summary>The answer to a silo's periodic question.</summary>
[GenerateSerializer, Immutable, Alias("watch.ProgressReply")]
internal sealed record ProgressReply : LeaderReply
{
    /// <summary>The bucket's revision, confirmed.</summary>
    [Id(0)]
    public Revision Revision { get; init; }

    /// <summary>The scopes that changed and were not acknowledged yet; all of the silo's, where it asked for them.</summary>
    [Id(1)]
    public ImmutableArray<HeadOfScope> Heads { get; init; } = [];

    /// <summary>Whether there are more than the answer holds.</summary>
    [Id(2)]
    public bool More { get; init; }

    /// <summary>The leader's term.</summary>
    [Id(3)]
    public long Term { get; init; }

    /// <summary>The answer's number in that term.</summary>
    [Id(4)]
    public long Number { get; init; }

    /// <summary>Whether the leader has exactly the scopes for the silo that the question says.</summary>
    [Id(5)]
    public bool Agrees { get; init; }

    /// <summary>The revision up to which history is compacted.</summary>
    [Id(6)]
    public Revision Compacted { get; init; }

    /// <summary>When that was, by the leader's wall clock, in milliseconds since 1970-01-01 UTC: for people.</summary>
    [Id(7)]
    public long ConfirmedWallMs { get; init; }

    /// <summary>Whether the heads are those of all scopes that the leader has for the silo.</summary>
    [Id(8)]
    public bool IsAll { get; init; }
}

/// <summary>How a bucket is.</summary>
[GenerateSerializer, Immutable, Alias("watch.BucketStatusReply")]
internal sealed record BucketStatusReply : LeaderReply
{
    [Id(0)]
    public StatusResult? Status { get; init; }
}
