using System.Buffers.Binary;
using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// The payload of an <see cref="EntryKind.Voters"/> entry: who votes in the group from that entry on. Every group's log begins with
/// one, index 1 in term 1, the same on each of its first voters; later ones stand in the log only.
/// </summary>
public static class Voters
{
    private const int NodeBytes = 16;

    /// <summary>The entry with which every first voter begins the group's log. It carries no time, so that it is the same everywhere.</summary>
    public static Entry FirstEntry(IReadOnlyList<NodeId> voters) =>
        new(LogIndex.None.Next, Term.None.Next, LogTime.Zero, 0, EntryKind.Voters, Encode(voters));

    /// <summary>The payload for these voters.</summary>
    public static byte[] Encode(IReadOnlyList<NodeId> voters)
    {
        ArgumentNullException.ThrowIfNull(voters);
        var bytes = new byte[voters.Count * NodeBytes];
        for (var i = 0; i < voters.Count; i++)
            BinaryPrimitives.WriteUInt128LittleEndian(bytes.AsSpan(i * NodeBytes), voters[i].Value);
        return bytes;
    }

    /// <summary>The voters in a payload.</summary>
    public static NodeId[] Decode(ReadOnlySpan<byte> payload)
    {
        Invariant.That(payload.Length > 0 && payload.Length % NodeBytes == 0, "R3: a voters entry names at least one node");
        var voters = new NodeId[payload.Length / NodeBytes];
        for (var i = 0; i < voters.Length; i++)
            voters[i] = new NodeId(BinaryPrimitives.ReadUInt128LittleEndian(payload[(i * NodeBytes)..]));
        return voters;
    }

    /// <summary>The voters that count in a log: those of its last voters entry, committed or not; none in an empty log.</summary>
    public static NodeId[] Of(RaftLog log)
    {
        ArgumentNullException.ThrowIfNull(log);
        for (var index = log.Last; index > LogIndex.None; index = index.Previous)
        {
            if (log[index].Kind == EntryKind.Voters)
                return Decode(log[index].Payload.Span);
        }
        return [];
    }
}
