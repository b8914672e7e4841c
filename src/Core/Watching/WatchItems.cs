namespace Watch.Core.Watching;

/// <summary>What is known about a key's value before a change.</summary>
public enum PreviousState : byte
{
    /// <summary>The subscriber did not ask.</summary>
    NotAsked = 0,

    /// <summary>The key did not exist.</summary>
    DidNotExist = 1,

    /// <summary>It had a value, perhaps an empty one.</summary>
    Value = 2,
}

/// <summary>The value before a change, as one subscriber sees it.</summary>
/// <param name="State">Which of three cases.</param>
/// <param name="Value">The value; empty unless <see cref="PreviousState.Value"/>.</param>
public readonly record struct PreviousValue(PreviousState State, ReadOnlyMemory<byte> Value)
{
    /// <summary>What a subscriber sees of a change's previous value.</summary>
    public static PreviousValue Of(Change change, bool asked)
    {
        ArgumentNullException.ThrowIfNull(change);
        if (!asked)
            return default;
        return change.PreviousValue is { } value ? new PreviousValue(PreviousState.Value, value) : new PreviousValue(PreviousState.DidNotExist, default);
    }
}

/// <summary>
/// What a consumer takes at once: whole revisions, or the final notice, never both. Commits and changes are shared with other
/// subscribers; use <see cref="PreviousOf"/> rather than a change's own previous value, which is there whether asked for or not.
/// </summary>
public sealed record WatchItems
{
    /// <summary>The revision up to which everything was delivered before this batch: the last one of the batch before, or the start.</summary>
    public required Revision? Previous { get; init; }

    /// <summary>The whole revisions of this batch, in order; empty where <see cref="End"/> is set.</summary>
    public required IReadOnlyList<Commit> Commits { get; init; }

    /// <summary>Whether the subscriber asked for previous values.</summary>
    public required bool PreviousValues { get; init; }

    /// <summary>The final notice; nothing follows it.</summary>
    public EndNotice? End { get; init; }

    /// <summary>The first revision of this batch; null where it has none.</summary>
    public Revision? FirstRevision => Commits.Count == 0 ? null : Commits[0].Revision;

    /// <summary>The revision up to which everything is delivered with this batch: the cursor to resume behind.</summary>
    public Revision? Revision => End is { } end ? end.Cursor : Commits[^1].Revision;

    /// <summary>The value before a change of this batch, as this subscriber asked for it.</summary>
    public PreviousValue PreviousOf(Change change) => PreviousValue.Of(change, PreviousValues);
}
