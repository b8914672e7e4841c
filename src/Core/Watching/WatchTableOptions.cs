namespace Watch.Core.Watching;

/// <summary>Limits and times of one silo's <see cref="WatchTable"/>.</summary>
public sealed record WatchTableOptions
{
    /// <summary>Whether watching is allowed at all.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>How many subscriptions this silo serves, of all kinds together.</summary>
    public int WatchersMax { get; init; } = 1_000_000;

    /// <summary>How long an early message waits for the missing one before history is asked, in milliseconds.</summary>
    public long HoldMs { get; init; } = 5;

    /// <summary>How many early messages of one scope are held; more are dropped and read from history.</summary>
    public int HeldMessagesMax { get; init; } = 64;

    /// <summary>How many bytes of early messages of one scope are held; more are dropped and read from history.</summary>
    public long HeldBytesMax { get; init; } = 4L << 20;

    /// <summary>How many recent revisions of a scope are kept for those of its subscriptions that are still joining.</summary>
    public int RecentCommitsMax { get; init; } = 1024;

    /// <summary>How many bytes of recent revisions of a scope are kept for those of its subscriptions that are still joining.</summary>
    public long RecentBytesMax { get; init; } = 4L << 20;

    /// <summary>How many events one question to history asks for at most.</summary>
    public int FetchEventsMax { get; init; } = 4096;

    /// <summary>How many bytes one question to history asks for at most.</summary>
    public long FetchBytesMax { get; init; } = 1L << 20;

    /// <summary>How many bytes one question for keys as they stand, a page of a snapshot, asks for at most.</summary>
    public long SnapshotBytesMax { get; init; } = 1L << 20;

    /// <summary>How many questions for history or keys are under way at once for subscriptions that are behind; others stand in line.</summary>
    public int FetchesInFlightMax { get; init; } = 4;

    /// <summary>How many questions for history are under way at once for scopes that miss something, which everybody live waits for; others stand in line.</summary>
    public int RepairsInFlightMax { get; init; } = 16;

    /// <summary>How long to wait after the first failed question to the leader, in milliseconds; doubles with each further failure.</summary>
    public long RetryMinMs { get; init; } = 20;

    /// <summary>How long to wait at most between failed questions to the leader, in milliseconds.</summary>
    public long RetryMaxMs { get; init; } = 2_000;

    /// <summary>The shortest <see cref="WatchSpec.StaleAfterMs"/> that makes sense: nobody confirms anything more often than the shell asks.</summary>
    public long StaleAfterMsMin { get; init; } = WatchSpec.IntervalMsMin;

    /// <summary>
    /// The longest <see cref="WatchSpec.StaleAfterMs"/>: who is told nothing for longer than scopes are remembered behind a compaction may
    /// have to begin anew, and should know before that he is not fresh.
    /// </summary>
    public long StaleAfterMsMax { get; init; } = WatchSpec.IntervalMsMax;

    /// <summary>Throws where a setting is out of range, naming it, its value and what is allowed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A setting is out of range.</exception>
    public void Validate()
    {
        AtLeast(nameof(WatchersMax), WatchersMax, 1);
        AtLeast(nameof(HoldMs), HoldMs, 0);
        AtLeast(nameof(HeldMessagesMax), HeldMessagesMax, 0);
        AtLeast(nameof(HeldBytesMax), HeldBytesMax, 0);
        AtLeast(nameof(RecentCommitsMax), RecentCommitsMax, 0);
        AtLeast(nameof(RecentBytesMax), RecentBytesMax, 0);
        AtLeast(nameof(FetchEventsMax), FetchEventsMax, 1);
        AtLeast(nameof(FetchBytesMax), FetchBytesMax, 1);
        AtLeast(nameof(SnapshotBytesMax), SnapshotBytesMax, 1);
        AtLeast(nameof(FetchesInFlightMax), FetchesInFlightMax, 1);
        AtLeast(nameof(RepairsInFlightMax), RepairsInFlightMax, 1);
        AtLeast(nameof(StaleAfterMsMin), StaleAfterMsMin, 1);
        // Less than the least: then this silo serves no such watch, and says so to each.
        AtLeast(nameof(StaleAfterMsMax), StaleAfterMsMax, 1);
        AtLeast(nameof(RetryMinMs), RetryMinMs, 1);
        AtLeast(nameof(RetryMaxMs), RetryMaxMs, RetryMinMs);
    }

    private static void AtLeast(string name, long value, long least)
    {
        if (value < least)
            throw new ArgumentOutOfRangeException(name, value, $"{name} is {value}: at least {least} is allowed.");
    }
}
