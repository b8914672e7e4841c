using Orleans;
using Watch.Core;

namespace Watch;

/// <summary>What a conditional write asks of the key before it takes effect.</summary>
[GenerateSerializer, Alias("watch.ConditionKind")]
public enum ConditionKind
{
    /// <summary>The key does not exist.</summary>
    Absent = 0,

    /// <summary>The key exists with just this value.</summary>
    ValueEquals = 1,

    /// <summary>The key's last put has just this revision.</summary>
    RevisionEquals = 2,
}

/// <summary>What must hold of the key for a write to take effect; make one with <see cref="Absent"/>, <see cref="Value"/> or <see cref="At"/>.</summary>
[GenerateSerializer, Immutable, Alias("watch.Condition")]
public sealed record WriteCondition
{
    private WriteCondition(ConditionKind kind) => Kind = kind;

    /// <summary>What is compared.</summary>
    [Id(0)]
    public ConditionKind Kind { get; private set; }

    /// <summary>The value, for <see cref="ConditionKind.ValueEquals"/>.</summary>
    [Id(1)]
    public ReadOnlyMemory<byte> ExpectedValue { get; private set; }

    /// <summary>The revision, for <see cref="ConditionKind.RevisionEquals"/>.</summary>
    [Id(2)]
    public Revision ExpectedRevision { get; private set; }

    /// <summary>The key does not exist.</summary>
    public static readonly WriteCondition Absent = new(ConditionKind.Absent);

    /// <summary>The key exists with just this value.</summary>
    public static WriteCondition Value(ReadOnlyMemory<byte> value) =>
        new(ConditionKind.ValueEquals) { ExpectedValue = value.ToArray() };

    /// <summary>The key's last put has just this revision.</summary>
    public static WriteCondition At(Revision revision) => new(ConditionKind.RevisionEquals) { ExpectedRevision = revision };
}

/// <summary>A put of the key that the called grain stands for.</summary>
/// <param name="Value">The new value.</param>
/// <param name="Condition">What must hold for it to take effect; null for always.</param>
/// <param name="WriteId">By which it takes effect once however often it is sent; null for a write that is sent once only.</param>
/// <param name="Writer">Who writes, for those who read the event: 1 to 64 bytes of UTF-8; null for nobody.</param>
[GenerateSerializer, Immutable, Alias("watch.PutRequest")]
public sealed record PutRequest([property: Id(0)] ReadOnlyMemory<byte> Value, [property: Id(1)] WriteCondition? Condition = null, [property: Id(2)] WriteId? WriteId = null, [property: Id(3)] string? Writer = null);

/// <summary>A delete of the key that the called grain stands for.</summary>
/// <param name="Condition">What must hold for it to take effect; null for always.</param>
/// <param name="WriteId">By which it takes effect once however often it is sent; null for a write that is sent once only.</param>
/// <param name="Writer">Who writes, for those who read the event: 1 to 64 bytes of UTF-8; null for nobody.</param>
[GenerateSerializer, Immutable, Alias("watch.DeleteRequest")]
public sealed record DeleteRequest([property: Id(0)] WriteCondition? Condition = null, [property: Id(1)] WriteId? WriteId = null, [property: Id(2)] string? Writer = null);

/// <summary>What came of a write.</summary>
[GenerateSerializer, Alias("watch.WriteStatus")]
public enum WriteStatus
{
    /// <summary>It took effect, in <see cref="WriteResult.Revision"/>.</summary>
    Applied = 0,

    /// <summary>There was nothing to do: a delete of a key that does not exist. It consumed no revision and emitted no event.</summary>
    Unchanged = 1,

    /// <summary>Its condition did not hold; <see cref="WriteResult.Previous"/> is the key as it is.</summary>
    ConditionFailed = 2,

    /// <summary>
    /// It did not take effect now, and whether an earlier sending of the same <see cref="WriteId"/> did is not remembered any more. Only
    /// grains answer this; <see cref="IWatchClient"/> throws <see cref="WatchErrorCode.OutcomeUnknown"/> in its place.
    /// </summary>
    Unknown = 3,

    /// <summary>
    /// It did not take effect, and changed nothing: another write had its <see cref="WriteId"/> before. Only silos tell each other this; a
    /// caller gets <see cref="WatchErrorCode.InvalidOption"/> in its place.
    /// </summary>
    IdTaken = 4,

    /// <summary>
    /// It did not take effect by this call, and never will: its <see cref="WriteId"/> is older than what the cluster remembers. If no
    /// other call carried the same id, the write was not done, and may be sent with a fresh id. Only grains answer this; an
    /// <see cref="IWatchClient"/> does just that, or throws <see cref="WatchErrorCode.OutcomeUnknown"/>.
    /// </summary>
    TooOld = 5,
}

/// <summary>The answer to a write, given once the write is durable.</summary>
/// <param name="Status">What came of it.</param>
/// <param name="Revision">The bucket's revision after it.</param>
/// <param name="Previous">
/// The key before the write, null where it did not exist; of a refused condition, the key as it was. See <see cref="PreviousCompacted"/>.
/// </param>
[GenerateSerializer, Immutable, Alias("watch.WriteResult")]
public sealed record WriteResult(
    [property: Id(0)] WriteStatus Status,
    [property: Id(1)] Revision Revision,
    [property: Id(2)] KeyValue? Previous)
{
    /// <summary>
    /// Where in the group's log the write took its place; of a repeated write, its first sending. It says nothing to a caller but that
    /// any <see cref="WriteId"/> made from it is fresh for some minutes.
    /// </summary>
    [Id(3)]
    public LogIndex Index { get; init; }

    /// <summary>
    /// The key before the write may have existed, but nobody knows any more, so <see cref="Previous"/> is null: the answer was lost at
    /// first, and when the write was sent again, history had been compacted past it. Everything else in the answer stands.
    /// </summary>
    [Id(4)]
    public bool PreviousCompacted { get; init; }

    /// <summary>Whether the write's condition held (or it had none).</summary>
    public bool Succeeded => Status is WriteStatus.Applied or WriteStatus.Unchanged;
}
