using System.Collections.Immutable;
using Watch.Core.Consensus;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Consensus;

public sealed class MembershipPlanTests(ITestOutputHelper output)
{
    private const int Runs = 1500;

    [Fact]
    public void From_one_node_to_three_the_groups_follow_the_wish_step_by_step()
    {
        var world = new PlanWorld(new Random(1));
        world.Wish(new CatalogueCommand.NodeAdded(new NodeId(2), "b"), new CatalogueCommand.NodeAdded(new NodeId(3), "c"));
        Assert.Equal(
            ["+2", "+3", "2 votes", "3 votes"],
            world.Drive(MembershipPlan.Next).OfType<PlanStep.Change>().Where(step => step.Group == GroupId.System).Select(Text));
        Assert.All(world.Groups.Values, group => Assert.Equal([new NodeId(1), new NodeId(2), new NodeId(3)], group.Members.Voters.Order()));
    }

    [Fact]
    public void A_leader_hands_over_before_it_is_removed()
    {
        var world = PlanWorld.OfThree();
        world.Wish(new CatalogueCommand.NodeLeaving(new NodeId(1)));
        var steps = world.Drive(MembershipPlan.Next).ToList();
        Assert.Equal(["hands over to 2", "-1"], steps.Where(step => GroupOf(step) == GroupId.System).Select(Text));
        Assert.Equal(new PlanStep.Forget(new NodeId(1)), steps[^1]);
        Assert.Equal("a", world.Catalogue.Removed[new NodeId(1)]);
    }

    [Fact]
    public void The_old_node_of_a_name_goes_before_the_new_one_votes()
    {
        var world = PlanWorld.OfThree();
        world.Dead.Add(new NodeId(3));
        world.Wish(new CatalogueCommand.NodeLeaving(new NodeId(3)), new CatalogueCommand.NodeAdded(new NodeId(4), "c"));
        var steps = world.Drive(MembershipPlan.Next).ToList();
        Assert.Equal(["+4", "-3", "4 votes"], steps.Where(step => GroupOf(step) == GroupId.Default).Select(Text));
    }

    [Fact]
    public void What_would_lose_the_quorum_waits_and_says_why()
    {
        var world = PlanWorld.OfThree();
        world.Dead.Add(new NodeId(3));
        world.Wish(new CatalogueCommand.NodeLeaving(new NodeId(2)));
        var answer = world.Ask(MembershipPlan.Next);
        Assert.Empty(answer.Steps);
        Assert.Contains("too few voters", answer.Waits[0], StringComparison.Ordinal);
        Assert.False(answer.IsDone);

        world.Dead.Clear();
        world.Drive(MembershipPlan.Next);
        Assert.Contains(new NodeId(2), world.Catalogue.Removed.Keys);
    }

    [Fact]
    public void A_voter_whose_silo_answers_but_whom_its_leader_does_not_hear_counts_as_lost()
    {
        var world = PlanWorld.OfThree();
        world.Hear(new NodeId(1), new NodeId(2));
        world.Wish(new CatalogueCommand.NodeLeaving(new NodeId(2)));

        var answer = world.Ask(MembershipPlan.Next);

        Assert.Empty(answer.Steps);
        Assert.Contains("too few voters", answer.Waits[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Leadership_goes_to_the_voter_with_most_of_the_log_and_waits_while_all_lag()
    {
        var world = PlanWorld.OfThree();
        world.Wish(new CatalogueCommand.NodeLeaving(new NodeId(1)));
        world.HandOverTo(new NodeId(3), new NodeId(2));
        Assert.All(world.Ask(MembershipPlan.Next).Steps, step => Assert.Equal("hands over to 3", Text(step)));

        world.HandOverTo();
        var answer = world.Ask(MembershipPlan.Next);
        Assert.Empty(answer.Steps);
        Assert.Contains("finds no voter to hand over to", answer.Waits[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Who_leaves_and_answers_makes_way_only_when_the_one_that_comes_votes_and_one_that_does_not_answer_is_not_waited_for()
    {
        var world = PlanWorld.OfThree();
        world.Wish(new CatalogueCommand.NodeAdded(new NodeId(4), "d"), new CatalogueCommand.NodeLeaving(new NodeId(3)));
        Assert.Equal(["+4", "4 votes", "-3"], world.Drive(MembershipPlan.Next).Where(step => GroupOf(step) == GroupId.Default).Select(Text));

        world.Wish(new CatalogueCommand.NodeAdded(new NodeId(5), "e"), new CatalogueCommand.NodeLeaving(new NodeId(4)));
        world.Dead.Add(new NodeId(5));
        Assert.Equal(["+5", "-4"], world.Drive(MembershipPlan.Next).Where(step => GroupOf(step) == GroupId.Default).Select(Text));
    }

    [Fact]
    public void A_node_votes_in_the_system_group_first()
    {
        var world = PlanWorld.OfThree();
        world.Wish(new CatalogueCommand.NodeAdded(new NodeId(4), "d"));
        var steps = world.Drive(MembershipPlan.Next).OfType<PlanStep.Change>().Where(step => step.What.Kind == MembershipChangeKind.Promote).ToList();
        Assert.Equal([GroupId.System, GroupId.Default], steps.Select(step => step.Group));
    }

    [Fact]
    public void A_group_whose_leader_is_not_known_gets_no_step_and_holds_a_removal_up()
    {
        var world = PlanWorld.OfThree();
        world.Wish(new CatalogueCommand.NodeLeaving(new NodeId(3)));
        world.Groups[GroupId.System] = world.Groups[GroupId.System] with { Leader = NodeId.None };
        var answer = world.Ask(MembershipPlan.Next);
        Assert.Equal(GroupId.Default, GroupOf(Assert.Single(answer.Steps)));
        Assert.Contains("lead group 0", answer.Waits[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Whatever_is_wished_and_whoever_fails_every_step_is_safe_and_in_the_end_the_wishes_are_fulfilled()
    {
        var random = Seeds.Start(output, out var seed);
        for (var run = 0; run < Runs; run++)
            Assert.True(RunOf(seed + run, MembershipPlan.Next) is null, $"seed {seed + run}: {RunOf(seed + run, MembershipPlan.Next)}");
        Assert.NotNull(random);
    }

    /// <summary>A plan that is blind to one thing breaks the rule that needs it, and the world notices.</summary>
    [Theory]
    [InlineData("M1")]
    [InlineData("M2")]
    [InlineData("M3")]
    [InlineData("M4")]
    [InlineData("M6")]
    [InlineData("M7")]
    [InlineData("M8")]
    [InlineData("M9")]
    public void A_plan_that_breaks_a_rule_is_noticed(string rule)
    {
        PlanWorld.Planner broken = (catalogue, groups, answers) => rule switch
        {
            "M1" => MembershipPlan.Next(catalogue, [.. groups.Select(each => each with { IsChanging = false })], answers),
            "M2" => MembershipPlan.Next(catalogue, [.. groups.Select(each => each with { Leader = new NodeId(999) })], answers),
            "M3" => PromotesFirst(MembershipPlan.Next(catalogue, groups, answers), groups, catalogue),
            "M4" => MembershipPlan.Next(catalogue, groups, _ => true),
            "M8" => RemovesFirst(MembershipPlan.Next(catalogue, groups, answers), groups, catalogue, answers),
            "M9" => PromotesEverywhere(MembershipPlan.Next(catalogue, groups, answers), groups, catalogue, answers),
            "M6" => ForgetsEarly(MembershipPlan.Next(catalogue, groups, answers), catalogue),
            _ => RemovesStrangers(MembershipPlan.Next(catalogue, groups, answers), groups),
        };
        var caught = Enumerable.Range(0, Runs).Select(seed => RunOf(seed, broken)).FirstOrDefault(found => found is not null && found.StartsWith(rule, StringComparison.Ordinal));
        Assert.True(caught is not null, $"a plan without {rule} went unnoticed in {Runs} runs");
        output.WriteLine(caught);
    }

    private static string? RunOf(int seed, PlanWorld.Planner plan)
    {
        try
        {
            var world = new PlanWorld(new Random(seed));
            world.LiveThrough(plan);
            return null;
        }
        catch (PlanWorld.BrokenRuleException broken)
        {
            return broken.Message;
        }
    }

    private static PlanAnswer PromotesFirst(PlanAnswer answer, IReadOnlyCollection<GroupSight> groups, Catalogue catalogue) => answer with
    {
        Steps = [.. answer.Steps.Select(step => step is PlanStep.Change { What.Kind: MembershipChangeKind.Remove } change
            && groups.First(each => each.Group == change.Group).Members.Learners.FirstOrDefault(node => catalogue.Nodes.ContainsKey(node) && !catalogue.IsLeaving(node)) is var learner && learner != NodeId.None
                ? change with { What = new MembershipChange(MembershipChangeKind.Promote, learner) } : step)],
    };

    private static PlanAnswer RemovesFirst(PlanAnswer answer, IReadOnlyCollection<GroupSight> groups, Catalogue catalogue, Func<NodeId, bool> answers) => answer with
    {
        Steps = [.. answer.Steps.Select(step => step is PlanStep.Change { What.Kind: MembershipChangeKind.Promote } change
            && groups.First(each => each.Group == change.Group) is var sight
            && sight.Members.Voters.FirstOrDefault(node => catalogue.IsLeaving(node) && node != sight.Leader && MembershipPlan.KeepsQuorum(sight, node, answers)) is var leaving && leaving != NodeId.None
                ? change with { What = new MembershipChange(MembershipChangeKind.Remove, leaving) } : step)],
    };

    private static PlanAnswer PromotesEverywhere(PlanAnswer answer, IReadOnlyCollection<GroupSight> groups, Catalogue catalogue, Func<NodeId, bool> answers)
    {
        var busy = answer.Steps.Select(GroupOf).ToHashSet();
        var idle = groups.Where(each => each.Group != GroupId.System && !each.IsChanging && !busy.Contains(each.Group)
            && each.Members.Learners.Any(node => answers(node) && catalogue.Nodes.ContainsKey(node) && !catalogue.IsLeaving(node)));
        return answer with { Steps = [.. answer.Steps, .. idle.Select(each => new PlanStep.Change(each.Group, each.Leader, new MembershipChange(MembershipChangeKind.Promote, each.Members.Learners.First(node => answers(node) && !catalogue.IsLeaving(node)))))] };
    }

    private static PlanAnswer ForgetsEarly(PlanAnswer answer, Catalogue catalogue) => answer with
    {
        Steps = [.. answer.Steps, .. catalogue.NodeInfos.Where(node => node.IsLeaving).Select(node => new PlanStep.Forget(node.Id))],
    };

    private static PlanAnswer RemovesStrangers(PlanAnswer answer, IReadOnlyCollection<GroupSight> groups)
    {
        var busy = answer.Steps.Select(GroupOf).ToHashSet();
        var strange = groups.Where(each => !busy.Contains(each.Group) && !each.IsChanging && each.Members.Voters.Any(node => node != each.Leader) && each.Members.Voters.Length > 2);
        return answer with { Steps = [.. answer.Steps, .. strange.Select(each => new PlanStep.Change(each.Group, each.Leader, new MembershipChange(MembershipChangeKind.Remove, each.Members.Voters.First(node => node != each.Leader))))] };
    }

    private static GroupId? GroupOf(PlanStep step) => step switch
    {
        PlanStep.Change change => change.Group,
        PlanStep.HandOver hand => hand.Group,
        _ => null,
    };

    private static string Text(PlanStep step) => step switch
    {
        PlanStep.Change { What: { Kind: MembershipChangeKind.AddLearner, Node: var node } } => $"+{node.Value}",
        PlanStep.Change { What: { Kind: MembershipChangeKind.Promote, Node: var node } } => $"{node.Value} votes",
        PlanStep.Change { What.Node: var node } => $"-{node.Value}",
        PlanStep.HandOver hand => $"hands over to {hand.To.Value}",
        _ => step.ToString(),
    };
}
