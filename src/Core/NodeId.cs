using System.Globalization;

namespace Watch.Core;

/// <summary>
/// The random number of a node, drawn when its data folder is created. A new folder is a new node, whatever its name:
/// votes, voters and logs name nodes by this number, so a silo that lost its disk can never be taken for the node it was.
/// </summary>
/// <param name="Value">128 random bits, never zero for a node.</param>
public readonly record struct NodeId(UInt128 Value) : IComparable<NodeId>
{
    /// <summary>No node: the vote of one that has not voted.</summary>
    public static readonly NodeId None;

    /// <inheritdoc/>
    public int CompareTo(NodeId other) => Value.CompareTo(other.Value);

    /// <summary>32 hexadecimal digits.</summary>
    public override string ToString() => Value.ToString("x32", CultureInfo.InvariantCulture);
}
