using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>A leader's snapshot on its way to one follower: one chunk at a time is read, sent and answered.</summary>
internal sealed class SnapshotTransfer(SnapshotInfo info)
{
    private bool _isAsked;

    internal SnapshotInfo Info { get; } = info;

    /// <summary>The chunk to send.</summary>
    internal int Chunk { get; private set; }

    /// <summary>Its bytes; null before they were read.</summary>
    internal ReadOnlyMemory<byte>? Content { get; private set; }

    internal bool IsLast { get; private set; }

    /// <summary>Whether its bytes have to be asked for now.</summary>
    internal bool MustAsk => Content is null && !_isAsked;

    internal void Asked() => _isAsked = true;

    internal void Read(int chunk, ReadOnlyMemory<byte> content, bool isLast)
    {
        if (chunk == Chunk)
            (Content, IsLast) = (content, isLast);
    }

    /// <summary>The follower needs this chunk; whether that is another one than it was sent.</summary>
    internal bool GoTo(int chunk)
    {
        if (chunk == Chunk)
            return false;
        (Chunk, Content, IsLast, _isAsked) = (chunk, null, false, false);
        return true;
    }
}

/// <summary>Limits how many transfers a node has under way at a time, over all of its groups, so that a node that was away for long is sent what it lacks piece by piece.</summary>
internal sealed class TransferSlots
{
    private readonly HashSet<(GroupId, NodeId)> _taken = [];

    internal bool TryTake(GroupId group, NodeId to, int max) => _taken.Contains((group, to)) || (_taken.Count < max && _taken.Add((group, to)));

    internal void Give(GroupId group, NodeId to) => _taken.Remove((group, to));
}
