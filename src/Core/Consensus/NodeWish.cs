using System.Collections.Immutable;

namespace Watch.Core.Consensus;

/// <summary>A silo that answered, and the node that it holds.</summary>
/// <param name="Name">The node's name.</param>
/// <param name="Node">Its number.</param>
/// <param name="Incarnation">The incarnation that its folder knows; null for a new folder.</param>
public readonly record struct SiloSight(string Name, NodeId Node, UInt128? Incarnation);

/// <summary>Why a wish that concerns a node is not recorded.</summary>
public enum NodeRefusal
{
    /// <summary>No such node.</summary>
    UnknownNode,

    /// <summary>The node's folder cannot be used: it belonged to a removed node, or belongs to another cluster.</summary>
    FolderRefused,

    /// <summary>A node that is there, and answers, has the name already.</summary>
    NameTaken,

    /// <summary>The last node stays.</summary>
    LastVoter,

    /// <summary>Without the node no majority of voters would answer.</summary>
    WouldLoseQuorum,

    /// <summary>Another node is just coming or going.</summary>
    ChangeUnderWay,

    /// <summary>There are as many nodes as there can be.</summary>
    TooManyNodes,

    /// <summary>Something was wished of the name after who wishes now had looked.</summary>
    WishedSince,
}

/// <summary>What is to be recorded in the catalogue, or why nothing is.</summary>
/// <param name="Commands">What is to be proposed; empty where it has been wished already.</param>
/// <param name="Refusal">Why nothing is; null where something can be.</param>
/// <param name="Message">The refusal in words.</param>
public sealed record NodeWishAnswer(ImmutableArray<CatalogueCommand> Commands, NodeRefusal? Refusal = null, string Message = "")
{
    internal static NodeWishAnswer No(NodeRefusal refusal, string message) => new([], refusal, message);
}

/// <summary>
/// Decides whether a wish for a node to come or to go is recorded in the catalogue. The plan keeps every step safe; this keeps people
/// from wishing what could not be fulfilled, and tells them so at once.
///
///   W1  One node comes or goes at a time; whoever comes may be called off, and whoever goes may stay after all until it is gone. Who cannot
///       go now (M4) holds nobody up: what it waits for may be just the one that is to come, or another one that goes.
///   W2  A new node of a known name replaces the old one, unless that one answers.
///   W3  Who goes leaves a majority behind that answers in every group. An operator may overrule this: the wish then waits in the plan
///       until it is safe (M4).
///   W4  A wish that comes late changes nothing. It says up to where its teller had seen the catalogue; where something was wished of the
///       name since, it may be a telling that froze on its way, whose repetition was recorded long ago and taken back by an operator. What
///       is as it wishes anyway is no change.
/// </summary>
public static class NodeWish
{
    /// <summary>A node is to come.</summary>
    /// <param name="catalogue">The wishes so far.</param>
    /// <param name="groups">The groups whose leaders answered.</param>
    /// <param name="silos">Who answered.</param>
    /// <param name="answers">Whether a node answers: its silo does, and its replicas work.</param>
    /// <param name="name">The node's name.</param>
    public static NodeWishAnswer Add(Catalogue catalogue, IReadOnlyCollection<GroupSight> groups, IReadOnlyCollection<SiloSight> silos, Func<NodeId, bool> answers, string name)
    {
        ArgumentNullException.ThrowIfNull(catalogue);
        ArgumentNullException.ThrowIfNull(groups);
        ArgumentNullException.ThrowIfNull(silos);
        ArgumentNullException.ThrowIfNull(answers);
        var known = catalogue.FindNode(name);
        var named = silos.Where(silo => silo.Name == name).ToList();
        if (known is not null && (named.Count == 0 || named.Exists(silo => silo.Node == known.Id)))
            return named.Count < 2
                ? new NodeWishAnswer([])
                : NodeWishAnswer.No(NodeRefusal.NameTaken, $"{named.Count} silos answer to the name '{name}', one of them the node that is in the cluster. Stop the other, or give it another name.");
        if (named.Count == 0)
            return NodeWishAnswer.No(NodeRefusal.UnknownNode, $"No silo answers to the name '{name}'; it has to run before it can be added. {Answering(silos)}");
        if (named.Count > 1)
            return NodeWishAnswer.No(NodeRefusal.NameTaken, $"{named.Count} silos answer to the name '{name}'; a name is one node's.");
        var silo = named[0];
        if (known is null && catalogue.NodeInfos.Any(node => node.IsLeaving && node.Id == silo.Node && node.Name == name))
            return new NodeWishAnswer([new CatalogueCommand.NodeStays(silo.Node)]);      // W1
        if (catalogue.Removed.ContainsKey(silo.Node) || catalogue.IsLeaving(silo.Node))
            return NodeWishAnswer.No(NodeRefusal.FolderRefused, $"The data folder of '{name}' is that of a node that was removed from this cluster ({silo.Node}). Stop the silo, empty its folder, and start it again: it is a new node then.");
        if (silo.Incarnation is { } other && other != catalogue.Incarnation)
            return NodeWishAnswer.No(NodeRefusal.FolderRefused, $"The data folder of '{name}' belongs to another cluster ({other:x32}).");
        // A replacement of which only the first half was recorded, before its leader was lost, is made whole.
        var old = known?.Id ?? catalogue.NodeInfos.Where(node => node.Name == name).Select(node => (NodeId?)node.Id).FirstOrDefault();
        if (Unfinished(catalogue, groups, answers, old) is { } unfinished)
            return NodeWishAnswer.No(NodeRefusal.ChangeUnderWay, unfinished);
        CatalogueCommand[] commands = known is null                      // W2
            ? [new CatalogueCommand.NodeAdded(silo.Node, name)]
            : [new CatalogueCommand.NodeLeaving(known.Id), new CatalogueCommand.NodeAdded(silo.Node, name)];
        return catalogue.NodeInfos.Count(node => !node.IsLeaving) - (known is null ? 0 : 1) >= Catalogue.NodesMax
            ? NodeWishAnswer.No(NodeRefusal.TooManyNodes, $"The cluster has {Catalogue.NodesMax} nodes, and there cannot be more.")
            : new NodeWishAnswer([.. commands]);
    }

    /// <summary>A node is to go.</summary>
    /// <param name="catalogue">The wishes so far.</param>
    /// <param name="groups">The groups whose leaders answered.</param>
    /// <param name="answers">Whether a node answers.</param>
    /// <param name="name">The node's name.</param>
    /// <param name="force">Record it though it cannot be fulfilled now (W3).</param>
    public static NodeWishAnswer Remove(Catalogue catalogue, IReadOnlyCollection<GroupSight> groups, Func<NodeId, bool> answers, string name, bool force)
    {
        ArgumentNullException.ThrowIfNull(catalogue);
        ArgumentNullException.ThrowIfNull(groups);
        if (catalogue.FindNode(name) is not { } node)
        {
            return catalogue.NodeInfos.Any(each => each.Name == name)
                ? new NodeWishAnswer([])
                : NodeWishAnswer.No(NodeRefusal.UnknownNode, $"The cluster has no node '{name}'. Its nodes are {string.Join(", ", catalogue.NodeInfos.Select(each => $"'{each.Name}'"))}.");
        }
        if (catalogue.NodeInfos.Count(each => !each.IsLeaving) == 1 || groups.Any(group => group.Members.Voters is [var only] && only == node.Id))
            return NodeWishAnswer.No(NodeRefusal.LastVoter, $"'{name}' is the last node that votes; without it there would be no cluster. Add another one first.");
        if (Unfinished(catalogue, groups, answers, node.Id) is { } unfinished)
            return NodeWishAnswer.No(NodeRefusal.ChangeUnderWay, unfinished);
        var unsafeIn = MembershipPlan.GroupsOf(catalogue).Where(id => groups.FirstOrDefault(each => each.Group == id) is not { } sight || !MembershipPlan.KeepsQuorum(sight, node.Id, answers)).ToList();
        return unsafeIn.Count > 0 && !force
            ? NodeWishAnswer.No(NodeRefusal.WouldLoseQuorum, $"Without '{name}' too few voters would answer in group {string.Join(", ", unsafeIn)}. Bring the others back first, or force it: then it is removed as soon as enough of them answer.")
            : new NodeWishAnswer([new CatalogueCommand.NodeLeaving(node.Id)]);
    }

    /// <summary>W4: a wish as it may be recorded by a leader whose catalogue has everything that was committed.</summary>
    /// <param name="answer">What would be recorded if it came in time.</param>
    /// <param name="catalogue">The wishes so far.</param>
    /// <param name="name">The node's name.</param>
    /// <param name="seen">Up to which entry its teller had seen the catalogue.</param>
    public static NodeWishAnswer InTime(NodeWishAnswer answer, Catalogue catalogue, string name, LogIndex seen)
    {
        ArgumentNullException.ThrowIfNull(answer);
        ArgumentNullException.ThrowIfNull(catalogue);
        return answer.Commands.IsEmpty || catalogue.LastWish(name) <= seen
            ? answer
            : NodeWishAnswer.No(NodeRefusal.WishedSince, $"Something else was wished of node '{name}' since this wish was based on what the nodes were (entry {seen}). Look at the nodes, and try again.");
    }

    /// <summary>W1: who is coming or going, other than the node that this is about and those who cannot go now.</summary>
    private static string? Unfinished(Catalogue catalogue, IReadOnlyCollection<GroupSight> groups, Func<NodeId, bool> answers, NodeId? about)
    {
        if (catalogue.NodeInfos.FirstOrDefault(node => node.IsLeaving && node.Id != about && !IsHeldUp(catalogue, groups, answers, node.Id)) is { } going)
            return $"Node '{going.Name}' ({going.Id}) is just being removed. Try again when it is gone.";
        var coming = catalogue.NodeInfos.FirstOrDefault(node => !node.IsLeaving && node.Id != about && groups.Any(group => !group.Members.IsVoter(node.Id)));
        return coming is null ? null : $"Node '{coming.Name}' ({coming.Id}) is just being added. Try again when it votes everywhere, or remove it.";
    }

    /// <summary>Whether a group that a node is to leave would have too few voters that answer without it.</summary>
    private static bool IsHeldUp(Catalogue catalogue, IReadOnlyCollection<GroupSight> groups, Func<NodeId, bool> answers, NodeId node) =>
        groups.Any(group => MembershipPlan.GroupsOf(catalogue).Contains(group.Group) && group.Members.IsVoter(node) && !MembershipPlan.KeepsQuorum(group, node, answers));

    private static string Answering(IReadOnlyCollection<SiloSight> silos) =>
        silos.Count == 0 ? "No silo answers at all." : $"Silos that answer: {string.Join(", ", silos.Select(silo => $"'{silo.Name}'").Order(StringComparer.Ordinal))}.";
}
