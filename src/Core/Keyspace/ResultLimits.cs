namespace Watch.Core.Keyspace;

/// <summary>
/// How many results a bucket remembers for retries, and how long. What they evict is replicated state, so they have to be equal on
/// all replicas: they are constants of this version, not settings.
/// </summary>
/// <remarks>They count results and no bytes: a result takes some 250 bytes of memory however large the values are, 64 MiB at most in all.</remarks>
internal sealed record ResultLimits
{
    internal static readonly ResultLimits Standard = new();

    /// <summary>Results of all clients together. A client that says what it has answers for keeps no more than it has under way.</summary>
    internal int ResultsMax { get; init; } = 1 << 18;

    /// <summary>Results of one client; past it, the client loses its oldest one, and nobody else anything.</summary>
    internal int ResultsPerClientMax { get; init; } = 1 << 17;

    /// <summary>
    /// How long a result is kept where no other limit is reached, in log time. A client asks for a fresh index when its own is a
    /// tenth of this old.
    /// </summary>
    internal long SpanMs { get; init; } = 10 * 60 * 1000;
}
