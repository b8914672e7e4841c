using System.Globalization;

namespace Watch.Core;

/// <summary>The number of a consensus group: one replicated log and the state it builds.</summary>
/// <param name="Value">The number: 0 is the system group, which holds the catalogue; buckets have groups from 1 on.</param>
public readonly record struct GroupId(int Value) : IComparable<GroupId>
{
    /// <summary>The system group, which holds the catalogue.</summary>
    public static readonly GroupId System;

    /// <summary>The group of the default bucket.</summary>
    public static readonly GroupId Default = new(1);

    /// <inheritdoc/>
    public int CompareTo(GroupId other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}
