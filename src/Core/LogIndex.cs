using System.Globalization;

namespace Watch.Core;

/// <summary>The place of an entry in a group's log; the first entry has index 1.</summary>
/// <param name="Value">The place, 0 or more.</param>
public readonly record struct LogIndex(long Value) : IComparable<LogIndex>
{
    /// <summary>The place before the first entry: the last index of an empty log.</summary>
    public static readonly LogIndex None;

    /// <summary>The next one.</summary>
    public LogIndex Next => new(Value + 1);

    /// <summary>The one before; of <see cref="None"/> there is none.</summary>
    public LogIndex Previous => new(Value - 1);

    /// <summary>The index this many places on.</summary>
    public static LogIndex operator +(LogIndex index, long count) => new(index.Value + count);

    /// <summary>How many places lie between two indexes.</summary>
    public static long operator -(LogIndex a, LogIndex b) => a.Value - b.Value;

    /// <inheritdoc/>
    public int CompareTo(LogIndex other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>The lesser of the two.</summary>
    public static LogIndex Min(LogIndex a, LogIndex b) => a <= b ? a : b;

    /// <summary>The greater of the two.</summary>
    public static LogIndex Max(LogIndex a, LogIndex b) => a >= b ? a : b;

    /// <summary>Whether <paramref name="a"/> comes before <paramref name="b"/>.</summary>
    public static bool operator <(LogIndex a, LogIndex b) => a.Value < b.Value;

    /// <summary>Whether <paramref name="a"/> comes after <paramref name="b"/>.</summary>
    public static bool operator >(LogIndex a, LogIndex b) => a.Value > b.Value;

    /// <summary>Whether <paramref name="a"/> does not come after <paramref name="b"/>.</summary>
    public static bool operator <=(LogIndex a, LogIndex b) => a.Value <= b.Value;

    /// <summary>Whether <paramref name="a"/> does not come before <paramref name="b"/>.</summary>
    public static bool operator >=(LogIndex a, LogIndex b) => a.Value >= b.Value;
}
