using System.Collections.Immutable;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Grains.Consensus;

namespace Watch.Grains.Nodes;

/// <summary>
/// What all silos that answered said at about one moment, put together. Groups and nodes are those of one cluster: of the folder of the silo
/// that looks, or where that is new, of the cluster that most of the others know. What a silo of another cluster says of its own does not count.
/// </summary>
internal sealed class ClusterSight
{
    private readonly IReadOnlyList<(SiloAddress Silo, NodeReport Report)> _answers;
    private readonly IReadOnlyList<(SiloAddress Silo, NodeReport Report)> _ours;

    /// <summary>Puts answers together.</summary>
    /// <param name="answers">What was said.</param>
    /// <param name="looking">The silo that looks.</param>
    public ClusterSight(IReadOnlyList<(SiloAddress Silo, NodeReport Report)> answers, SiloAddress looking)
    {
        _answers = answers;
        var known = answers.Where(each => each.Report.Incarnation.Length > 0).ToList();
        var incarnation = known.Where(each => each.Silo.Equals(looking)).Select(each => each.Report.Incarnation).FirstOrDefault()
            ?? known.GroupBy(each => each.Report.Incarnation, StringComparer.Ordinal).OrderByDescending(each => each.Count()).ThenBy(each => each.Key, StringComparer.Ordinal).FirstOrDefault()?.Key;
        _ours = [.. answers.Where(each => each.Report.Incarnation == incarnation)];
    }

    public IReadOnlyList<(SiloAddress Silo, NodeReport Report)> Answers => _answers;

    /// <summary>The replica that leads a group, of the newest term where an old leader has not noticed yet; null where none is known.</summary>
    public (SiloAddress Silo, NodeReport Report, GroupDescription About)? LeaderOf(GroupId group)
    {
        (SiloAddress Silo, NodeReport Report, GroupDescription About)? leader = null;
        foreach (var (silo, report) in _ours)
        {
            if (AboutOf(report, group) is { Leads: true } about && (leader is not { } best || about.Term > best.About.Term))
                leader = (silo, report, about);
        }

        return leader;
    }

    /// <summary>The silo of a node that answered.</summary>
    public SiloAddress? SiloOf(NodeId node)
    {
        foreach (var (silo, report) in _answers)
            if (report.Node == node)
                return silo;
        return null;
    }

    /// <summary>Whether a node answered whose replicas work: a silo may well speak while its node has stopped.</summary>
    public bool Answered(NodeId node) => _answers.Any(each => each.Report.Node == node && each.Report.Unavailable.Length == 0);

    /// <summary>All groups whose leaders answered.</summary>
    public IReadOnlyList<GroupSight> Groups()
    {
        var sights = new List<GroupSight>();
        foreach (var group in _ours.SelectMany(each => each.Report.Groups).Select(each => each.Group).Distinct().Order())
        {
            if (LeaderOf(group) is { } leader)
                sights.Add(new GroupSight(group, leader.Report.Node, new Membership(leader.About.Voters, leader.About.Learners), !leader.About.MembersCommitted)
                {
                    Heard = leader.About.Heard,
                    Heirs = leader.About.Heirs,
                });
        }

        return sights;
    }

    public IReadOnlyList<SiloSight> Silos() => [.. _answers.Select(each => new SiloSight(each.Report.Name, each.Report.Node, IncarnationOf(each.Report)))];

    /// <summary>The report that knows most of the catalogue: of the system group's leader, else of whoever has applied most of it.</summary>
    public NodeReport? Best() => LeaderOf(GroupId.System)?.Report
        ?? _ours.Select(each => each.Report).MaxBy(report => report.CatalogueIndex);

    /// <summary>
    /// Whether whoever answered knows the nodes: not where a node belongs to a cluster and has applied nothing of its catalogue since it was
    /// started, nor where a leader has not applied all that is committed. That nobody belongs to a cluster is knowledge, too.
    /// </summary>
    public bool KnowsNodes => _answers.Count > 0
        && (Best() is not { } best || (!best.Nodes.IsEmpty && (AboutOf(best, GroupId.System) is not { Leads: true } about || best.CatalogueIndex >= about.CommittedIndex)));

    /// <summary>The sight as its reader gets it.</summary>
    public ClusterNodes ToNodes()
    {
        if (Best() is not { } best)
            return new ClusterNodes { Waits = ["No silo that answers belongs to a cluster."] };
        var leaders = LeadersOf(best);
        return new ClusterNodes
        {
            Incarnation = best.Incarnation,
            Nodes = [.. best.Nodes.Select(node => NodeOf(node, leaders)).OrderBy(node => node.Name, StringComparer.Ordinal).ThenBy(node => node.Id, StringComparer.Ordinal)],
            Leaders = [.. leaders.Where(each => each.Leader is not null).Select(each => new GroupLeader(each.Name, each.Leader!.Value.Report.Name, each.Leader.Value.About.Term))],
            OtherSilos = [.. _answers.Where(each => best.Nodes.All(node => node.Node != each.Report.Node)).Select(each => each.Report.Name).Order(StringComparer.Ordinal)],
            Waits = best.Waits,
            Index = best.CatalogueIndex,
        };
    }

    private List<(GroupId Group, string Name, (SiloAddress Silo, NodeReport Report, GroupDescription About)? Leader)> LeadersOf(NodeReport best) =>
        [.. best.Groups.Select(each => (each.Group, each.Name, LeaderOf(each.Group)))];

    private ClusterNode NodeOf(NamedNode node, List<(GroupId Group, string Name, (SiloAddress Silo, NodeReport Report, GroupDescription About)? Leader)> groups)
    {
        var own = _answers.FirstOrDefault(each => each.Report.Node == node.Node);
        var roles = new List<NodeGroup>();
        foreach (var (group, name, leader) in groups)
        {
            var about = own.Report is null ? null : AboutOf(own.Report, group);
            // Who belongs to a group stands in its leader's log; without a leader, in the newest that is known.
            var members = leader?.About ?? _ours.Select(each => AboutOf(each.Report, group)).MaxBy(each => each?.Term ?? -1);
            var role = RoleOf(node.Node, members, leader?.Report.Node);
            if (role != NodeRole.None)
                roles.Add(new NodeGroup(name, role, about?.CommittedIndex ?? 0, Math.Max(0, (leader?.About.LastIndex ?? about?.LastIndex ?? 0) - (about?.LastIndex ?? 0))));
        }

        return new ClusterNode
        {
            Name = node.Name,
            Id = node.Node.ToString(),
            Standing = StandingOf(node, roles, groups.Count),
            Silo = own.Silo?.ToParsableString() ?? "",
            IsReachable = own.Report is { Unavailable: "" },
            Groups = [.. roles],
        };
    }

    private static NodeStanding StandingOf(NamedNode node, List<NodeGroup> roles, int groups)
    {
        if (node.IsLeaving)
            return NodeStanding.Leaving;
        return roles.Count(each => each.Role is NodeRole.Voter or NodeRole.Leader) == groups ? NodeStanding.Member : NodeStanding.Joining;
    }

    private static NodeRole RoleOf(NodeId node, GroupDescription? members, NodeId? leader)
    {
        if (members is null)
            return NodeRole.None;
        if (node == leader)
            return NodeRole.Leader;
        if (members.Voters.Contains(node))
            return NodeRole.Voter;
        return members.Learners.Contains(node) ? NodeRole.Learner : NodeRole.None;
    }

    private static GroupDescription? AboutOf(NodeReport report, GroupId group) => report.Groups.FirstOrDefault(each => each.Group == group)?.About;

    private static UInt128? IncarnationOf(NodeReport report) => report.Incarnation.Length == 0
        ? null
        : UInt128.Parse(report.Incarnation, System.Globalization.NumberStyles.AllowHexSpecifier, System.Globalization.CultureInfo.InvariantCulture);
}
