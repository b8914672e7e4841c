using System.Collections.Immutable;

namespace Watch.Core.Consensus;

/// <summary>A group as its leader sees it.</summary>
/// <param name="Group">The group.</param>
/// <param name="Leader">Who leads it, with an entry of its own term committed.</param>
/// <param name="Members">Who belongs to it, by the last membership in the leader's log.</param>
/// <param name="IsChanging">Whether that membership has not committed yet.</param>
public sealed record GroupSight(GroupId Group, NodeId Leader, Membership Members, bool IsChanging)
{
    /// <summary>Members that have answered the leader within the time of a promise, itself among them: whose replica works. Null where it did not say.</summary>
    public IReadOnlyCollection<NodeId>? Heard { get; init; }

    /// <summary>Voters that could lead at once, those with most of the leader's log first. Null where it did not say.</summary>
    public IReadOnlyList<NodeId>? Heirs { get; init; }

    /// <summary>Whether a node's replica of this group answers: its silo, and as far as its leader says, the replica itself.</summary>
    internal bool Answers(NodeId node, Func<NodeId, bool> answers) => answers(node) && Heard?.Contains(node) != false;
}

/// <summary>One step towards what the catalogue wishes.</summary>
public abstract record PlanStep
{
    private PlanStep()
    {
    }

    /// <summary>To be done by the leader of a group: a change of its members.</summary>
    /// <param name="Group">The group.</param>
    /// <param name="Leader">Who leads it.</param>
    /// <param name="What">The change.</param>
    public sealed record Change(GroupId Group, NodeId Leader, MembershipChange What) : PlanStep;

    /// <summary>To be done by the leader of a group: leadership goes to another voter.</summary>
    /// <param name="Group">The group.</param>
    /// <param name="Leader">Who leads it.</param>
    /// <param name="To">Who is to lead it.</param>
    public sealed record HandOver(GroupId Group, NodeId Leader, NodeId To) : PlanStep;

    /// <summary>To be proposed to the system group: the node belongs to no group any more.</summary>
    /// <param name="Node">The node.</param>
    public sealed record Forget(NodeId Node) : PlanStep;
}

/// <summary>What the plan says: what can be done now, and what has to wait, for the operator.</summary>
/// <param name="Steps">At most one for a group; none depends on another.</param>
/// <param name="Waits">Why wishes that are open get no step now. A wish without step and reason is fulfilled.</param>
public sealed record PlanAnswer(ImmutableArray<PlanStep> Steps, ImmutableArray<string> Waits)
{
    /// <summary>Whether everything is as the catalogue wishes.</summary>
    public bool IsDone => Steps.IsEmpty && Waits.IsEmpty;
}

/// <summary>
/// Finds the next steps from where the groups are to where the catalogue wants them: every node that stays votes in every group, and no
/// node that leaves or was removed belongs to one. It remembers nothing. Each answer follows from the catalogue, from each group's members
/// and from who answers, all of which outlive whoever drives the steps; a driver that dies between two of them is followed by another that
/// asks again and gets the same answer. A step that was done twice, or by two drivers at once, is refused by the group's leader as no change.
///
/// In each group the order is: learners come (that costs nobody anything), then those go that leave and do not answer, then learners are
/// promoted, then the others go that leave (M8).
///
///   M1  A group gets one step at a time, and none while its last membership has not committed.
///   M2  A leader is never removed: it hands over first, to a voter that stays, answers, and lacks little of the log: the group takes no
///       writes until that one has caught up.
///   M3  A node votes in a group only when no other node of its name belongs to that group any more: two nodes of one name never vote together.
///   M4  After every step a majority of the group's voters answers. What would break that waits, whoever wished it. It is the leader who knows
///       who answers: a silo may well speak while its replica has stopped.
///   M5  The last voter of a group is never removed. Where the only node that stays has the name of the last voter, M3 and M5 hold each
///       other up until a third node is added.
///   M6  A node leaves the catalogue only when every group's leader has said, of a committed membership, that it does not belong to it.
///   M7  Nobody is added or removed whom the catalogue does not name.
///   M8  A voter that leaves and answers goes when those vote that come and answer, where M3 and M4 let them: meanwhile there are no fewer
///       copies of what is written than there have to be. A learner that does not answer is not promoted, and holds nobody up.
///   M9  A node votes in the system group first. Whoever votes there has the entry that says how long promises last (R8), which holds for
///       all groups.
/// </summary>
public static class MembershipPlan
{
    /// <summary>The next steps.</summary>
    /// <param name="catalogue">The wishes.</param>
    /// <param name="groups">All groups whose leaders answered; the others wait.</param>
    /// <param name="answers">Whether a node answers now.</param>
    public static PlanAnswer Next(Catalogue catalogue, IReadOnlyCollection<GroupSight> groups, Func<NodeId, bool> answers)
    {
        ArgumentNullException.ThrowIfNull(catalogue);
        ArgumentNullException.ThrowIfNull(groups);
        ArgumentNullException.ThrowIfNull(answers);
        var steps = ImmutableArray.CreateBuilder<PlanStep>();
        var waits = ImmutableArray.CreateBuilder<string>();
        if (catalogue.Incarnation is null)
            return new PlanAnswer([], []);
        var system = groups.FirstOrDefault(each => each.Group == GroupId.System && !each.IsChanging);
        foreach (var id in GroupsOf(catalogue))
        {
            if (groups.FirstOrDefault(each => each.Group == id) is not { } sight)
                waits.Add($"Nobody is known to lead group {id}.");
            else if (!IsFulfilled(catalogue, sight))
                new GroupPlan(catalogue, sight, answers, node => id == GroupId.System || system?.Members.IsVoter(node) == true).Next(steps, waits);
        }
        foreach (var node in catalogue.NodeInfos.Where(node => node.IsLeaving))
        {
            if (GroupsOf(catalogue).All(id => groups.Any(each => each.Group == id && !each.IsChanging && !each.Members.All.Contains(node.Id))))
                steps.Add(new PlanStep.Forget(node.Id));                 // M6
        }
        return new PlanAnswer(steps.ToImmutable(), waits.ToImmutable());
    }

    /// <summary>
    /// Whether a group would still have a majority of voters that answer if a node did not belong to it: what is asked before a node's
    /// removal is wished.
    /// </summary>
    public static bool KeepsQuorum(GroupSight group, NodeId without, Func<NodeId, bool> answers)
    {
        ArgumentNullException.ThrowIfNull(group);
        ArgumentNullException.ThrowIfNull(answers);
        var rest = group.Members.Without(without).Voters;
        return rest.Length > 0 && rest.Count(node => group.Answers(node, answers)) >= Quorum.Of(rest.Length);
    }

    /// <summary>All groups that the catalogue names.</summary>
    public static IEnumerable<GroupId> GroupsOf(Catalogue catalogue)
    {
        ArgumentNullException.ThrowIfNull(catalogue);
        return catalogue.Buckets.Values.Select(bucket => bucket.Group).Prepend(GroupId.System);
    }

    private static bool IsFulfilled(Catalogue catalogue, GroupSight sight) =>
        !sight.IsChanging
        && catalogue.NodeInfos.All(node => node.IsLeaving ? !sight.Members.All.Contains(node.Id) : sight.Members.IsVoter(node.Id))
        && !sight.Members.All.Any(catalogue.Removed.ContainsKey);

    /// <summary>The plan of one group.</summary>
    private sealed class GroupPlan(Catalogue catalogue, GroupSight sight, Func<NodeId, bool> answers, Func<NodeId, bool> mayVote)
    {
        private bool _isOneExpected;

        private Membership Members => sight.Members;

        internal void Next(ICollection<PlanStep> steps, ICollection<string> waits)
        {
            if (sight.IsChanging)
                waits.Add($"Group {sight.Group} has a change that is not committed yet.");   // M1
            else if ((Coming() ?? Going(waits, node => !sight.Answers(node, answers)) ?? Promoted(waits) ?? (_isOneExpected ? null : Going(waits, node => sight.Answers(node, answers)))) is { } step)
                steps.Add(step);
        }

        private PlanStep? Coming()
        {
            var missing = catalogue.NodeInfos.FirstOrDefault(node => !node.IsLeaving && !Members.All.Contains(node.Id));
            return missing is null ? null : Change(MembershipChangeKind.AddLearner, missing.Id);
        }

        private PlanStep? Going(ICollection<string> waits, Func<NodeId, bool> who)
        {
            var leaving = Members.All.Where(node => IsToLeave(node) && who(node)).ToList();
            if (leaving.Find(Members.IsLearner) is { } learner && learner != NodeId.None)
                return Change(MembershipChangeKind.Remove, learner);
            // The leader last: it is the one that has to see the others off.
            foreach (var node in leaving.OrderBy(node => node == sight.Leader))
            {
                if (Members.Voters.Length == 1)
                    waits.Add($"{Name(node)} is the only voter of group {sight.Group}.");    // M5
                else if (!KeepsQuorum(sight, node, answers))
                    waits.Add($"Without {Name(node)} too few voters of group {sight.Group} would answer.");   // M4
                else if (node != sight.Leader)
                    return Change(MembershipChangeKind.Remove, node);
                else if (Successor() is { } successor)
                    return new PlanStep.HandOver(sight.Group, sight.Leader, successor);      // M2
                else
                    waits.Add($"{Name(node)} leads group {sight.Group} and finds no voter to hand over to: none that stays answers and has nearly all of the log.");
            }
            return null;
        }

        private PlanStep? Promoted(ICollection<string> waits)
        {
            foreach (var learner in Members.Learners.Where(node => catalogue.Nodes.ContainsKey(node) && !catalogue.IsLeaving(node)))
            {
                if (Members.All.Any(other => other != learner && IsToLeave(other) && NameOf(other) == NameOf(learner)))
                    waits.Add($"{Name(learner)} votes in group {sight.Group} only when the node that had its name is removed.");   // M3
                else if (!sight.Answers(learner, answers))
                    waits.Add($"{Name(learner)} does not answer, so it does not vote in group {sight.Group} yet.");   // M8
                else if (!mayVote(learner))
                {
                    waits.Add($"{Name(learner)} votes in group {sight.Group} when it votes in the system group.");   // M9
                    _isOneExpected = true;
                }
                else if (Members.Voters.Append(learner).Count(node => sight.Answers(node, answers)) < Quorum.Of(Members.Voters.Length + 1))
                    waits.Add($"With {Name(learner)} too few voters of group {sight.Group} would answer.");   // M4
                else
                    return Change(MembershipChangeKind.Promote, learner);
            }
            return null;
        }

        private NodeId? Successor()
        {
            var fit = (sight.Heirs ?? Members.Voters).Where(node => Members.IsVoter(node) && node != sight.Leader && !IsToLeave(node) && sight.Answers(node, answers)).ToList();
            return fit.Count == 0 ? null : fit[0];
        }

        private bool IsToLeave(NodeId node) => catalogue.IsLeaving(node) || catalogue.Removed.ContainsKey(node);   // M7

        private PlanStep.Change Change(MembershipChangeKind kind, NodeId node) => new(sight.Group, sight.Leader, new MembershipChange(kind, node));

        private string Name(NodeId node) => $"Node '{NameOf(node)}' ({node})";

        private string NameOf(NodeId node) =>
            catalogue.Nodes.TryGetValue(node, out var name) || catalogue.Removed.TryGetValue(node, out name) ? name : "?";
    }
}
