namespace Watch.Core.Consensus;

/// <summary>What the catalogue knows of a bucket.</summary>
/// <param name="Id">Its number, never used again.</param>
/// <param name="Name">Its name.</param>
/// <param name="Group">The group that holds it.</param>
/// <param name="FirstVoters">The group's first voters.</param>
public sealed record BucketInfo(BucketId Id, string Name, GroupId Group, IReadOnlyList<NodeId> FirstVoters);

/// <summary>What the catalogue knows of a node.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Name">Its name.</param>
/// <param name="IsLeaving">Whether it is to belong to no group any more.</param>
public sealed record NodeInfo(NodeId Id, string Name, bool IsLeaving);

/// <summary>What became of a command of the catalogue.</summary>
public enum CatalogueOutcome
{
    /// <summary>It is done, or had been done already.</summary>
    Done,

    /// <summary>C4: the node was removed once, and its number never comes back; or it is leaving, and has to be told to stay.</summary>
    WasRemoved,

    /// <summary>C4: another node has the name and is not leaving.</summary>
    NameTaken,

    /// <summary>C4: there are <see cref="Catalogue.NodesMax"/> nodes that stay.</summary>
    TooManyNodes,

    /// <summary>C4: no such node is there.</summary>
    UnknownNode,

    /// <summary>C4: it is the last node that stays.</summary>
    LastNode,

    /// <summary>C4: the node is not leaving.</summary>
    NotLeaving,
}

/// <summary>
/// The replicated state of the system group: who the cluster is, its nodes, its buckets. Built from the group's committed entries
/// alone, in their order, so it is the same on every replica.
///
/// Of a node it records the wish, not the deed: added means "shall vote in every group", leaving means "shall belong to none". Where it
/// does already stands in each group's own log. <see cref="MembershipPlan"/> finds the steps from the one to the other, so whoever leads
/// the system group can go on with what another has begun.
///
///   C1  Every command in the log is known to this program.
///   C2  A cluster is born once, before anything else happens.
///   C3  Numbers of nodes, buckets and groups are unique, and so are the names of buckets and of those nodes that are not leaving.
///   C4  Two that wish at once are ordered by the log only, so a wish that no longer fits when its turn comes changes nothing. All
///       replicas see that alike.
///   C5  The number of a removed node never comes back: its votes and its log belong to the past. A node that is leaving may stay after all
///       until it was removed, with what it has: it was told of nothing, and its folder is what it was.
///   C6  One node stays, always.
///
/// Where in the log something was wished of a node last (<see cref="LastWish"/>) no command's outcome depends on. A snapshot does not tell
/// it: what it holds counts as wished at its own index, which is never too early.
/// </summary>
public sealed class Catalogue
{
    /// <summary>How many nodes can stay in the cluster, those that are leaving not counted. More voters would only make writes slower.</summary>
    public const int NodesMax = 7;

    private readonly HashSet<NodeId> _leaving = [];
    private readonly SortedDictionary<NodeId, string> _removed = [];
    private readonly SortedDictionary<BucketId, BucketInfo> _buckets = new(Comparer<BucketId>.Create((a, b) => a.Value.CompareTo(b.Value)));
    private readonly SortedDictionary<NodeId, string> _nodes = [];
    private readonly Dictionary<NodeId, LogIndex> _wished = [];

    /// <summary>The cluster's incarnation; null before the birth has committed.</summary>
    public UInt128? Incarnation { get; private set; }

    /// <summary>A leader's lease, in milliseconds: the same for all groups.</summary>
    public int LeaseMs { get; private set; }

    /// <summary>The margin for clock drift that is added to the lease, in milliseconds.</summary>
    public int MarginMs { get; private set; }

    /// <summary>The nodes, by number, with their names; those that are leaving among them.</summary>
    public IReadOnlyDictionary<NodeId, string> Nodes => _nodes;

    /// <summary>The nodes that were removed, by number, with their last names.</summary>
    public IReadOnlyDictionary<NodeId, string> Removed => _removed;

    /// <summary>The nodes, by number.</summary>
    public IEnumerable<NodeInfo> NodeInfos => _nodes.Select(node => new NodeInfo(node.Key, node.Value, IsLeaving(node.Key)));

    /// <summary>The node of a name that stays; null where none does.</summary>
    public NodeInfo? FindNode(string name) => NodeInfos.FirstOrDefault(node => node.Name == name && !node.IsLeaving);

    /// <summary>Whether a node is to belong to no group any more.</summary>
    public bool IsLeaving(NodeId node) => _leaving.Contains(node);

    /// <summary>
    /// Up to which entry something was wished of the nodes that have or had a name: to come, to go, to stay after all. That one is gone is no
    /// wish, but the end of one. Never too early; perhaps too late, where a snapshot stands for the wishes. Zero where nothing ever was.
    /// </summary>
    public LogIndex LastWish(string name) => _nodes.Concat(_removed)
        .Where(node => node.Value == name)
        .Select(node => _wished.GetValueOrDefault(node.Key))
        .DefaultIfEmpty()
        .Max();

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
        foreach (var (id, name) in _removed)
            yield return new CatalogueCommand.NodeDeparted(id, name, IsRemoved: true);
        foreach (var node in NodeInfos)
        {
            yield return node.IsLeaving
                ? new CatalogueCommand.NodeDeparted(node.Id, node.Name, IsRemoved: false)
                : new CatalogueCommand.NodeAdded(node.Id, node.Name);
        }
        foreach (var bucket in _buckets.Values)
            yield return new CatalogueCommand.BucketCreated(bucket.Id, bucket.Name, bucket.Group, bucket.FirstVoters);
    }

    /// <summary>Applies a committed command, or finds that it does not fit any more (C4).</summary>
    /// <param name="command">The command.</param>
    /// <param name="at">The index of its entry, or of the snapshot that holds it.</param>
    public CatalogueOutcome Apply(CatalogueCommand command, LogIndex at)
    {
        Invariant.That(command is CatalogueCommand.ClusterBorn == Incarnation is null, "C2: a cluster is born once, before anything else");
        switch (command)
        {
            case CatalogueCommand.ClusterBorn born:
                (Incarnation, LeaseMs, MarginMs) = (born.Incarnation, born.LeaseMs, born.MarginMs);
                return CatalogueOutcome.Done;
            case CatalogueCommand.NodeAdded added:
                return Add(added.Id, added.Name, at);
            case CatalogueCommand.NodeLeaving leaving:
                return Leave(leaving.Id, at);
            case CatalogueCommand.NodeRemoved removed:
                return Remove(removed.Id);
            case CatalogueCommand.NodeStays stays:
                return Stay(stays.Id, at);
            case CatalogueCommand.NodeDeparted departed:
                return Recall(departed, at);
            case CatalogueCommand.BucketCreated created:
                Invariant.That(_buckets.Values.All(bucket => bucket.Group != created.Group && bucket.Name != created.Name), "C3: buckets are unique");
                Invariant.That(_buckets.TryAdd(created.Id, new BucketInfo(created.Id, created.Name, created.Group, created.FirstVoters)), "C3: buckets are unique");
                return CatalogueOutcome.Done;
            default:
                throw new InvariantViolationException($"C1: this program knows every command in the log (found {command.GetType().Name})");
        }
    }

    /// <summary>What would become of a command now; nothing changes. Only of commands that concern nodes.</summary>
    public CatalogueOutcome Foresee(CatalogueCommand command) => command switch
    {
        CatalogueCommand.NodeAdded added => MayAdd(added.Id, added.Name),
        CatalogueCommand.NodeLeaving leaving => MayLeave(leaving.Id),
        CatalogueCommand.NodeRemoved removed => MayRemove(removed.Id),
        CatalogueCommand.NodeStays stays => MayStay(stays.Id),
        _ => CatalogueOutcome.Done,
    };

    private CatalogueOutcome Add(NodeId node, string name, LogIndex at)
    {
        var outcome = MayAdd(node, name);
        if (outcome == CatalogueOutcome.Done && _nodes.TryAdd(node, name))
            _wished[node] = at;
        return outcome;
    }

    private CatalogueOutcome Leave(NodeId node, LogIndex at)
    {
        var outcome = MayLeave(node);
        if (outcome == CatalogueOutcome.Done && _nodes.ContainsKey(node) && _leaving.Add(node))
            _wished[node] = at;
        return outcome;
    }

    private CatalogueOutcome Remove(NodeId node)
    {
        var outcome = MayRemove(node);
        if (outcome == CatalogueOutcome.Done && _nodes.Remove(node, out var name))
        {
            _leaving.Remove(node);
            _removed.Add(node, name);                                    // C5
        }
        return outcome;
    }

    private CatalogueOutcome Stay(NodeId node, LogIndex at)
    {
        var outcome = MayStay(node);
        if (outcome == CatalogueOutcome.Done && _leaving.Remove(node))
            _wished[node] = at;
        return outcome;
    }

    private CatalogueOutcome Recall(CatalogueCommand.NodeDeparted departed, LogIndex at)
    {
        Invariant.That(!_nodes.ContainsKey(departed.Id) && !_removed.ContainsKey(departed.Id), "C3: nodes are unique");
        _wished[departed.Id] = at;
        if (departed.IsRemoved)
        {
            _removed.Add(departed.Id, departed.Name);
            return CatalogueOutcome.Done;
        }
        _nodes.Add(departed.Id, departed.Name);
        _leaving.Add(departed.Id);
        return CatalogueOutcome.Done;
    }

    private CatalogueOutcome MayAdd(NodeId node, string name)
    {
        if (_removed.ContainsKey(node) || IsLeaving(node))
            return CatalogueOutcome.WasRemoved;                          // C5: who leaves has left, or is told to stay
        if (_nodes.ContainsKey(node))
            return CatalogueOutcome.Done;
        if (FindNode(name) is not null)
            return CatalogueOutcome.NameTaken;                           // C3
        return Staying >= NodesMax ? CatalogueOutcome.TooManyNodes : CatalogueOutcome.Done;
    }

    private CatalogueOutcome MayLeave(NodeId node)
    {
        if (IsLeaving(node) || _removed.ContainsKey(node))
            return CatalogueOutcome.Done;
        if (!_nodes.ContainsKey(node))
            return CatalogueOutcome.UnknownNode;
        return Staying == 1 ? CatalogueOutcome.LastNode : CatalogueOutcome.Done;   // C6
    }

    private CatalogueOutcome MayRemove(NodeId node)
    {
        if (_removed.ContainsKey(node))
            return CatalogueOutcome.Done;
        if (!_nodes.ContainsKey(node))
            return CatalogueOutcome.UnknownNode;
        return IsLeaving(node) ? CatalogueOutcome.Done : CatalogueOutcome.NotLeaving;
    }

    private CatalogueOutcome MayStay(NodeId node)
    {
        if (_removed.ContainsKey(node))
            return CatalogueOutcome.WasRemoved;                          // C5
        if (!_nodes.TryGetValue(node, out var name))
            return CatalogueOutcome.UnknownNode;
        if (!IsLeaving(node))
            return CatalogueOutcome.Done;
        if (FindNode(name) is not null)
            return CatalogueOutcome.NameTaken;                           // C3: its name was free, and was given anew
        return Staying >= NodesMax ? CatalogueOutcome.TooManyNodes : CatalogueOutcome.Done;
    }

    private int Staying => _nodes.Count - _leaving.Count;
}
