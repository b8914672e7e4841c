namespace Watch.Core;

/// <summary>What happened to a key.</summary>
public enum ChangeKind : byte
{
    /// <summary>It has a new value.</summary>
    Put = 0,

    /// <summary>It is gone.</summary>
    Delete = 1,
}

/// <summary>What made a change. The numbers stand in snapshots for ever.</summary>
public enum ChangeCause : byte
{
    /// <summary>A put.</summary>
    Put = 0,

    /// <summary>A delete.</summary>
    Delete = 1,

    /// <summary>The key's time was over.</summary>
    Expired = 2,

    /// <summary>The key's lease was revoked.</summary>
    LeaseRevoked = 3,

    /// <summary>A transaction of several changes.</summary>
    Transaction = 4,

    /// <summary>The key's bucket was deleted.</summary>
    BucketDeleted = 5,
}

/// <summary>
/// One committed change of one key. It is immutable and shared: history, streams and queues hold the same object.
/// </summary>
public sealed record Change
{
    /// <summary>The key.</summary>
    public required Key Key { get; init; }

    /// <summary>Put or delete.</summary>
    public required ChangeKind Kind { get; init; }

    /// <summary>The new value; empty for a delete.</summary>
    public required ReadOnlyMemory<byte> Value { get; init; }

    /// <summary>The value before, or null where the key did not exist.</summary>
    public required ReadOnlyMemory<byte>? PreviousValue { get; init; }

    /// <summary>The revision that made this change.</summary>
    public required Revision Revision { get; init; }

    /// <summary>The revision in which the key came into being; of a delete, that of the key that went.</summary>
    public required Revision CreateRevision { get; init; }

    /// <summary>How many puts the key has had since it came into being, 1 for the first; 0 for a delete.</summary>
    public required long Version { get; init; }

    /// <summary>When the change was committed by the leader's wall clock, in milliseconds since 1970-01-01 UTC: for information only.</summary>
    public required long CommitTimeMs { get; init; }

    /// <summary>What made it.</summary>
    public ChangeCause Cause { get; init; }

    /// <summary>Its place among the changes of its revision, from 0 to 65,535.</summary>
    public int Position { get; init; }

    /// <summary>Who wrote it, as the writer names itself; null where it does not.</summary>
    public string? Writer { get; init; }

    /// <summary>The cause of a change that a plain put or delete makes.</summary>
    public static ChangeCause CauseOf(ChangeKind kind) => kind == ChangeKind.Put ? ChangeCause.Put : ChangeCause.Delete;
}

/// <summary>All changes of one revision, in the order in which the transaction made them; never empty, never split.</summary>
/// <param name="Revision">The revision.</param>
/// <param name="Changes">Its changes.</param>
public sealed record Commit(Revision Revision, IReadOnlyList<Change> Changes);

/// <summary>A key with its value and revisions, as a read answers it.</summary>
/// <param name="Key">The key.</param>
/// <param name="Value">Its value; empty where only keys were asked for.</param>
/// <param name="CreateRevision">The revision in which it came into being.</param>
/// <param name="ModRevision">The revision of its last put.</param>
/// <param name="Version">How many puts it has had since it came into being.</param>
public sealed record KeyValue(Key Key, ReadOnlyMemory<byte> Value, Revision CreateRevision, Revision ModRevision, long Version);
