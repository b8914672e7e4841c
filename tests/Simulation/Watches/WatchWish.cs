using Watch.Core;

namespace Watch.Simulation.Tests.Watches;

/// <summary>What a watch asked for.</summary>
internal sealed record WatchWish
{
    public required Pattern Target { get; init; }

    public Revision? StartAt { get; init; }

    public bool Snapshot { get; init; }

    public EventFilter Filter { get; init; }

    public bool PreviousValues { get; init; }

    public SlowPolicy WhenSlow { get; init; }

    public int? QueueEventsMax { get; init; }

    public TimeSpan? ProgressInterval { get; init; }

    public TimeSpan? StaleAfter { get; init; }

    /// <summary>Whether a change that was made to a key that belongs is one that was asked for.</summary>
    public bool Wants(CommittedChange change) =>
        change.Value is null
            ? !Filter.HasFlag(EventFilter.NoDeletes)
            : !Filter.HasFlag(EventFilter.NoPuts) && !(Filter.HasFlag(EventFilter.OnlyChangedValue) && change.Value == change.Before);

    /// <summary>The same for the product.</summary>
    public WatchOptions ToOptions() => new()
    {
        StartAt = StartAt,
        Snapshot = Snapshot,
        Filter = Filter,
        PreviousValues = PreviousValues,
        WhenSlow = WhenSlow,
        QueueEventsMax = QueueEventsMax,
        ProgressInterval = ProgressInterval,
        StaleAfter = StaleAfter,
    };

    public override string ToString() =>
        $"{Target}{(Snapshot ? " with a snapshot" : "")}{(StartAt is { } at ? $" from {at}" : "")}{(Filter == EventFilter.None ? "" : $" ({Filter})")}, {WhenSlow}{(QueueEventsMax is { } most ? $" at {most}" : "")}";
}

/// <summary>A change that took effect.</summary>
/// <param name="Revision">Its revision.</param>
/// <param name="Key">Its key.</param>
/// <param name="Value">The new value; null for a delete.</param>
/// <param name="Before">The value before; null where there was none.</param>
internal sealed record CommittedChange(long Revision, string Key, string? Value, string? Before)
{
    public override string ToString() => $"revision {Revision}, {Key} = {Value ?? "(deleted)"}";
}
