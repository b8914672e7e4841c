using System.Text;

namespace Watch.Core.Consensus;

/// <summary>A command of the system group, whose state machine is the <see cref="Catalogue"/>.</summary>
public abstract record CatalogueCommand
{
    private const byte Version = 1;
    private const int VoterBytes = 16;

    private CatalogueCommand()
    {
    }

    /// <summary>The cluster came into being: always the first command of the system group.</summary>
    /// <param name="Incarnation">128 random bits; a restored backup gets others.</param>
    /// <param name="LeaseMs">A leader's lease, in milliseconds.</param>
    /// <param name="MarginMs">The margin for clock drift that is added to it, in milliseconds.</param>
    public sealed record ClusterBorn(UInt128 Incarnation, int LeaseMs, int MarginMs) : CatalogueCommand;

    /// <summary>A node is to vote in every group.</summary>
    /// <param name="Id">Its number.</param>
    /// <param name="Name">Its name.</param>
    public sealed record NodeAdded(NodeId Id, string Name) : CatalogueCommand;

    /// <summary>A node is to belong to no group any more. Its name is free from now on.</summary>
    /// <param name="Id">Its number.</param>
    public sealed record NodeLeaving(NodeId Id) : CatalogueCommand;

    /// <summary>A node that was leaving belongs to no group any more. Its number never comes back.</summary>
    /// <param name="Id">Its number.</param>
    public sealed record NodeRemoved(NodeId Id) : CatalogueCommand;

    /// <summary>A node that was leaving, and was not removed yet, stays after all: it is to vote in every group again.</summary>
    /// <param name="Id">Its number.</param>
    public sealed record NodeStays(NodeId Id) : CatalogueCommand;

    /// <summary>A node that is leaving or was removed. In snapshots only, which tell what became of a node and not how.</summary>
    /// <param name="Id">Its number.</param>
    /// <param name="Name">Its last name, which another node may have by now.</param>
    /// <param name="IsRemoved">Whether it belongs to no group any more; otherwise it is leaving.</param>
    public sealed record NodeDeparted(NodeId Id, string Name, bool IsRemoved) : CatalogueCommand;

    /// <summary>A bucket was created, with the group that holds it.</summary>
    /// <param name="Id">The bucket.</param>
    /// <param name="Name">Its name.</param>
    /// <param name="Group">Its group.</param>
    /// <param name="FirstVoters">The group's first voters; later ones stand in the group's own log only.</param>
    public sealed record BucketCreated(BucketId Id, string Name, GroupId Group, IReadOnlyList<NodeId> FirstVoters) : CatalogueCommand;

    /// <summary>The command as the payload of an entry (docs/disk-format.md).</summary>
    public byte[] Encode()
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        switch (this)
        {
            case ClusterBorn born:
                WriteTag(writer, 1);
                WriteUInt128(writer, born.Incarnation);
                writer.Write(born.LeaseMs);
                writer.Write(born.MarginMs);
                break;
            case NodeAdded added:
                WriteTag(writer, 2);
                WriteUInt128(writer, added.Id.Value);
                writer.Write(added.Name);
                break;
            case BucketCreated created:
                WriteTag(writer, 3);
                writer.Write(created.Id.Value);
                writer.Write(created.Name);
                writer.Write(created.Group.Value);
                writer.Write(created.FirstVoters.Count);
                foreach (var voter in created.FirstVoters)
                    WriteUInt128(writer, voter.Value);
                break;
            case NodeLeaving leaving:
                WriteTag(writer, 4);
                WriteUInt128(writer, leaving.Id.Value);
                break;
            case NodeRemoved removed:
                WriteTag(writer, 5);
                WriteUInt128(writer, removed.Id.Value);
                break;
            case NodeDeparted departed:
                WriteTag(writer, 6);
                WriteUInt128(writer, departed.Id.Value);
                writer.Write(departed.Name);
                writer.Write(departed.IsRemoved);
                break;
            case NodeStays stays:
                WriteTag(writer, 7);
                WriteUInt128(writer, stays.Id.Value);
                break;
        }
        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>Reads the payload of an entry.</summary>
    public static CatalogueCommand Decode(ReadOnlyMemory<byte> payload)
    {
        using var reader = new BinaryReader(new MemoryStream(payload.ToArray()), Encoding.UTF8);
        var (tag, version) = (reader.ReadByte(), reader.ReadByte());
        Invariant.That(version <= Version, $"C1: this program knows every command in the log (found version {version} of command {tag})");
        return tag switch
        {
            1 => new ClusterBorn(ReadUInt128(reader), reader.ReadInt32(), reader.ReadInt32()),
            2 => new NodeAdded(new NodeId(ReadUInt128(reader)), reader.ReadString()),
            3 => ReadBucketCreated(reader),
            4 => new NodeLeaving(new NodeId(ReadUInt128(reader))),
            5 => new NodeRemoved(new NodeId(ReadUInt128(reader))),
            6 => new NodeDeparted(new NodeId(ReadUInt128(reader)), reader.ReadString(), reader.ReadBoolean()),
            7 => new NodeStays(new NodeId(ReadUInt128(reader))),
            _ => throw new InvariantViolationException($"C1: this program knows every command in the log (found command {tag})"),
        };
    }

    private static BucketCreated ReadBucketCreated(BinaryReader reader)
    {
        var id = new BucketId(reader.ReadInt32());
        var name = reader.ReadString();
        var group = new GroupId(reader.ReadInt32());
        var count = reader.ReadInt32();
        Invariant.That(count >= 0 && count <= (reader.BaseStream.Length - reader.BaseStream.Position) / VoterBytes, "C1: a bucket's first voters follow their count");
        var voters = new NodeId[count];
        for (var i = 0; i < voters.Length; i++)
            voters[i] = new NodeId(ReadUInt128(reader));
        return new BucketCreated(id, name, group, voters);
    }

    private static void WriteTag(BinaryWriter writer, byte tag)
    {
        writer.Write(tag);
        writer.Write(Version);
    }

    private static void WriteUInt128(BinaryWriter writer, UInt128 value)
    {
        writer.Write((ulong)value);
        writer.Write((ulong)(value >> 64));
    }

    private static UInt128 ReadUInt128(BinaryReader reader)
    {
        var low = reader.ReadUInt64();
        return new UInt128(reader.ReadUInt64(), low);
    }
}
