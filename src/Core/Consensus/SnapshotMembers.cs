using System.Buffers.Binary;
using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// What a snapshot says of its group's members, in place of the voters entries that it stands for.
/// </summary>
/// <remarks>Bytes: the only voter ever (16, 0 for none), the index of the voters entry (8), that entry's payload.</remarks>
/// <param name="Index">Where the last voters entry stood.</param>
/// <param name="Members">What it said.</param>
/// <param name="OnlyVoterEver">The one node that voted in all of the group's life up to here; <see cref="NodeId.None"/> where there was more than one.</param>
internal sealed record SnapshotMembers(LogIndex Index, Membership Members, NodeId OnlyVoterEver)
{
    private const int HeaderBytes = 24;

    internal byte[] Encode()
    {
        var members = Members.Encode();
        var bytes = new byte[HeaderBytes + members.Length];
        BinaryPrimitives.WriteUInt128LittleEndian(bytes, OnlyVoterEver.Value);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), Index.Value);
        members.CopyTo(bytes, HeaderBytes);
        return bytes;
    }

    /// <summary>Whether these bytes are what <see cref="Encode"/> writes.</summary>
    internal static bool IsOne(ReadOnlySpan<byte> bytes) => bytes.Length > HeaderBytes && Membership.IsPayload(bytes[HeaderBytes..]);

    internal static SnapshotMembers Decode(ReadOnlySpan<byte> bytes)
    {
        Invariant.That(bytes.Length > HeaderBytes, "R12: a snapshot names its group's members");
        return new SnapshotMembers(
            new LogIndex(BinaryPrimitives.ReadInt64LittleEndian(bytes[16..])),
            Membership.Decode(bytes[HeaderBytes..]),
            new NodeId(BinaryPrimitives.ReadUInt128LittleEndian(bytes)));
    }
}
