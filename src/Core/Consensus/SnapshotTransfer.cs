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

/// <summary>
/// Limits how many transfers a node has under way at a time, over all of its groups, so that a node that was away for long is sent what it
/// lacks piece by piece. Whoever asked first gets the next free place.
/// </summary>
internal sealed class TransferSlots
{
    private readonly HashSet<(GroupId, NodeId)> _taken = [];
    private readonly List<((GroupId, NodeId) Who, TimeSpan AskedAt)> _waiting = [];

    /// <summary>How many are under way.</summary>
    internal int Taken => _taken.Count;

    /// <summary>Takes a place, or keeps the one that was taken. Whoever gets none asks again.</summary>
    /// <param name="group">The group.</param>
    /// <param name="to">The follower.</param>
    /// <param name="max">How many places there are.</param>
    /// <param name="now">The time.</param>
    /// <param name="within">Whoever waits and does not ask again for so long needs none any more.</param>
    internal bool TryTake(GroupId group, NodeId to, int max, TimeSpan now, TimeSpan within)
    {
        var who = (group, to);
        if (_taken.Contains(who))
            return true;
        _waiting.RemoveAll(each => now - each.AskedAt > within);
        var place = _waiting.FindIndex(each => each.Who == who);
        if (place < 0)
        {
            place = _waiting.Count;
            _waiting.Add((who, now));
        }
        _waiting[place] = (who, now);
        if (place >= max - _taken.Count)
            return false;
        _waiting.RemoveAt(place);
        return _taken.Add(who);
    }

    /// <summary>Gives a place back, or waits for none any more.</summary>
    internal void Give(GroupId group, NodeId to)
    {
        _taken.Remove((group, to));
        _waiting.RemoveAll(each => each.Who == (group, to));
    }
}
