namespace Watch.Client;

/// <summary>Settings of a client.</summary>
public sealed class WatchClientOptions
{
    /// <summary>How long a read or write may take before it fails. Default 10 s.</summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The first pause before a lost watch tries again; each further one is twice as long. Default 0.5 s.</summary>
    public TimeSpan BackoffFirst { get; set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>The longest pause. Default 60 s.</summary>
    public TimeSpan BackoffMax { get; set; } = TimeSpan.FromSeconds(60);

    internal void Validate()
    {
        if (CallTimeout <= TimeSpan.Zero)
            throw Bad(nameof(CallTimeout), CallTimeout, "longer than zero");
        if (BackoffFirst <= TimeSpan.Zero)
            throw Bad(nameof(BackoffFirst), BackoffFirst, "longer than zero");
        if (BackoffMax < BackoffFirst)
            throw Bad(nameof(BackoffMax), BackoffMax, $"at least {nameof(BackoffFirst)} ({BackoffFirst})");
    }

    private static WatchException Bad(string name, TimeSpan value, string allowed) =>
        new(WatchErrorCode.InvalidOption, $"{nameof(WatchClientOptions)}.{name} is {value}; it has to be {allowed}.");
}
