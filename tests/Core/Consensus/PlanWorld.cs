using System.Collections.Immutable;
using Watch.Core.Consensus;

namespace Watch.Core.Tests.Consensus;

/// <summary>
/// Groups, nodes that die and come back, people who wish, and drivers that stop anywhere: what a plan has to cope with. It checks every
/// step by itself, by what it knows of the whole world, not by what the plan was told.
/// </summary>
internal sealed class PlanWorld
{
    private const int Turns = 120;
    private readonly Random _random;
    private readonly Dictionary<GroupId, Membership> _committed = [];
    private int _numbers = 1;

    internal PlanWorld(Random random)
    {
        _random = random;
        foreach (var command in Birth.FirstCommands(5, 9000, 500, "a", new NodeId(1)))
            Catalogue.Apply(command);
        foreach (var group in new[] { GroupId.System, GroupId.Default })
        {
            Groups[group] = new GroupSight(group, new NodeId(1), new Membership([new NodeId(1)], []), false);
            Commit(group);
        }
    }

    internal delegate PlanAnswer Planner(Catalogue catalogue, IReadOnlyCollection<GroupSight> groups, Func<NodeId, bool> answers);

    internal Catalogue Catalogue { get; } = new();

    internal SortedDictionary<GroupId, GroupSight> Groups { get; } = [];

    internal HashSet<NodeId> Dead { get; } = [];

    internal static PlanWorld OfThree()
    {
        var world = new PlanWorld(new Random(1));
        world.Wish(new CatalogueCommand.NodeAdded(new NodeId(2), "b"), new CatalogueCommand.NodeAdded(new NodeId(3), "c"));
        world.Drive(MembershipPlan.Next);
        return world;
    }

    /// <summary>A node is gone for good; another voter leads what it led.</summary>
    internal void Lose(NodeId node)
    {
        Dead.Add(node);
        foreach (var group in Groups.Keys.Where(id => Groups[id].Leader == node).ToList())
            Elect(group);
    }

    /// <summary>A change is made and committed.</summary>
    internal void Carry(GroupId group, MembershipChange change)
    {
        Carry(Groups[group], change);
        Commit(group);
    }

    /// <summary>A step is carried out, and what it changes is committed.</summary>
    internal void CarryAndCommit(PlanStep step)
    {
        Carry(step);
        foreach (var group in Groups.Keys.ToList())
            Commit(group);
    }

    internal void Wish(params CatalogueCommand[] commands)
    {
        foreach (var command in commands)
            Check(Catalogue.Apply(command) == CatalogueOutcome.Done, $"the wish {command} does not fit");
    }

    /// <summary>What the leaders say of who answers them.</summary>
    internal void Hear(params NodeId[] heard)
    {
        foreach (var group in Groups.Keys.ToList())
            Groups[group] = Groups[group] with { Heard = heard };
    }

    /// <summary>What the leaders say of who could lead.</summary>
    internal void HandOverTo(params NodeId[] heirs)
    {
        foreach (var group in Groups.Keys.ToList())
            Groups[group] = Groups[group] with { Heirs = heirs };
    }

    internal PlanAnswer Ask(Planner plan) => plan(Catalogue, [.. Groups.Values.Where(group => group.Leader != NodeId.None)], node => !Dead.Contains(node));

    /// <summary>Carries steps out, each change committed before the next question, until there are none.</summary>
    internal IReadOnlyList<PlanStep> Drive(Planner plan)
    {
        var done = new List<PlanStep>();
        while (Ask(plan).Steps is { Length: > 0 } steps)
        {
            Check(done.Count < 1000, "the plan never ends");
            foreach (var step in steps)
            {
                Carry(step);
                done.Add(step);
            }
            foreach (var group in Groups.Keys.ToList())
                Commit(group);
        }
        return done;
    }

    /// <summary>Trouble for a while, then none: all that was wished comes true.</summary>
    internal void LiveThrough(Planner plan)
    {
        for (var turn = 0; turn < Turns; turn++)
            Turn(plan);
        Dead.Clear();
        // Where an only voter was replaced by a node of its own name, neither can make way for the other: it takes a third one.
        Catalogue.Apply(new CatalogueCommand.NodeAdded(new NodeId(9999), "another"));
        foreach (var group in Groups.Keys.ToList())
        {
            Commit(group);
            Elect(group);
        }
        Drive(plan);
        Check(Ask(plan).IsDone, $"M0: all nodes answer, and yet: {string.Join(' ', Ask(plan).Waits)}");
        var staying = Catalogue.NodeInfos.Select(node => node.Id).Order().ToList();
        Check(!Catalogue.NodeInfos.Any(node => node.IsLeaving), "M0: somebody still leaves");
        foreach (var group in Groups.Values)
            Check(group.Members.Voters.Order().SequenceEqual(staying) && group.Members.Learners.IsEmpty, $"M0: {group.Members} and not {string.Join(' ', staying)}");
    }

    private void Turn(Planner plan)
    {
        switch (_random.Next(6))
        {
            case 0:
                WishAtRandom();
                break;
            case 1:
                // More than one is dead at most times only if everybody was unlucky: groups without a majority stand still.
                if (Dead.Count > 0 && _random.Next(2) == 0)
                    Dead.Remove(Dead.First());
                else
                    Dead.Add(Catalogue.Nodes.Keys.ElementAt(_random.Next(Catalogue.Nodes.Count)));
                break;
            case 2:
                Elect(Groups.Keys.ElementAt(_random.Next(Groups.Count)));
                break;
            case 3:
                Commit(Groups.Keys.ElementAt(_random.Next(Groups.Count)));
                break;
            default:
                // The driver dies anywhere: only some of the steps are carried out, in any order.
                foreach (var step in Ask(plan).Steps.Where(_ => _random.Next(3) > 0).OrderBy(_ => _random.Next()).ToList())
                    Carry(step);
                break;
        }
    }

    private void WishAtRandom()
    {
        if (_random.Next(4) == 0 && Catalogue.NodeInfos.FirstOrDefault(node => node.IsLeaving) is { } regretted)
        {
            Catalogue.Apply(new CatalogueCommand.NodeStays(regretted.Id));
            return;
        }
        var staying = Catalogue.NodeInfos.Where(node => !node.IsLeaving).ToList();
        var some = staying[_random.Next(staying.Count)];
        if (_random.Next(2) == 0)
        {
            Catalogue.Apply(new CatalogueCommand.NodeAdded(new NodeId((UInt128)(++_numbers)), $"n{_numbers}"));
            return;
        }
        var left = Catalogue.Apply(new CatalogueCommand.NodeLeaving(some.Id));
        if (left == CatalogueOutcome.Done && _random.Next(2) == 0)
            Catalogue.Apply(new CatalogueCommand.NodeAdded(new NodeId((UInt128)(++_numbers)), some.Name));
    }

    /// <summary>What a leader, and the laws of the whole, make of a step.</summary>
    private void Carry(PlanStep step)
    {
        switch (step)
        {
            case PlanStep.Forget forget:
                Check(Groups.Values.All(group => !_committed[group.Group].All.Contains(forget.Node) && !group.Members.All.Contains(forget.Node)), $"M6: {forget.Node} is forgotten and still belongs to a group");
                Catalogue.Apply(new CatalogueCommand.NodeRemoved(forget.Node));
                break;
            case PlanStep.HandOver hand:
                Check(Groups[hand.Group].Members.IsVoter(hand.To) && !Dead.Contains(hand.To), $"M2: {hand.To} cannot lead");
                Groups[hand.Group] = Groups[hand.Group] with { Leader = hand.To };
                break;
            case PlanStep.Change change:
                Carry(Groups[change.Group], change.What);
                break;
        }
    }

    private void Carry(GroupSight group, MembershipChange change)
    {
        Check(!group.IsChanging, $"M1: group {group.Group} is changing already");
        Check(Catalogue.Nodes.ContainsKey(change.Node), $"M7: {change.Node} is nobody");
        Check(change.Kind == MembershipChangeKind.Remove == Catalogue.IsLeaving(change.Node), $"M7: nobody wished {change.Kind} of {change.Node}");
        var members = change.Kind switch
        {
            MembershipChangeKind.AddLearner => group.Members.WithLearner(change.Node),
            MembershipChangeKind.Promote => group.Members.WithPromoted(change.Node),
            _ => group.Members.Without(change.Node),
        };
        Check(change.Kind != MembershipChangeKind.Remove || change.Node != group.Leader, $"M2: {change.Node} is removed while it leads");
        Check(members.Voters.Length > 0, $"M5: group {group.Group} loses its last voter");
        if (members.Voters.Length != group.Members.Voters.Length)
            Check(members.Voters.Count(node => !Dead.Contains(node)) >= Quorum.Of(members.Voters.Length), $"M4: group {group.Group} loses its majority: {members}");
        if (change.Kind == MembershipChangeKind.Promote)
        {
            Check(!Dead.Contains(change.Node), $"M8: {change.Node} does not answer and is promoted");
            Check(group.Group == GroupId.System || _committed[GroupId.System].IsVoter(change.Node), $"M9: {change.Node} votes in group {group.Group} and not in the system group");
        }
        var waits = group.Members.Learners.Where(node => MaySoonVote(group, node)).ToList();
        Check(change.Kind != MembershipChangeKind.Remove || !group.Members.IsVoter(change.Node) || Dead.Contains(change.Node) || waits.Count == 0, $"M8: {change.Node} is removed before {string.Join(' ', waits)} votes");
        var names = members.Voters.Select(node => Catalogue.Nodes[node]).ToList();
        Check(names.Distinct(StringComparer.Ordinal).Count() == names.Count, $"M3: two nodes of one name vote in group {group.Group}");
        Groups[group.Group] = group with { Members = members, IsChanging = true };
    }

    /// <summary>Whether a learner answers, nothing keeps it from voting, and it would do no harm.</summary>
    private bool MaySoonVote(GroupSight group, NodeId learner) =>
        !Dead.Contains(learner) && !Catalogue.IsLeaving(learner)
        && (group.Group == GroupId.System || (!Groups[GroupId.System].IsChanging && Groups[GroupId.System].Leader != NodeId.None && Groups[GroupId.System].Members.IsVoter(learner)))
        && group.Members.All.All(other => other == learner || !Catalogue.IsLeaving(other) || Catalogue.Nodes[other] != Catalogue.Nodes[learner])
        && group.Members.Voters.Append(learner).Count(node => !Dead.Contains(node)) >= Quorum.Of(group.Members.Voters.Length + 1);

    private void Commit(GroupId id)
    {
        if (!HasMajority(Groups[id]))
            return;
        Groups[id] = Groups[id] with { IsChanging = false };
        _committed[id] = Groups[id].Members;
    }

    private void Elect(GroupId id)
    {
        var group = Groups[id];
        var fit = group.Members.Voters.Where(node => !Dead.Contains(node)).ToList();
        Groups[id] = group with { Leader = HasMajority(group) && fit.Count > 0 ? fit[_random.Next(fit.Count)] : NodeId.None };
    }

    private bool HasMajority(GroupSight group) => group.Members.Voters.Count(node => !Dead.Contains(node)) >= Quorum.Of(group.Members.Voters.Length);

    private static void Check(bool holds, string what)
    {
        if (!holds)
            throw new BrokenRuleException(what);
    }

    internal sealed class BrokenRuleException(string what) : Exception(what);
}
