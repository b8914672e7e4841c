using Watch.Core.Storage;

namespace Watch.Core.Consensus;

/// <summary>
/// What has to be written again before segments of the log can go, segment by segment: how much of each group. A group has nothing to be
/// written again for one segment and its entries for the next, so each segment adds the difference. Whatever was added fits in one batch.
/// </summary>
/// <param name="bytesMax">How long that batch may become.</param>
/// <param name="groupBytesMax">How many bytes of one group's entries are written again, at most.</param>
internal sealed class RewriteBudget(long bytesMax, long groupBytesMax)
{
    /// <summary>What a group may need beside its entries.</summary>
    private const int BytesPerGroup = LogFormat.BaseBytes + LogFormat.HardStateBytes;

    private readonly SortedDictionary<GroupId, long> _entryBytes = [];

    internal long GroupBytesMax { get; } = groupBytesMax;

    /// <summary>How long the batch becomes at most.</summary>
    internal long Bytes { get; private set; } = LogFormat.BatchHeaderBytes + LogFormat.FirstBytes;

    /// <summary>The groups that have anything in the segments that go.</summary>
    internal IEnumerable<GroupId> Groups => _entryBytes.Keys;

    /// <summary>Adds what one more segment takes; false, and nothing is added, where that does not fit.</summary>
    internal bool TryAdd(IReadOnlyDictionary<GroupId, long> entryBytes)
    {
        var bytes = Bytes;
        foreach (var (group, more) in entryBytes)
            bytes += _entryBytes.TryGetValue(group, out var counted) ? Math.Max(0, more - counted) : BytesPerGroup + more;
        if (bytes > bytesMax)
            return false;
        Bytes = bytes;
        foreach (var (group, more) in entryBytes)
            _entryBytes[group] = Math.Max(more, _entryBytes.GetValueOrDefault(group));
        return true;
    }

    /// <summary>Of the groups of one more segment those, with the most of it first, without whose entries the rest would fit in a batch of its own.</summary>
    internal IEnumerable<GroupId> Excess(IReadOnlyDictionary<GroupId, long> entryBytes)
    {
        var bytes = LogFormat.BatchHeaderBytes + LogFormat.FirstBytes + entryBytes.Values.Sum(each => BytesPerGroup + each);
        foreach (var (group, each) in entryBytes.OrderByDescending(each => each.Value).ThenBy(each => each.Key))
        {
            if (bytes <= bytesMax)
                yield break;
            bytes -= each;
            yield return group;
        }
    }
}
