using System.Globalization;

namespace Watch.Core;

/// <summary>A period with at most one leader of a group (Raft's logical clock).</summary>
/// <param name="Value">The number, 0 or more.</param>
public readonly record struct Term(long Value) : IComparable<Term>
{
    /// <summary>The term of a group that never voted, and of the place before its first entry.</summary>
    public static readonly Term None;

    /// <summary>The next one.</summary>
    public Term Next => new(Value + 1);

    /// <inheritdoc/>
    public int CompareTo(Term other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>The lesser of the two.</summary>
    public static Term Min(Term a, Term b) => a <= b ? a : b;

    /// <summary>The greater of the two.</summary>
    public static Term Max(Term a, Term b) => a >= b ? a : b;

    /// <summary>Whether <paramref name="a"/> comes before <paramref name="b"/>.</summary>
    public static bool operator <(Term a, Term b) => a.Value < b.Value;

    /// <summary>Whether <paramref name="a"/> comes after <paramref name="b"/>.</summary>
    public static bool operator >(Term a, Term b) => a.Value > b.Value;

    /// <summary>Whether <paramref name="a"/> does not come after <paramref name="b"/>.</summary>
    public static bool operator <=(Term a, Term b) => a.Value <= b.Value;

    /// <summary>Whether <paramref name="a"/> does not come before <paramref name="b"/>.</summary>
    public static bool operator >=(Term a, Term b) => a.Value >= b.Value;
}
