namespace Watch.Core.Watching;

/// <summary>Which subscriptions to describe. Those that match everything that is set.</summary>
public sealed record WatchQuestion
{
    /// <summary>Of this bucket; null for all.</summary>
    public BucketId? Bucket { get; init; }

    /// <summary>Of this client; null for all.</summary>
    public string? Client { get; init; }

    /// <summary>That are told of changes of this key; null for all.</summary>
    public Key? Key { get; init; }

    /// <summary>That have not taken everything up to the revision that their bucket was last confirmed to have.</summary>
    public bool OnlyLagging { get; init; }
}

/// <summary>One subscription as it stands, for people.</summary>
public sealed record WatchDescription
{
    /// <summary>Its number.</summary>
    public required SubscriptionId Id { get; init; }

    /// <summary>Its bucket.</summary>
    public required BucketId Bucket { get; init; }

    /// <summary>Whose it is; empty where that is not known.</summary>
    public required string Client { get; init; }

    /// <summary>The client's session; null where the reader is in this process.</summary>
    public required string? Session { get; init; }

    /// <summary>Its targets now.</summary>
    public required WatchTarget Target { get; init; }

    /// <summary>What it leaves out.</summary>
    public required EventFilter Filter { get; init; }

    /// <summary>Whether it shows values before.</summary>
    public required bool PreviousValues { get; init; }

    /// <summary>Whether it began with a snapshot.</summary>
    public required bool Snapshot { get; init; }

    /// <summary>Where it stands.</summary>
    public required SubscriptionState State { get; init; }

    /// <summary>Why it stands there, with its numbers.</summary>
    public required string Why { get; init; }

    /// <summary>The revision up to which its consumer has taken everything; null before the start is known.</summary>
    public required Revision? Taken { get; init; }

    /// <summary>The revision up to which everything is taken or waits; null before the start is known.</summary>
    public required Revision? Cursor { get; init; }

    /// <summary>The last change of its scope that this silo knows of.</summary>
    public required Revision Head { get; init; }

    /// <summary>How many revisions of its bucket, at the last confirmation, it has not taken, whether or not they concern it.</summary>
    public required long LagRevisions { get; init; }

    /// <summary>How old the oldest change was, at the last confirmation, that waits for its consumer, in milliseconds; 0 where none waits.</summary>
    public required long LagMs { get; init; }

    /// <summary>Events that wait.</summary>
    public required int QueuedEvents { get; init; }

    /// <summary>Bytes that wait.</summary>
    public required long QueuedBytes { get; init; }

    /// <summary>How many events may wait.</summary>
    public required int QueueEventsMax { get; init; }

    /// <summary>How many bytes may wait.</summary>
    public required long QueueBytesMax { get; init; }

    /// <summary>What happens when a live change does not fit.</summary>
    public required SlowRule WhenSlow { get; init; }

    /// <summary>When it was asked for, by the table's clock, in milliseconds.</summary>
    public required long BegunMs { get; init; }

    /// <summary>When its consumer last took something, by the table's clock, in milliseconds; null where it has taken nothing.</summary>
    public required long? TakenMs { get; init; }

    /// <summary>Events that were dropped or overtaken since it began.</summary>
    public required long Dropped { get; init; }
}
