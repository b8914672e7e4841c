using System.Collections.Immutable;
using Orleans;
using Watch.Core;

namespace Watch;

/// <summary>What an event says.</summary>
[GenerateSerializer, Alias("watch.EventType")]
public enum WatchEventType
{
    /// <summary>The key has a new value.</summary>
    Put = 0,

    /// <summary>The key is gone.</summary>
    Delete = 1,

    /// <summary>The watch has ended: the last event of a stream, with <see cref="WatchEvent.Reason"/>.</summary>
    Canceled = 2,

    /// <summary>Everything of the target up to <see cref="WatchEvent.Revision"/> was delivered; no change.</summary>
    Progress = 3,

    /// <summary><see cref="WatchEvent.Count"/> events up to <see cref="WatchEvent.Revision"/> were left out, since the reader was slow.</summary>
    Lagged = 4,

    /// <summary>What follows, up to <see cref="Synced"/>, is all that the target has at <see cref="WatchEvent.Revision"/>; what an unfinished snapshot had said is void.</summary>
    SnapshotBegins = 5,

    /// <summary>The reader has all that the target had at <see cref="WatchEvent.Revision"/>; changes after it follow.</summary>
    Synced = 6,

    /// <summary>Changes after <see cref="WatchEvent.Revision"/> are of the target that the watch was changed to.</summary>
    TargetsChanged = 7,

    /// <summary>How fresh the watch is has not been known for <see cref="WatchEvent.Count"/> milliseconds; the next <see cref="Progress"/> ends that.</summary>
    Stale = 8,
}

/// <summary>What made a change. Numbers never change.</summary>
[GenerateSerializer, Alias("watch.EventCause")]
public enum WatchEventCause
{
    /// <summary>A put.</summary>
    Put = 0,

    /// <summary>A delete.</summary>
    Delete = 1,

    /// <summary>The key's time was over.</summary>
    Expired = 2,

    /// <summary>The key's lease was revoked.</summary>
    LeaseRevoked = 3,

    /// <summary>A transaction.</summary>
    Transaction = 4,

    /// <summary>Its bucket was deleted.</summary>
    BucketDeleted = 5,

    /// <summary>No change of its own: what a watch missed, as the difference between what its reader had and what there is.</summary>
    Resync = 6,

    /// <summary>No change: what the target had when the watch began.</summary>
    Snapshot = 7,
}

/// <summary>Why a watch ended. Numbers never change.</summary>
[GenerateSerializer, Alias("watch.EndReason")]
public enum WatchEndReason
{
    /// <summary>It has not ended.</summary>
    None = 0,

    /// <summary>Its owner disposed of it, of its client, or canceled it.</summary>
    Disposed = 1,

    /// <summary>The client is gone: its calls failed or its lease ran out.</summary>
    ClientLost = 2,

    /// <summary>Its queue was full.</summary>
    Slow = 3,

    /// <summary>The revision to start from lies before the history that is kept.</summary>
    Compacted = 4,

    /// <summary>The bucket is gone.</summary>
    BucketDeleted = 5,

    /// <summary>The caller may not watch this (any more).</summary>
    Unauthorized = 6,

    /// <summary>The server is stopping.</summary>
    ServerStopping = 7,

    /// <summary>The callback threw.</summary>
    CallbackFailed = 8,

    /// <summary>The callback took too long.</summary>
    CallbackTimedOut = 9,

    /// <summary>Watching is switched off on the silo that it reached.</summary>
    WatchDisabled = 10,

    /// <summary>The data that the watch had been following is not that of the cluster it reached again.</summary>
    IncarnationChanged = 11,

    /// <summary>Its resumption was refused; <see cref="WatchEvent.Message"/> says why.</summary>
    Refused = 12,

    /// <summary>An operator ended it.</summary>
    Removed = 13,
}

/// <summary>What an event tells of the value before.</summary>
[GenerateSerializer, Alias("watch.PreviousState")]
public enum PreviousState
{
    /// <summary>The watch did not ask for previous values.</summary>
    NotAsked = 0,

    /// <summary>The key did not exist.</summary>
    Absent = 1,

    /// <summary>The key had <see cref="WatchEvent.PreviousValue"/>.</summary>
    Value = 2,
}

/// <summary>One change of one key, or the end of a watch.</summary>
[GenerateSerializer, Immutable, Alias("watch.Event")]
public sealed record WatchEvent
{
    /// <summary>What the event says.</summary>
    [Id(0)]
    public WatchEventType Type { get; init; }

    /// <summary>The key; of <see cref="WatchEventType.Canceled"/>, the one whose event did not fit, else empty.</summary>
    [Id(1)]
    public Key Key { get; init; }

    /// <summary>The new value; empty for all but a put.</summary>
    [Id(2)]
    public ReadOnlyMemory<byte> Value { get; init; }

    /// <summary>What is known of the value before.</summary>
    [Id(3)]
    public PreviousState PreviousState { get; init; }

    /// <summary>The value before, where <see cref="PreviousState"/> is <see cref="PreviousState.Value"/>.</summary>
    [Id(4)]
    public ReadOnlyMemory<byte> PreviousValue { get; init; }

    /// <summary>
    /// The revision of the change; of <see cref="WatchEventType.Canceled"/>, the cursor: everything up to it was delivered, and a
    /// watch from the revision after it continues without a gap.
    /// </summary>
    [Id(5)]
    public Revision Revision { get; init; }

    /// <summary>The revision in which the key came into being.</summary>
    [Id(6)]
    public Revision CreateRevision { get; init; }

    /// <summary>How many puts the key has had since; 0 for a delete.</summary>
    [Id(7)]
    public long Version { get; init; }

    /// <summary>When the leader committed it, by its wall clock, in milliseconds since 1970-01-01 UTC: for information only.</summary>
    [Id(8)]
    public long CommitTimeMs { get; init; }

    /// <summary>Of <see cref="WatchEventType.Canceled"/>, why.</summary>
    [Id(9)]
    public WatchEndReason Reason { get; init; }

    /// <summary>Of <see cref="WatchEventType.Canceled"/>, why in words.</summary>
    [Id(10)]
    public string? Message { get; init; }

    /// <summary>Of <see cref="WatchEndReason.Compacted"/>: the first revision that history still has.</summary>
    [Id(11)]
    public Revision FirstAvailable { get; init; }

    /// <summary>What made the change.</summary>
    [Id(12)]
    public WatchEventCause Cause { get; init; }

    /// <summary>The change's place among those of its revision, from 0.</summary>
    [Id(13)]
    public int Position { get; init; }

    /// <summary>Who wrote it, as the writer's client names itself; null where it does not.</summary>
    [Id(14)]
    public string? Writer { get; init; }

    /// <summary>Of <see cref="WatchEventType.Lagged"/>, how many events were left out; of <see cref="WatchEventType.Stale"/>, for how many milliseconds.</summary>
    [Id(15)]
    public long Count { get; init; }

    /// <summary>Of <see cref="WatchEventType.Progress"/>: when the leader confirmed it, by its wall clock, in milliseconds since 1970-01-01 UTC.</summary>
    [Id(16)]
    public long ConfirmedTimeMs { get; init; }

    /// <summary>Whether it tells of a key: a put or a delete.</summary>
    public bool IsChange => Type is WatchEventType.Put or WatchEventType.Delete;
}

/// <summary>What a client asks of a watch.</summary>
[GenerateSerializer, Immutable, Alias("watch.WatchRequest")]
public sealed record WatchRequest
{
    /// <summary>The bucket.</summary>
    [Id(0)]
    public BucketId Bucket { get; init; } = BucketId.Default;

    /// <summary>What to follow.</summary>
    [Id(1)]
    public WatchTarget Target { get; init; } = WatchTarget.Key(Core.Key.Empty);

    /// <summary>The first revision to deliver; null for the one after now.</summary>
    [Id(2)]
    public Revision? StartAt { get; init; }

    /// <summary>Deliver the value before, too.</summary>
    [Id(3)]
    public bool PreviousValues { get; init; }

    /// <summary>How many events the queue holds, 1 to 1,000,000; null for the silo's default.</summary>
    [Id(4)]
    public int? QueueEventsMax { get; init; }

    /// <summary>The cluster's incarnation that <see cref="StartAt"/> belongs to; empty where there is none yet.</summary>
    [Id(5)]
    public string Incarnation { get; init; } = "";

    /// <summary>The client's number of the watch; answers and steps of a session use it.</summary>
    [Id(6)]
    public long Watch { get; init; }

    /// <summary>Deliver what the target has, then its changes.</summary>
    [Id(7)]
    public bool Snapshot { get; init; }

    /// <summary>What to leave out.</summary>
    [Id(8)]
    public EventFilter Filter { get; init; }

    /// <summary>What happens when the reader is slow.</summary>
    [Id(9)]
    public SlowPolicy WhenSlow { get; init; }

    /// <summary>How many bytes the queue holds, 1 to 1 GiB; null for the silo's default.</summary>
    [Id(10)]
    public long? QueueBytesMax { get; init; }

    /// <summary>How often to say how far the watch is, 100 ms to 1 h; null for never.</summary>
    [Id(11)]
    public TimeSpan? ProgressInterval { get; init; }

    /// <summary>After how long without a confirmation the watch says that it is stale; null for never.</summary>
    [Id(12)]
    public TimeSpan? StaleAfter { get; init; }

    /// <summary>How often the target has been changed.</summary>
    [Id(13)]
    public long TargetVersion { get; init; }

    /// <summary>How many events the client has room for at first.</summary>
    [Id(14)]
    public int CreditEvents { get; init; }

    /// <summary>How many bytes the client has room for at first.</summary>
    [Id(15)]
    public long CreditBytes { get; init; }

    /// <summary>Of the cursor that <see cref="StartAt"/> is from: what it was a cursor of; 0 for not known.</summary>
    [Id(16)]
    public ulong FilterHash { get; init; }
}

/// <summary>The answer to a registration.</summary>
/// <param name="SubscriptionId">The subscription's number on its silo.</param>
/// <param name="Start">The watch's start: everything of its target after this revision arrives, nothing up to it does.</param>
/// <param name="Incarnation">The cluster's incarnation.</param>
/// <param name="FilterHash">What a cursor of this watch is of: its target and what it leaves out.</param>
[GenerateSerializer, Immutable, Alias("watch.Registration")]
public sealed record WatchRegistration(
    [property: Id(0)] long SubscriptionId,
    [property: Id(1)] Revision Start,
    [property: Id(2)] string Incarnation,
    [property: Id(3)] ulong FilterHash = 0);

/// <summary>
/// A step of a watch. Batches of one watch form a chain: each names the revision up to which everything was delivered before
/// (<see cref="Previous"/>), so a receiver at another cursor notices a loss or a repetition.
/// </summary>
/// <param name="SubscriptionId">The subscription's number on its silo.</param>
/// <param name="Previous">The cursor before this batch.</param>
/// <param name="Revision">The cursor after it: everything of the target up to here was delivered.</param>
/// <param name="Events">The events, in order; a revision is never split. The last one of the last batch is <see cref="WatchEventType.Canceled"/>.</param>
/// <param name="Registration">Unused; null.</param>
/// <param name="Number">1, 2, 3 … of one registration.</param>
[GenerateSerializer, Immutable, Alias("watch.Batch")]
public sealed record WatchBatch(
    [property: Id(0)] long SubscriptionId,
    [property: Id(1)] Revision Previous,
    [property: Id(2)] Revision Revision,
    [property: Id(3)] ImmutableArray<WatchEvent> Events,
    [property: Id(4)] WatchRegistration? Registration = null,
    [property: Id(5)] long Number = 0)
{
    /// <summary>
    /// The part of the batch that lies behind a cursor: itself, less what is at or below it; null where nothing is. What is no
    /// change is never below.
    /// </summary>
    public WatchBatch? Behind(Revision cursor)
    {
        if (Previous >= cursor)
            return Revision > cursor || Events.Length > 0 ? this : null;
        var news = Events.RemoveAll(each => each.IsChange && each.Cause != WatchEventCause.Snapshot && each.Revision <= cursor);
        return news.Length > 0 || Revision > cursor ? this with { Previous = cursor, Revision = Revision.Max(Revision, cursor), Events = news } : null;
    }
}
