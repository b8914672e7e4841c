using System.Globalization;

namespace Watch.Core.Storage;

/// <summary>A place in a node's log, counted in bytes over all of its segments, headers included.</summary>
/// <param name="Value">Bytes before this place.</param>
public readonly record struct LogPosition(long Value) : IComparable<LogPosition>
{
    /// <summary>Where the first segment begins.</summary>
    public static readonly LogPosition Start;

    /// <inheritdoc/>
    public int CompareTo(LogPosition other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>The place this many bytes on.</summary>
    public static LogPosition operator +(LogPosition position, long bytes) => new(position.Value + bytes);

    /// <summary>How many bytes lie between two places.</summary>
    public static long operator -(LogPosition a, LogPosition b) => a.Value - b.Value;

    /// <summary>Whether <paramref name="a"/> comes before <paramref name="b"/>.</summary>
    public static bool operator <(LogPosition a, LogPosition b) => a.Value < b.Value;

    /// <summary>Whether <paramref name="a"/> comes after <paramref name="b"/>.</summary>
    public static bool operator >(LogPosition a, LogPosition b) => a.Value > b.Value;

    /// <summary>Whether <paramref name="a"/> does not come after <paramref name="b"/>.</summary>
    public static bool operator <=(LogPosition a, LogPosition b) => a.Value <= b.Value;

    /// <summary>Whether <paramref name="a"/> does not come before <paramref name="b"/>.</summary>
    public static bool operator >=(LogPosition a, LogPosition b) => a.Value >= b.Value;
}
