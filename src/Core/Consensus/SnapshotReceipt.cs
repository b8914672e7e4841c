using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// A snapshot on its way in. Chunks are taken in order, one at a time; a chunk that is not the next one is answered with which one is. It
/// goes on where it stopped, whatever was lost and whoever leads in between, as long as the same node sends the same snapshot: another
/// node's may consist of other bytes.
/// </summary>
internal sealed class SnapshotReceipt(NodeId from, SnapshotInfo info)
{
    private readonly MemoryStream? _content = info.Group == GroupId.System ? new MemoryStream() : null;

    internal SnapshotInfo Info { get; } = info;

    /// <summary>The chunk that is needed next.</summary>
    internal int Next { get; private set; }

    /// <summary>Whether a chunk is at the disk.</summary>
    internal bool IsBusy { get; private set; }

    /// <summary>The last round in which a chunk came.</summary>
    internal Round Round { get; set; }

    /// <summary>Of the system group what came, since the node itself builds the catalogue from it.</summary>
    internal ReadOnlyMemory<byte> Content => _content is null ? default : _content.ToArray();

    /// <summary>The term in which the last chunk came.</summary>
    internal Term Term { get; set; }

    /// <summary>Whether it turned out that nobody needs it while a chunk was at the disk.</summary>
    internal bool IsAbandoned { get; set; }

    internal bool IsFrom(NodeId sender) => sender == from;

    /// <summary>
    /// Whether a chunk is of a snapshot that its sender had sent before this one, and came late. A leader's snapshots only grow newer, so it
    /// would take the place of what the leader sends now, for nothing.
    /// </summary>
    internal bool Overtakes(InstallSnapshot chunk) => chunk.From == from && chunk.Term == Term && chunk.Snapshot.Index < Info.Index;

    internal bool IsOf(NodeId sender, SnapshotInfo snapshot) => sender == from && Info.StandsFor(snapshot);

    internal SnapshotWork.Write Take(InstallSnapshot chunk)
    {
        IsBusy = true;
        _content?.Write(chunk.Content.Span);
        return new SnapshotWork.Write(Info, chunk.From, chunk.Chunk, chunk.IsLast, chunk.Content);
    }

    internal void Written()
    {
        IsBusy = false;
        Next++;
    }
}
