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
/// What a consumer takes at once: parts in order, or the final notice, never both. Parts are shared with other subscribers.
/// </summary>
public sealed record WatchItems
{
    /// <summary>1, 2, 3, …: which take of the subscription it is.</summary>
    public required long Number { get; init; }

    /// <summary>The cursor before it: <see cref="Revision"/> of the take before, or the start; null before the start is known.</summary>
    public required Revision? Previous { get; init; }

    /// <summary>
    /// The cursor after it: every event of the watch up to here was delivered, or is counted in a <see cref="WatchPart.Lagged"/>. A
    /// watch that starts at the next revision goes on without a gap. It stays where it was while a snapshot or a large revision is
    /// incomplete.
    /// </summary>
    public required Revision? Revision { get; init; }

    /// <summary>The parts, in order; empty where <see cref="End"/> is set.</summary>
    public required IReadOnlyList<WatchPart> Parts { get; init; }

    /// <summary>The final notice; nothing follows it.</summary>
    public EndNotice? End { get; init; }
}
