namespace Watch.Core;

/// <summary>
/// A bucket's count of committed transactions that changed something. All changes of one transaction share it;
/// no-ops and refused conditions consume none. Revision 0 is the empty bucket.
/// </summary>
/// <param name="Value">The count, 0 or more.</param>
public readonly record struct Revision(long Value) : IComparable<Revision>
{
    /// <summary>The revision of a bucket in which nothing was ever written.</summary>
    public static readonly Revision None;

    /// <summary>The revision after this one.</summary>
    public Revision Next => new(Value + 1);

    /// <summary>The revision before this one; of <see cref="None"/>, <see cref="None"/>.</summary>
    public Revision Previous => Value <= 1 ? None : new Revision(Value - 1);

    /// <inheritdoc/>
    public int CompareTo(Revision other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The earlier of two revisions.</summary>
    public static Revision Min(Revision a, Revision b) => a <= b ? a : b;

    /// <summary>The later of two revisions.</summary>
    public static Revision Max(Revision a, Revision b) => a >= b ? a : b;

    /// <summary>Whether <paramref name="a"/> is earlier than <paramref name="b"/>.</summary>
    public static bool operator <(Revision a, Revision b) => a.Value < b.Value;

    /// <summary>Whether <paramref name="a"/> is later than <paramref name="b"/>.</summary>
    public static bool operator >(Revision a, Revision b) => a.Value > b.Value;

    /// <summary>Whether <paramref name="a"/> is not later than <paramref name="b"/>.</summary>
    public static bool operator <=(Revision a, Revision b) => a.Value <= b.Value;

    /// <summary>Whether <paramref name="a"/> is not earlier than <paramref name="b"/>.</summary>
    public static bool operator >=(Revision a, Revision b) => a.Value >= b.Value;
}
