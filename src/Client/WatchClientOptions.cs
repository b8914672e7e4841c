using Watch.Core.Watching;

namespace Watch.Client;

/// <summary>Settings of a client.</summary>
public sealed class WatchClientOptions
{
    /// <summary>How long a read is tried before it fails, and how long one sending of a write may take before it is sent again. Default 10 s.</summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a write, or a wish for a node to come or to go, is tried altogether before it fails, with <see cref="WatchErrorCode.OutcomeUnknown"/> if it may have taken effect. Default 30 s.</summary>
    public TimeSpan WriteTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The first pause before a write is sent again, or a read that was lost asked again; each further one is twice as long. Default 50 ms.</summary>
    public TimeSpan WriteBackoffFirst { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>The longest of these pauses. Default 1 s.</summary>
    public TimeSpan WriteBackoffMax { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long a call of a client outside the cluster may go unanswered before it is asked again by another way, if the one it took
    /// gives no sign of life; no longer than <see cref="CallTimeout"/> to have any effect. Default 1 s.
    /// </summary>
    public TimeSpan HedgeAfter { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a server may take to give a sign of life before it counts as silent. Default 0.5 s.</summary>
    public TimeSpan SilencePatience { get; set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>How long a watch of a client outside the cluster, of keys or of nodes, may be quiet before its server is asked for a sign of life. Default 3 s.</summary>
    public TimeSpan WatchQuiet { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>The first pause before a lost watch tries again; each further one is twice as long. Default 0.5 s.</summary>
    public TimeSpan BackoffFirst { get; set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>The longest pause. Default 60 s.</summary>
    public TimeSpan BackoffMax { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How many events of one watch a client outside the cluster holds for a reader that is behind, at most; more wait in the server's queue,
    /// where they fall to the watch's <see cref="SlowPolicy"/>. 1 to 65,536; default 1,024.
    /// </summary>
    public int CreditEvents { get; set; } = 1_024;

    /// <summary>The same in bytes; a revision that is larger is held alone. 4,096 to 1 GiB; default 4 MiB.</summary>
    public long CreditBytes { get; set; } = 4 << 20;

    /// <summary>
    /// How this client names itself in the events of what it writes, for those who read them: 1 to 64 bytes of UTF-8. Empty, the default: it
    /// does not. The name is kept with each of its changes as long as history has them.
    /// </summary>
    public string WriterName { get; set; } = "";

    /// <summary>The rules by which watches are complete; a test breaks them one at a time.</summary>
    internal WatchRules Rules { get; init; } = WatchRules.Kept;

    /// <summary>What stands in requests.</summary>
    internal string? Writer => WriterName.Length == 0 ? null : WriterName;

    internal void Validate()
    {
        if (Writer is { } writer && !Core.Keyspace.WriterName.IsValid(writer))
            throw new WatchException(WatchErrorCode.InvalidOption, $"{nameof(WatchClientOptions)}.{nameof(WriterName)} has {writer.Length} characters; allowed are 1 to {Core.Keyspace.WriterName.BytesMax} bytes of UTF-8.");
        if (CallTimeout <= TimeSpan.Zero)
            throw Bad(nameof(CallTimeout), CallTimeout, "longer than zero");
        if (WriteTimeout <= TimeSpan.Zero)
            throw Bad(nameof(WriteTimeout), WriteTimeout, "longer than zero");
        if (WriteBackoffFirst <= TimeSpan.Zero)
            throw Bad(nameof(WriteBackoffFirst), WriteBackoffFirst, "longer than zero");
        if (WriteBackoffMax < WriteBackoffFirst)
            throw Bad(nameof(WriteBackoffMax), WriteBackoffMax, $"at least {nameof(WriteBackoffFirst)} ({WriteBackoffFirst})");
        foreach (var (name, span) in new[] { (nameof(HedgeAfter), HedgeAfter), (nameof(SilencePatience), SilencePatience), (nameof(WatchQuiet), WatchQuiet) })
        {
            if (span <= TimeSpan.Zero)
                throw Bad(name, span, "longer than zero");
        }

        if (CreditEvents is < 1 or > 65_536)
            throw Bad(nameof(CreditEvents), CreditEvents, "1 to 65536");
        if (CreditBytes is < 4_096 or > 1L << 30)
            throw Bad(nameof(CreditBytes), CreditBytes, $"4096 to {1L << 30}");
        if (BackoffFirst <= TimeSpan.Zero)
            throw Bad(nameof(BackoffFirst), BackoffFirst, "longer than zero");
        if (BackoffMax < BackoffFirst)
            throw Bad(nameof(BackoffMax), BackoffMax, $"at least {nameof(BackoffFirst)} ({BackoffFirst})");
    }

    private static WatchException Bad(string name, object value, string allowed) =>
        new(WatchErrorCode.InvalidOption, $"{nameof(WatchClientOptions)}.{name} is {value}; it has to be {allowed}.");
}
