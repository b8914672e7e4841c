using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Keyspace;

namespace Watch.Grains.Consensus;

/// <summary>History that is given up, by entries of the log: the leader proposes them when something is due, whether or not anybody writes.</summary>
internal sealed partial class Replica
{
    /// <summary>Proposes a compaction of what has outgrown the limits, where this node leads, and remembers when to look again.</summary>
    private void Compact(BucketReplica bucket, in Moment now)
    {
        var group = Node.Groups[bucket.Group];
        if (!group.LeadsWithOwnTermCommitted)
            return;
        var logNow = group.LogTimeAt(now);
        if (bucket.DueCompaction(now.Monotonic, logNow) is { } compaction && Node.Propose(bucket.Group, [CommandCodec.Encode(compaction)], now).Accepted)
            bucket.CompactionProposed(compaction, now.Monotonic);
        if (bucket.BecomesOldIn(logNow) is not { } wait || now.Monotonic + wait >= _oldAt)
            return;
        _oldAt = now.Monotonic + wait;
        // The loop may be waiting for something later.
        Wake();
    }

    /// <summary>The time has come at which a bucket has history that is too old.</summary>
    private void GiveUpOld()
    {
        var now = Now;
        if (now.Monotonic < _oldAt)
            return;
        _oldAt = TimeSpan.MaxValue;
        foreach (var bucket in _buckets.Values)
            Compact(bucket, now);
    }
}
