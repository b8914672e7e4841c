using Watch.Core.Watching;
using Watch.Core.Consensus;
using Watch.Core.Keyspace;
using Watch.Core.Storage;

namespace Watch.Grains.Consensus;

/// <summary>
/// Where a test takes hold of a replica: to see what it applies, and to break one rule at a time and show that its checkers notice. The
/// product uses this class as it stands; it is registered nowhere.
/// </summary>
internal class ReplicaSeams
{
    internal static readonly ReplicaSeams None = new();

    /// <summary>The rules that Raft's safety rests on.</summary>
    internal virtual SafetyRules Rules => SafetyRules.Raft;

    /// <summary>The rules of the shell.</summary>
    internal virtual ReplicaRules Shell => ReplicaRules.Kept;

    /// <summary>The rules that "exactly once" and snapshots rest on.</summary>
    internal virtual KeyspaceRules Keyspace => KeyspaceRules.Standard;

    /// <summary>The rules that a watch's completeness rests on.</summary>
    internal virtual WatchRules Watching => WatchRules.Kept;

    /// <summary>The limits of a node's log.</summary>
    internal virtual LogOptions Log { get; } = new();

    /// <summary>What a node goes on from, given what its log holds.</summary>
    internal virtual RecoveredLog Recovered(RecoveredLog found) => found;

    /// <summary>A node is about to apply entries that have become committed.</summary>
    internal virtual void Applying(NodeIdentity node, CommittedEntries committed)
    {
    }
}
