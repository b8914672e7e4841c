using Watch.Core;
using Watch.Core.Storage;

namespace Watch.Grains.Consensus;

/// <summary>
/// Rules of this shell that a test can break one at a time, to see that it notices. The product uses this class as it stands.
/// </summary>
internal class ReplicaRules
{
    public static readonly ReplicaRules Kept = new();

    /// <summary>Whether an entry that commits shows that what was proposed from an index on, in a term, never will, or not whole.</summary>
    public virtual bool IsOvertaken(LogIndex first, Term term, Entry entry) => entry.Index >= first && entry.Term != term;

    /// <summary>Whether who watches what is forgotten with the leadership.</summary>
    public virtual bool ForgetsWatchers => true;

    /// <summary>Whether what was handed out is applied before a read by the lease.</summary>
    public virtual bool AppliesBeforeLease => true;

    /// <summary>Whether leases that the node has given up are taken back from readers before it says anything to another node.</summary>
    public virtual bool TakesLeasesBack => true;
}
