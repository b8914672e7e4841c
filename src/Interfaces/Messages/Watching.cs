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
}

/// <summary>Why a watch ended. Numbers never change.</summary>
[GenerateSerializer, Alias("watch.EndReason")]
public enum WatchEndReason
{
    /// <summary>It has not ended.</summary>
    None = 0,

    /// <summary>Its owner disposed of it or canceled it.</summary>
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
}

/// <summary>What a watch follows.</summary>
/// <param name="Kind">A key or a prefix segment.</param>
/// <param name="Text">The key, or the prefix, which begins and ends with <c>/</c>.</param>
[GenerateSerializer, Immutable, Alias("watch.Target")]
public sealed record WatchTarget([property: Id(0)] ScopeKind Kind, [property: Id(1)] Key Text)
{
    /// <summary>Follows one key.</summary>
    public static WatchTarget Key(Key key) => new(ScopeKind.Key, key);

    /// <summary>Follows one key.</summary>
    public static WatchTarget Key(string key) => Key(Core.Key.Of(key));

    /// <summary>Follows every key below a prefix, which begins and ends with <c>/</c>.</summary>
    public static WatchTarget Prefix(Key prefix) => new(ScopeKind.Prefix, prefix);

    /// <summary>Follows every key below a prefix, which begins and ends with <c>/</c>.</summary>
    public static WatchTarget Prefix(string prefix) => Prefix(Core.Key.Of(prefix));

    /// <inheritdoc/>
    public override string ToString() => Kind == ScopeKind.Key ? $"key {Text}" : $"prefix {Text}";
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
}

/// <summary>The answer to a registration.</summary>
/// <param name="SubscriptionId">The subscription's number on its silo.</param>
/// <param name="Start">The watch's start: everything of its target after this revision arrives, nothing up to it does.</param>
/// <param name="Incarnation">The cluster's incarnation.</param>
[GenerateSerializer, Immutable, Alias("watch.Registration")]
public sealed record WatchRegistration(
    [property: Id(0)] long SubscriptionId,
    [property: Id(1)] Revision Start,
    [property: Id(2)] string Incarnation);

/// <summary>
/// A step of a watch. Batches of one watch form a chain: each names the revision up to which everything was delivered before
/// (<see cref="Previous"/>), so a receiver at another cursor notices a loss or a repetition.
/// </summary>
/// <param name="SubscriptionId">The subscription's number on its silo.</param>
/// <param name="Previous">The cursor before this batch.</param>
/// <param name="Revision">The cursor after it: everything of the target up to here was delivered.</param>
/// <param name="Events">The events, in order; a revision is never split. The last one of the last batch is <see cref="WatchEventType.Canceled"/>.</param>
/// <param name="Registration">In the first batch of a pulled watch: the registration, with no events.</param>
[GenerateSerializer, Immutable, Alias("watch.Batch")]
public sealed record WatchBatch(
    [property: Id(0)] long SubscriptionId,
    [property: Id(1)] Revision Previous,
    [property: Id(2)] Revision Revision,
    [property: Id(3)] ImmutableArray<WatchEvent> Events,
    [property: Id(4)] WatchRegistration? Registration = null)
{
    /// <summary>
    /// The part of the batch that lies behind a cursor: itself, less what is at or below it; null where nothing is. A last event is
    /// never below.
    /// </summary>
    public WatchBatch? Behind(Revision cursor)
    {
        if (Previous >= cursor)
            return Revision > cursor || Events.Length > 0 ? this : null;
        var news = Events.RemoveAll(each => each.Type != WatchEventType.Canceled && each.Revision <= cursor);
        return news.Length > 0 || Revision > cursor ? this with { Previous = cursor, Revision = Revision.Max(Revision, cursor), Events = news } : null;
    }
}
