namespace Watch.Core.Keyspace;

/// <summary>What an entry of a bucket's log asks of the replicated state. <see cref="CommandCodec"/> gives it its bytes.</summary>
public abstract record Command;

/// <summary>
/// A put or a delete of one key, with an optional condition that is checked where the entry is applied, and an optional id by which it
/// takes effect once however often it is in the log.
/// </summary>
public sealed record WriteCommand : Command
{
    private WriteCommand(Key key, ChangeKind kind, ReadOnlyMemory<byte> value, Condition? condition, WriteId? id, string? writer)
    {
        if (writer is not null && !WriterName.IsValid(writer))
            throw new ArgumentException($"A writer's name has 1 to {WriterName.BytesMax} bytes of UTF-8.", nameof(writer));
        if (id is { IsValid: false })
            throw new ArgumentException($"The id {id} has numbers out of their ranges.", nameof(id));
        if (key.IsEmpty)
            throw new ArgumentException("A key has at least one byte.", nameof(key));
        Key = key;
        Kind = kind;
        Value = value;
        Condition = condition;
        Id = id;
        Writer = writer;
    }

    /// <summary>The key; never empty.</summary>
    public Key Key { get; }

    /// <summary>Put or delete.</summary>
    public ChangeKind Kind { get; }

    /// <summary>The value of a put; empty for a delete. The state keeps this very memory: it must not change any more.</summary>
    public ReadOnlyMemory<byte> Value { get; }

    /// <summary>What must be true of the key for the write to happen; null where nothing is asked.</summary>
    public Condition? Condition { get; }

    /// <summary>What makes copies of it the same write; null for a write that is in the log once.</summary>
    public WriteId? Id { get; }

    /// <summary>Who writes, for those who read the event; null where nobody said. It is no part of what the write does.</summary>
    public string? Writer { get; }

    /// <summary>Sets a key to a value. Equal to the present value or not, it is a change, as in etcd.</summary>
    /// <param name="key">The key; an empty one throws <see cref="ArgumentException"/>.</param>
    /// <param name="value">The value, which may be empty, and which nobody changes from here on.</param>
    /// <param name="condition">What must be true of the key; null for nothing.</param>
    /// <param name="id">What makes copies of it the same write; one that is not valid throws <see cref="ArgumentException"/>.</param>
    /// <param name="writer">Who writes; a name that <see cref="WriterName"/> does not allow throws <see cref="ArgumentException"/>.</param>
    public static WriteCommand Put(Key key, ReadOnlyMemory<byte> value, Condition? condition = null, WriteId? id = null, string? writer = null) =>
        new(key, ChangeKind.Put, value, condition, id, writer);

    /// <summary>Deletes a key. Where there is none, nothing changes and no revision is consumed.</summary>
    /// <param name="key">The key; an empty one throws <see cref="ArgumentException"/>.</param>
    /// <param name="condition">What must be true of the key; null for nothing.</param>
    /// <param name="id">What makes copies of it the same write; one that is not valid throws <see cref="ArgumentException"/>.</param>
    /// <param name="writer">Who writes; a name that <see cref="WriterName"/> does not allow throws <see cref="ArgumentException"/>.</param>
    public static WriteCommand Delete(Key key, Condition? condition = null, WriteId? id = null, string? writer = null) =>
        new(key, ChangeKind.Delete, ReadOnlyMemory<byte>.Empty, condition, id, writer);
}

/// <summary>Drops history at and below a revision, the same on every replica because it is an entry of the log.</summary>
/// <param name="Through">
/// The compaction point C. At or below the present point, or past the bucket's revision, the command changes nothing.
/// </param>
/// <param name="ForgetThrough">
/// Empty scopes whose last change lies at or below this are forgotten; at most <paramref name="Through"/>, and null means just
/// that. A leader that wants a scope remembered until every dispatcher has asked for progress names an older compaction here.
/// </param>
public sealed record CompactCommand(Revision Through, Revision? ForgetThrough = null) : Command;

/// <summary>What a condition asks of a key.</summary>
public enum ConditionKind : byte
{
    /// <summary>It exists, and its value has exactly these bytes.</summary>
    ValueEquals = 1,

    /// <summary>Its mod revision is this one; a key that does not exist has mod revision 0, as in etcd.</summary>
    RevisionEquals = 2,

    /// <summary>It does not exist.</summary>
    Absent = 3,

    /// <summary>It exists.</summary>
    Exists = 4,
}

/// <summary>What must be true of a key for a write to happen.</summary>
public sealed record Condition
{
    private Condition(ConditionKind kind, ReadOnlyMemory<byte> value, Revision revision)
    {
        Kind = kind;
        Value = value;
        Revision = revision;
    }

    /// <summary>The key does not exist.</summary>
    public static readonly Condition Absent = new(ConditionKind.Absent, default, default);

    /// <summary>The key exists.</summary>
    public static readonly Condition Exists = new(ConditionKind.Exists, default, default);

    /// <summary>What is asked.</summary>
    public ConditionKind Kind { get; }

    /// <summary>The value asked for by <see cref="ConditionKind.ValueEquals"/>.</summary>
    public ReadOnlyMemory<byte> Value { get; }

    /// <summary>The mod revision asked for by <see cref="ConditionKind.RevisionEquals"/>.</summary>
    public Revision Revision { get; }

    /// <summary>The key exists and has exactly these bytes as its value.</summary>
    public static Condition ValueEquals(ReadOnlyMemory<byte> value) => new(ConditionKind.ValueEquals, value, default);

    /// <summary>The key's last put was made by this revision; revision 0 asks for a key that does not exist.</summary>
    public static Condition RevisionEquals(Revision revision) => new(ConditionKind.RevisionEquals, default, revision);

    /// <summary>Whether it is true of a key.</summary>
    /// <param name="current">The put that gave the key its present value; null where the key does not exist.</param>
    internal bool Holds(Change? current) => Kind switch
    {
        ConditionKind.ValueEquals => current is not null && current.Value.Span.SequenceEqual(Value.Span),
        ConditionKind.RevisionEquals => (current?.Revision ?? Revision.None) == Revision,
        ConditionKind.Absent => current is null,
        ConditionKind.Exists => current is not null,
        _ => throw new InvariantViolationException($"a condition has a known kind, not {Kind}"),
    };
}
