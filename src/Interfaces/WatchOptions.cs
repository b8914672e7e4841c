using Watch.Core;

namespace Watch;

/// <summary>How a watch is to be. All of it is optional.</summary>
public sealed record WatchOptions
{
    /// <summary>The first revision to deliver, replayed from history where it has happened already; null for the one after now.</summary>
    public Revision? StartAt { get; init; }

    /// <summary>
    /// Go on where another watch of the same target and filter was (<see cref="IWatchStream.GetCursor"/>). Instead of
    /// <see cref="StartAt"/>, and safer: a cursor of another cluster, bucket or watch is refused.
    /// </summary>
    public WatchCursor? From { get; init; }

    /// <summary>
    /// Deliver what the target has now, each key as a put, then <see cref="WatchEventType.Synced"/>, then what changes. Default no. Not
    /// together with <see cref="StartAt"/> or <see cref="From"/>.
    /// </summary>
    public bool Snapshot { get; init; }

    /// <summary>
    /// What to leave out. Default nothing. What a snapshot shows is never left out; where a later snapshot is told as the difference,
    /// <see cref="EventFilter.NoDeletes"/> leaves out what is gone.
    /// </summary>
    public EventFilter Filter { get; init; }

    /// <summary>Deliver the value before each change, too. Default no.</summary>
    public bool PreviousValues { get; init; }

    /// <summary>What happens when changes come faster than the reader takes them. Default <see cref="SlowPolicy.Park"/>.</summary>
    public SlowPolicy WhenSlow { get; init; }

    /// <summary>
    /// How many events wait for a slow reader before <see cref="WhenSlow"/> decides, 1 to 1,000,000; null for the silo's default of 1,024. A
    /// client outside the cluster takes as many again, at most 1,024, ahead of a reader that reads, but from a queue below 64 none.
    /// </summary>
    public int? QueueEventsMax { get; init; }

    /// <summary>How many bytes wait for a slow reader before <see cref="WhenSlow"/> decides, 1 to 1 GiB; null for the silo's default of 16 MiB.</summary>
    public long? QueueBytesMax { get; init; }

    /// <summary>How often the watch says how far it is (<see cref="WatchEventType.Progress"/>), 100 ms to 1 h; null for only when it is asked.</summary>
    public TimeSpan? ProgressInterval { get; init; }

    /// <summary>
    /// After how long without a confirmation that nothing was missed the watch says so (<see cref="WatchEventType.Stale"/>), also where there
    /// is no server that could; null for never. At least three times within that span it says how far it is, whatever
    /// <see cref="ProgressInterval"/> is. From twice the silo's interval of questions to half of what it remembers scopes for: 2 s to 1 min
    /// unless set otherwise.
    /// </summary>
    public TimeSpan? StaleAfter { get; init; }

    /// <summary>Go on by itself, from its cursor, when the connection or the silo is lost. Default yes; without, the watch ends with <see cref="WatchEndReason.ClientLost"/>.</summary>
    public bool Resume { get; init; } = true;
}
