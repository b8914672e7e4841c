namespace Watch.Core.Consensus;

/// <summary>What the catalogue knows of a bucket.</summary>
/// <param name="Id">Its number, never used again.</param>
/// <param name="Name">Its name.</param>
/// <param name="Group">The group that holds it.</param>
/// <param name="FirstVoters">The group's first voters.</param>
public sealed record BucketInfo(BucketId Id, string Name, GroupId Group, IReadOnlyList<NodeId> FirstVoters);

/// <summary>
/// The replicated state of the system group: who the cluster is, its nodes, its buckets. Built from the group's committed entries
/// alone, in their order, so it is the same on every replica.
///
///   C1  Every command in the log is known to this program.
///   C2  A cluster is born once, before anything else happens.
///   C3  Numbers of nodes, buckets and groups are unique, and so are the names of nodes and of buckets.
/// </summary>
public sealed class Catalogue
{
    private readonly SortedDictionary<BucketId, BucketInfo> _buckets = new(Comparer<BucketId>.Create((a, b) => a.Value.CompareTo(b.Value)));
    private readonly SortedDictionary<NodeId, string> _nodes = [];

    /// <summary>The cluster's incarnation; null before the birth has committed.</summary>
    public UInt128? Incarnation { get; private set; }

    /// <summary>A leader's lease, in milliseconds: the same for all groups.</summary>
    public int LeaseMs { get; private set; }

    /// <summary>The margin for clock drift that is added to the lease, in milliseconds.</summary>
    public int MarginMs { get; private set; }

    /// <summary>The nodes, by number, with their names.</summary>
    public IReadOnlyDictionary<NodeId, string> Nodes => _nodes;

    /// <summary>The buckets, by number.</summary>
    public IReadOnlyDictionary<BucketId, BucketInfo> Buckets => _buckets;

    /// <summary>The bucket of a name, or null.</summary>
    public BucketInfo? FindBucket(string name) => _buckets.Values.FirstOrDefault(bucket => bucket.Name == name);

    /// <summary>Commands that build this catalogue from an empty one, in a fixed order: what a snapshot of the system group holds.</summary>
    public IEnumerable<CatalogueCommand> AsCommands()
    {
        if (Incarnation is not { } incarnation)
            yield break;
        yield return new CatalogueCommand.ClusterBorn(incarnation, LeaseMs, MarginMs);
        foreach (var (id, name) in _nodes)
            yield return new CatalogueCommand.NodeAdded(id, name);
        foreach (var bucket in _buckets.Values)
            yield return new CatalogueCommand.BucketCreated(bucket.Id, bucket.Name, bucket.Group, bucket.FirstVoters);
    }

    /// <summary>Applies a committed command.</summary>
    public void Apply(CatalogueCommand command)
    {
        Invariant.That(command is CatalogueCommand.ClusterBorn == Incarnation is null, "C2: a cluster is born once, before anything else");
        switch (command)
        {
            case CatalogueCommand.ClusterBorn born:
                (Incarnation, LeaseMs, MarginMs) = (born.Incarnation, born.LeaseMs, born.MarginMs);
                break;
            case CatalogueCommand.NodeAdded added:
                Invariant.That(!_nodes.ContainsValue(added.Name) && _nodes.TryAdd(added.Id, added.Name), "C3: nodes are unique");
                break;
            case CatalogueCommand.BucketCreated created:
                Invariant.That(_buckets.Values.All(bucket => bucket.Group != created.Group && bucket.Name != created.Name), "C3: buckets are unique");
                Invariant.That(_buckets.TryAdd(created.Id, new BucketInfo(created.Id, created.Name, created.Group, created.FirstVoters)), "C3: buckets are unique");
                break;
        }
    }
}
