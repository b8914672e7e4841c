namespace Watch.Core.Storage;

/// <summary>The limits of a write-ahead log.</summary>
public sealed record LogOptions
{
    /// <summary>A segment that has reached this length is followed by a new one. Default 64 MiB; 4 KiB to 1 GiB.</summary>
    public long SegmentBytesMax { get; init; } = 64 << 20;

    /// <summary>A batch may not be longer. Default 64 MiB; 64 KiB to 1 GiB. A longer one is the caller's mistake.</summary>
    public int BatchBytesMax { get; init; } = 64 << 20;

    /// <summary>
    /// By how much a segment is extended with written zeros when it is full, so that most syncs have no metadata to write.
    /// Default 1 MiB (about a millisecond of a disk's time); 4 KiB to 64 MiB.
    /// </summary>
    public int AllocateBytes { get; init; } = 1 << 20;

    /// <summary>
    /// What is written again so that old segments can go takes no more, in one batch: a quarter of a segment. Were it as much as a segment, what
    /// was written again would fill the next one, that one would be written again, and so on for ever.
    /// </summary>
    public long RetirementBytesMax => Math.Min(SegmentBytesMax / 4, BatchBytesMax);

    /// <summary>Throws <see cref="ArgumentOutOfRangeException"/> naming the first setting that is not allowed, its value and what is allowed.</summary>
    public void Validate()
    {
        Require(nameof(SegmentBytesMax), SegmentBytesMax, 4 << 10, 1 << 30);
        Require(nameof(BatchBytesMax), BatchBytesMax, 64 << 10, 1 << 30);
        Require(nameof(AllocateBytes), AllocateBytes, 4 << 10, 64 << 20);
    }

    private static void Require(string setting, long value, long min, long max)
    {
        if (value < min || value > max)
            throw new ArgumentOutOfRangeException(setting, value, $"{setting} must be between {min} and {max} bytes.");
    }
}
