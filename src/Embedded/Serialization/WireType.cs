namespace Watch.Embedded.Serialization;

/// <summary>The shape of a member's value: all that a reader needs to step over a member it does not know.</summary>
internal enum WireType
{
    /// <summary>A variable-length integer, seven bits per byte, low bits first.</summary>
    Varint = 0,

    /// <summary>Four bytes.</summary>
    Fixed32 = 1,

    /// <summary>Eight bytes.</summary>
    Fixed64 = 2,

    /// <summary>Sixteen bytes.</summary>
    Fixed128 = 3,

    /// <summary>A varint holding length + 1 (0 is null), then that many bytes.</summary>
    Bytes = 4,

    /// <summary>Four bytes of length, then a nested value.</summary>
    Sized = 5,

    /// <summary>No member: the end of one level of a type's inheritance.</summary>
    End = 6,
}
