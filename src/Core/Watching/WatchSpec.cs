namespace Watch.Core.Watching;

/// <summary>Everything that a subscriber chooses when a watch begins.</summary>
public sealed record WatchSpec
{
    /// <summary>The longest key or prefix that can be watched, in bytes.</summary>
    public const int KeyBytesMax = 4096;

    /// <summary>The largest <see cref="QueueEventsMax"/>.</summary>
    public const int QueueEventsLimit = 1_000_000;

    /// <summary>The largest <see cref="QueueBytesMax"/>: 1 GiB.</summary>
    public const long QueueBytesLimit = 1L << 30;

    /// <summary>The shortest <see cref="ProgressIntervalMs"/> and <see cref="StaleAfterMs"/>, in milliseconds.</summary>
    public const long IntervalMsMin = 100;

    /// <summary>The longest <see cref="ProgressIntervalMs"/> and <see cref="StaleAfterMs"/>, in milliseconds: one hour.</summary>
    public const long IntervalMsMax = 3_600_000;

    /// <summary>The bucket; the default one unless named.</summary>
    public BucketId Bucket { get; init; } = BucketId.Default;

    /// <summary>The keys.</summary>
    public required WatchTarget Target { get; init; }

    /// <summary>
    /// The first revision to deliver: history from there is replayed, then live changes follow without a seam. One that has not
    /// come yet waits. One that history no longer has ends the watch with <see cref="EndReason.Compacted"/>. Null starts behind
    /// the revision that the registration names.
    /// </summary>
    public Revision? StartAt { get; init; }

    /// <summary>Whether events show the value before.</summary>
    public bool PreviousValues { get; init; }

    /// <summary>How many events may wait for the consumer, 1 to <see cref="QueueEventsLimit"/>; 1024 unless set. One slot more is kept for the final notice.</summary>
    public int QueueEventsMax { get; init; } = 1024;

    /// <summary>How many bytes may wait for the consumer, keys and values and 48 for each event, 1 to <see cref="QueueBytesLimit"/>; 16 MiB unless set.</summary>
    public long QueueBytesMax { get; init; } = 16L << 20;

    /// <summary>What happens when a live change does not fit into the queue; <see cref="SlowRule.Park"/> unless set.</summary>
    public SlowRule WhenSlow { get; init; } = SlowRule.Park;

    /// <summary>
    /// Whether the keys of the target come first as they stand, and then every change after that. Together with <see cref="StartAt"/> it
    /// is a watch of that kind that goes on: changes from there, and the keys as they stand only where history no longer has those.
    /// </summary>
    public bool Snapshot { get; init; }

    /// <summary>Which changes are left out, and what is not shown; nothing unless set.</summary>
    public EventFilter Filter { get; init; }

    /// <summary>
    /// How often the watch is told how far it is, whether or not anything changed: <see cref="IntervalMsMin"/> to
    /// <see cref="IntervalMsMax"/> milliseconds, a tenth more or less each time. Null, the default, for never.
    /// </summary>
    public long? ProgressIntervalMs { get; init; }

    /// <summary>
    /// For how long nobody need confirm that nothing is missing before the watch is told that it is stale: <see cref="IntervalMsMin"/>
    /// to <see cref="IntervalMsMax"/> milliseconds. Null, the default, for ever.
    /// </summary>
    public long? StaleAfterMs { get; init; }

    /// <summary>The number of the target among all that the watch was given, 0 or more; changes of target have greater ones.</summary>
    public long TargetVersion { get; init; }

    /// <summary>For people: the client that watches; empty where it is not known.</summary>
    public string Client { get; init; } = "";

    /// <summary>For people: the client's session; null where the reader is in this process.</summary>
    public string? Session { get; init; }

    /// <summary>What is delivered.</summary>
    /// <exception cref="WatchRefusedException">The target or an option is not valid.</exception>
    internal WatchForm Validate()
    {
        var filter = TargetFilter.Of(Target);
        if (StartAt is { Value: < 0 })
            throw Refused($"The start is revision {StartAt}: 0 or more is allowed.");
        ValidateQueue(QueueEventsMax, QueueBytesMax);
        ValidateFilter();
        InRange(nameof(ProgressIntervalMs), ProgressIntervalMs);
        InRange(nameof(StaleAfterMs), StaleAfterMs);
        if (TargetVersion < 0)
            throw Refused($"The target's version is {TargetVersion}: 0 or more is allowed.");
        return new WatchForm(filter, Filter, PreviousValues);
    }

    internal static void ValidateQueue(int eventsMax, long bytesMax)
    {
        if (eventsMax is < 1 or > QueueEventsLimit)
            throw new WatchRefusedException(WatchRefusal.QueueSizeOutOfRange, $"The queue size of {eventsMax} events is out of range: 1 to {QueueEventsLimit} are allowed.");
        if (bytesMax is < 1 or > QueueBytesLimit)
            throw new WatchRefusedException(WatchRefusal.QueueSizeOutOfRange, $"The queue size of {bytesMax} bytes is out of range: 1 to {QueueBytesLimit} are allowed.");
    }

    private void ValidateFilter()
    {
        const EventFilter All = EventFilter.NoPuts | EventFilter.NoDeletes | EventFilter.KeysOnly | EventFilter.OnlyChangedValue;
        if ((Filter & ~All) != 0)
            throw Refused($"The filter is {(int)Filter}: 0 to {(int)All} are allowed.");
        if (Filter.HasFlag(EventFilter.NoPuts | EventFilter.NoDeletes))
            throw Refused("The filter leaves out both puts and deletes: nothing would be delivered.");
        if (Filter.HasFlag(EventFilter.NoPuts | EventFilter.OnlyChangedValue))
            throw Refused("The filter leaves out all puts, and those that do not change the value: one of both is allowed.");
        if (Filter.HasFlag(EventFilter.KeysOnly) && PreviousValues)
            throw Refused("The filter shows no values, but previous values were asked for: one of both is allowed.");
    }

    private static void InRange(string name, long? value)
    {
        if (value is < IntervalMsMin or > IntervalMsMax)
            throw Refused($"{name} is {value} ms: {IntervalMsMin} to {IntervalMsMax} are allowed.");
    }

    private static WatchRefusedException Refused(string message) => new(WatchRefusal.OptionOutOfRange, message);
}
