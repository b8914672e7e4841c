using Watch.Core.Storage;

namespace Watch.Core.Consensus.Messages;

/// <summary>Pieces of snapshots as bytes.</summary>
public static partial class ParcelCodec
{
    private static void WriteOfSnapshot(ref ByteWriter writer, GroupMessage message)
    {
        if (message is SnapshotAnswer answer)
        {
            WriteRound(ref writer, answer.Round);
            writer.Long(answer.Index.Value);
            writer.Int(answer.Next);
            return;
        }
        var part = (InstallSnapshot)message;
        WriteRound(ref writer, part.Round);
        writer.Long(part.Snapshot.Index.Value);
        writer.Long(part.Snapshot.Term.Value);
        writer.Long(part.Snapshot.Stamp.Value);
        writer.Int(part.Snapshot.Members.Length);
        writer.Bytes(part.Snapshot.Members.Span);
        writer.Int(part.Chunk);
        writer.Flag(part.IsLast);
        writer.Int(part.Content.Length);
        writer.Bytes(part.Content.Span);
    }

    private static InstallSnapshot ReadSnapshot(ref ByteReader reader, GroupId group, Term term, NodeId from)
    {
        var round = ReadRound(ref reader);
        var snapshot = new SnapshotInfo(group, reader.Index(), reader.Term(), reader.Stamp(), reader.Bytes());
        var (chunk, isLast, content) = ((int)reader.Natural(reader.Int()), reader.Flag(), reader.Bytes());
        if (snapshot.Index == LogIndex.None || snapshot.Term > term)
            throw new MalformedParcelException($"no snapshot at {snapshot.Index} of term {snapshot.Term} is sent in term {term}");
        if (!SnapshotMembers.IsOne(snapshot.Members.Span))
            throw new MalformedParcelException($"the {snapshot} does not say who belongs to the group");
        if (content.Length > SnapshotWriter.ChunkBytesMax || (content.Length == 0 && !(isLast && chunk == 0)))
            throw new MalformedParcelException($"chunk {chunk} has {content.Length} bytes");
        return new InstallSnapshot(group, term, from, round, snapshot, chunk, isLast, content);
    }
}
