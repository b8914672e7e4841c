using System.Collections.Immutable;
using Orleans;
using Watch.Core;

namespace Watch.Interfaces;

/// <summary>What a client says of itself when it opens a session.</summary>
/// <param name="Client">A name for people: who watches.</param>
/// <param name="Epoch">The session's number, drawn by the client; every call names it.</param>
/// <param name="Version">The version of these messages.</param>
[GenerateSerializer, Immutable, Alias("watch.SessionHello")]
public sealed record SessionHello([property: Id(0)] string Client, [property: Id(1)] long Epoch, [property: Id(2)] int Version = 1);

/// <summary>The session is there.</summary>
/// <param name="Incarnation">The cluster's; empty where the silo does not know it yet.</param>
/// <param name="Silo">Where it is, for people.</param>
/// <param name="LeaseMs">How long it lives without a renewal.</param>
[GenerateSerializer, Immutable, Alias("watch.SessionOpened")]
public sealed record SessionOpened([property: Id(0)] string Incarnation, [property: Id(1)] string Silo, [property: Id(2)] int LeaseMs);

/// <summary>The answer to the registration of one watch.</summary>
/// <param name="Watch">The client's number of it.</param>
/// <param name="Registration">It is effective; null where it was refused.</param>
/// <param name="Code">Why it was refused; 0 where it was not.</param>
/// <param name="Message">The same in words.</param>
/// <param name="FirstAvailable">Of <see cref="WatchErrorCode.Compacted"/>: the first revision that history still has.</param>
[GenerateSerializer, Immutable, Alias("watch.RegistrationReply")]
public sealed record RegistrationReply(
    [property: Id(0)] long Watch,
    [property: Id(1)] WatchRegistration? Registration,
    [property: Id(2)] WatchErrorCode Code,
    [property: Id(3)] string Message,
    [property: Id(4)] Revision FirstAvailable);

/// <summary>What a session delivers at once: what several of its watches have next. What they share is in it once.</summary>
/// <param name="Epoch">The session's.</param>
/// <param name="Number">1, 2, 3 … of the session.</param>
/// <param name="Blocks">The events, in bytes, as the core encodes them.</param>
/// <param name="Steps">What each watch gets, in order.</param>
[GenerateSerializer, Immutable, Alias("watch.SessionBatch")]
public sealed record SessionBatch(
    [property: Id(0)] long Epoch,
    [property: Id(1)] long Number,
    [property: Id(2)] ImmutableArray<EventBlock> Blocks,
    [property: Id(3)] ImmutableArray<WatchStep> Steps);

/// <summary>One revision, a piece of one, or a page of a snapshot.</summary>
/// <param name="Bytes">It, encoded.</param>
[GenerateSerializer, Immutable, Alias("watch.EventBlock")]
public readonly record struct EventBlock([property: Id(0)] ReadOnlyMemory<byte> Bytes);

/// <summary>What one watch gets in a batch. Steps of one registration have consecutive numbers and form a chain.</summary>
/// <param name="Watch">The client's number of the watch.</param>
/// <param name="Number">1, 2, 3 … of the registration.</param>
/// <param name="Previous">Its cursor before.</param>
/// <param name="Revision">Its cursor after.</param>
/// <param name="Parts">What comes, in order.</param>
[GenerateSerializer, Immutable, Alias("watch.WatchStep")]
public sealed record WatchStep(
    [property: Id(0)] long Watch,
    [property: Id(1)] long Number,
    [property: Id(2)] Revision Previous,
    [property: Id(3)] Revision Revision,
    [property: Id(4)] ImmutableArray<StepPart> Parts);

/// <summary>What a part of a step is. Numbers never change.</summary>
[GenerateSerializer, Alias("watch.StepKind")]
public enum StepKind
{
    /// <summary>A whole revision: its block.</summary>
    Events = 0,

    /// <summary>A piece of a revision, more of which follow: its block.</summary>
    Fragment = 1,

    /// <summary>The last piece of a revision: its block.</summary>
    LastFragment = 2,

    /// <summary>A is how many events up to revision B were left out.</summary>
    Lagged = 3,

    /// <summary>A is the snapshot's revision; B is 1 where it replaces what the reader had.</summary>
    SnapshotBegins = 4,

    /// <summary>A page of the snapshot: its block.</summary>
    SnapshotItems = 5,

    /// <summary>A is the snapshot's revision.</summary>
    Synced = 6,

    /// <summary>A is the revision after which changes are of the new target, B the target's version.</summary>
    TargetsChanged = 7,

    /// <summary>A is the revision, B the leader's wall clock in milliseconds.</summary>
    Progress = 8,

    /// <summary>A is for how many milliseconds.</summary>
    Stale = 9,

    /// <summary>The watch has ended; the last part of its last step.</summary>
    End = 10,
}

/// <summary>A part of a step.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Block">The block's place in the batch; -1 for none.</param>
/// <param name="A">As the kind says.</param>
/// <param name="B">As the kind says.</param>
/// <param name="End">Of <see cref="StepKind.End"/>, why.</param>
[GenerateSerializer, Immutable, Alias("watch.StepPart")]
public readonly record struct StepPart(
    [property: Id(0)] StepKind Kind,
    [property: Id(1)] int Block,
    [property: Id(2)] long A = 0,
    [property: Id(3)] long B = 0,
    [property: Id(4)] EndStep? End = null);

/// <summary>Why a watch ended.</summary>
/// <param name="Reason">The reason.</param>
/// <param name="Message">The same in words.</param>
/// <param name="Key">Of <see cref="WatchEndReason.Slow"/>, the key whose change did not fit.</param>
/// <param name="FirstAvailable">Of <see cref="WatchEndReason.Compacted"/>, the first revision that history still has.</param>
[GenerateSerializer, Immutable, Alias("watch.EndStep")]
public sealed record EndStep(
    [property: Id(0)] WatchEndReason Reason,
    [property: Id(1)] string Message,
    [property: Id(2)] Key Key,
    [property: Id(3)] Revision FirstAvailable);

/// <summary>The batch is in the client's buffers.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Credits">What the client has room for, of watches for which that has changed.</param>
[GenerateSerializer, Immutable, Alias("watch.SessionAck")]
public sealed record SessionAck([property: Id(0)] long Number, [property: Id(1)] ImmutableArray<Credit> Credits);

/// <summary>How much a watch's reader may be sent: in all since the registration, so that a lost or repeated word of it shifts nothing.</summary>
/// <param name="Watch">The client's number of the watch.</param>
/// <param name="Events">In events.</param>
/// <param name="Bytes">In bytes.</param>
[GenerateSerializer, Immutable, Alias("watch.Credit")]
public readonly record struct Credit([property: Id(0)] long Watch, [property: Id(1)] long Events, [property: Id(2)] long Bytes);

/// <summary>The client lives.</summary>
/// <param name="Epoch">The session's.</param>
/// <param name="Credits">What the client has room for, of watches for which that has changed.</param>
/// <param name="WantsAll">Whether the answer is to name all watches.</param>
[GenerateSerializer, Immutable, Alias("watch.SessionRenewal")]
public sealed record SessionRenewal([property: Id(0)] long Epoch, [property: Id(1)] ImmutableArray<Credit> Credits, [property: Id(2)] bool WantsAll);

/// <summary>How a session is.</summary>
/// <param name="IsKnown">Whether it exists here with that epoch; where not, the client opens another.</param>
/// <param name="Watches">How many watches it has.</param>
/// <param name="Hash">Of their numbers: their sum after <see cref="HashOf"/>, wrapping.</param>
/// <param name="All">Their numbers, where asked for.</param>
[GenerateSerializer, Immutable, Alias("watch.SessionState")]
public sealed record SessionState([property: Id(0)] bool IsKnown, [property: Id(1)] int Watches, [property: Id(2)] ulong Hash, [property: Id(3)] ImmutableArray<long> All)
{
    /// <summary>A watch's share of the hash.</summary>
    public static ulong HashOf(long watch)
    {
        var mixed = ((ulong)watch + 1) * 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9;
        return mixed ^ (mixed >> 32);
    }
}

/// <summary>The answer to a change of target.</summary>
/// <param name="From">Changes after this revision are of the new target.</param>
/// <param name="Version">The target's version.</param>
/// <param name="FilterHash">What a cursor of the watch is of from there on.</param>
[GenerateSerializer, Immutable, Alias("watch.RetargetReply")]
public sealed record RetargetReply([property: Id(0)] Revision From, [property: Id(1)] long Version, [property: Id(2)] ulong FilterHash);
