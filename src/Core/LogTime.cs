using System.Globalization;

namespace Watch.Core;

/// <summary>The time that a group's log carries: milliseconds counted by its leaders' monotonic clocks, each continuing from the last stamp. It never runs backwards, stands still while the group has no leader, and is the only time that replicated state may decide by.</summary>
/// <param name="Value">Milliseconds, 0 or more.</param>
public readonly record struct LogTime(long Value) : IComparable<LogTime>
{
    /// <summary>The time at which every log begins.</summary>
    public static readonly LogTime Zero;

    /// <inheritdoc/>
    public int CompareTo(LogTime other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>The lesser of the two.</summary>
    public static LogTime Min(LogTime a, LogTime b) => a <= b ? a : b;

    /// <summary>The greater of the two.</summary>
    public static LogTime Max(LogTime a, LogTime b) => a >= b ? a : b;

    /// <summary>Whether <paramref name="a"/> comes before <paramref name="b"/>.</summary>
    public static bool operator <(LogTime a, LogTime b) => a.Value < b.Value;

    /// <summary>Whether <paramref name="a"/> comes after <paramref name="b"/>.</summary>
    public static bool operator >(LogTime a, LogTime b) => a.Value > b.Value;

    /// <summary>Whether <paramref name="a"/> does not come after <paramref name="b"/>.</summary>
    public static bool operator <=(LogTime a, LogTime b) => a.Value <= b.Value;

    /// <summary>Whether <paramref name="a"/> does not come before <paramref name="b"/>.</summary>
    public static bool operator >=(LogTime a, LogTime b) => a.Value >= b.Value;
}
