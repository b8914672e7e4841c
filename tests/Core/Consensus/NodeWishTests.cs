using Watch.Core.Consensus;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Consensus;

public sealed class NodeWishTests(ITestOutputHelper output)
{
    private static readonly NodeId _new = new(77);

    [Fact]
    public void A_silo_with_a_new_folder_is_added()
    {
        var answer = Add(PlanWorld.OfThree(), "d", new SiloSight("d", _new, null));
        Assert.Equal(new CatalogueCommand.NodeAdded(_new, "d"), Assert.Single(answer.Commands));
    }

    [Fact]
    public void A_new_node_of_a_known_name_replaces_the_old_one_unless_that_one_answers()
    {
        var world = PlanWorld.OfThree();
        Assert.Equal(
            [new CatalogueCommand.NodeLeaving(new NodeId(3)), new CatalogueCommand.NodeAdded(_new, "c")],
            Add(world, "c", new SiloSight("c", _new, null)).Commands.AsEnumerable());
        Assert.Equal(NodeRefusal.NameTaken, Add(world, "c", new SiloSight("c", _new, null), new SiloSight("c", new NodeId(3), 5)).Refusal);
    }

    [Fact]
    public void A_replacement_of_which_only_the_first_half_was_recorded_is_made_whole_by_asking_again()
    {
        var world = PlanWorld.OfThree();
        world.Wish(new CatalogueCommand.NodeLeaving(new NodeId(3)));
        Assert.Equal(new CatalogueCommand.NodeAdded(_new, "c"), Assert.Single(Add(world, "c", new SiloSight("c", _new, null)).Commands));
        Assert.Equal(NodeRefusal.ChangeUnderWay, Add(world, "d", new SiloSight("d", _new, null)).Refusal);
    }

    [Fact]
    public void Adding_what_is_there_wishes_nothing()
    {
        var answer = Add(PlanWorld.OfThree(), "c", new SiloSight("c", new NodeId(3), 5));
        Assert.Empty(answer.Commands);
        Assert.Null(answer.Refusal);
        Assert.Null(Add(PlanWorld.OfThree(), "c").Refusal);
    }

    [Fact]
    public void A_name_that_no_silo_or_two_silos_have_is_no_nodes()
    {
        var unknown = Add(PlanWorld.OfThree(), "d", new SiloSight("x", _new, null));
        Assert.Equal(NodeRefusal.UnknownNode, unknown.Refusal);
        Assert.Contains("'x'", unknown.Message, StringComparison.Ordinal);
        Assert.Equal(NodeRefusal.NameTaken, Add(PlanWorld.OfThree(), "d", new SiloSight("d", _new, null), new SiloSight("d", new NodeId(78), null)).Refusal);
    }

    [Fact]
    public void Folders_of_removed_nodes_and_of_other_clusters_are_refused()
    {
        var world = PlanWorld.OfThree();
        Assert.Equal(NodeRefusal.FolderRefused, Add(world, "d", new SiloSight("d", _new, 6)).Refusal);
        Assert.Null(Add(world, "d", new SiloSight("d", _new, 5)).Refusal);
        world.Wish(new CatalogueCommand.NodeLeaving(new NodeId(3)));
        world.Drive(MembershipPlan.Next);
        Assert.Equal(NodeRefusal.FolderRefused, Add(world, "c", new SiloSight("c", new NodeId(3), 5)).Refusal);
    }

    [Fact]
    public void One_node_comes_or_goes_at_a_time_and_whoever_comes_may_be_called_off()
    {
        var world = PlanWorld.OfThree();
        world.Wish(new CatalogueCommand.NodeAdded(_new, "d"));
        Assert.Equal(NodeRefusal.ChangeUnderWay, Add(world, "e", new SiloSight("e", new NodeId(78), null)).Refusal);
        Assert.Equal(NodeRefusal.ChangeUnderWay, Remove(world, "a").Refusal);
        Assert.Equal(new CatalogueCommand.NodeLeaving(_new), Assert.Single(Remove(world, "d").Commands));
        world.Wish(new CatalogueCommand.NodeLeaving(_new));
        Assert.Equal(NodeRefusal.ChangeUnderWay, Remove(world, "a").Refusal);
        Assert.Empty(Remove(world, "d").Commands);
        Assert.Null(Remove(world, "d").Refusal);
    }

    [Fact]
    public void Who_goes_leaves_a_majority_that_answers_or_an_operator_forces_it()
    {
        var world = PlanWorld.OfThree();
        world.Dead.Add(new NodeId(3));
        Assert.Equal(NodeRefusal.WouldLoseQuorum, Remove(world, "b").Refusal);
        Assert.Equal(new CatalogueCommand.NodeLeaving(new NodeId(2)), Assert.Single(Remove(world, "b", force: true).Commands));
        Assert.Equal(new CatalogueCommand.NodeLeaving(new NodeId(3)), Assert.Single(Remove(world, "c").Commands));
        Assert.Equal(NodeRefusal.UnknownNode, Remove(world, "x").Refusal);
    }

    [Fact]
    public void The_last_voter_stays_whoever_forces_what()
    {
        var world = new PlanWorld(new Random(1));
        Assert.Equal(NodeRefusal.LastVoter, Remove(world, "a", force: true).Refusal);
        world.Wish(new CatalogueCommand.NodeAdded(_new, "b"));
        Assert.Equal(NodeRefusal.LastVoter, Remove(world, "a", force: true).Refusal);
    }

    [Fact]
    public void Whoever_goes_stays_when_it_is_added_again_before_it_is_gone()
    {
        var world = PlanWorld.OfThree();
        world.Wish(new CatalogueCommand.NodeLeaving(new NodeId(3)));
        Assert.Equal(new CatalogueCommand.NodeStays(new NodeId(3)), Assert.Single(Add(world, "c", new SiloSight("c", new NodeId(3), 5)).Commands));
        Assert.Equal(NodeRefusal.UnknownNode, Add(world, "c").Refusal);

        world.Carry(GroupId.Default, new MembershipChange(MembershipChangeKind.Remove, new NodeId(3)));
        world.Wish(new CatalogueCommand.NodeStays(new NodeId(3)));
        world.Drive(MembershipPlan.Next);
        Assert.All(world.Groups.Values, group => Assert.Contains(new NodeId(3), group.Members.Voters));
    }

    [Fact]
    public void A_wish_that_comes_when_another_was_recorded_since_its_teller_looked_changes_nothing()
    {
        var world = PlanWorld.OfThree();
        world.Catalogue.Apply(new CatalogueCommand.NodeLeaving(new NodeId(3)), new LogIndex(101));
        world.Catalogue.Apply(new CatalogueCommand.NodeStays(new NodeId(3)), new LogIndex(102));
        var late = Remove(world, "c");
        Assert.Equal(NodeRefusal.WishedSince, NodeWish.InTime(late, world.Catalogue, "c", new LogIndex(101)).Refusal);
        Assert.Same(late, NodeWish.InTime(late, world.Catalogue, "c", new LogIndex(102)));
        var other = Remove(world, "b");
        Assert.Same(other, NodeWish.InTime(other, world.Catalogue, "b", new LogIndex(100)));

        // The silo's folder was emptied after its node was removed; nobody asked anew for the new one.
        world.Catalogue.Apply(new CatalogueCommand.NodeLeaving(new NodeId(3)), new LogIndex(103));
        world.Drive(MembershipPlan.Next);
        Assert.Equal(NodeRefusal.WishedSince, NodeWish.InTime(Add(world, "c", new SiloSight("c", _new, null)), world.Catalogue, "c", new LogIndex(102)).Refusal);
        var added = NodeWish.InTime(Add(world, "c", new SiloSight("c", _new, null)), world.Catalogue, "c", new LogIndex(103));
        Assert.Equal(new CatalogueCommand.NodeAdded(_new, "c"), Assert.Single(added.Commands));

        // What is as it is wished is that, however late.
        world.Catalogue.Apply(added.Commands[0], new LogIndex(104));
        Assert.Null(NodeWish.InTime(Add(world, "c", new SiloSight("c", _new, null)), world.Catalogue, "c", new LogIndex(103)).Refusal);
    }

    [Fact]
    public void Whoever_goes_does_not_stay_once_another_node_has_its_name()
    {
        var world = PlanWorld.OfThree();
        world.Wish(new CatalogueCommand.NodeLeaving(new NodeId(3)), new CatalogueCommand.NodeAdded(_new, "c"));
        Assert.Equal(NodeRefusal.FolderRefused, Add(world, "c", new SiloSight("c", new NodeId(3), 5)).Refusal);
    }

    /// <summary>n2 is to go; before it has gone, n0 loses its folder, and n2 cannot go any more: the new n0 must be able to come.</summary>
    [Fact]
    public void A_removal_that_cannot_be_carried_out_holds_nobody_up()
    {
        var world = PlanWorld.OfThree();
        world.Wish(new CatalogueCommand.NodeLeaving(new NodeId(3)));
        Assert.Equal(NodeRefusal.ChangeUnderWay, Add(world, "d", new SiloSight("d", _new, null)).Refusal);
        world.Lose(new NodeId(1));
        Assert.NotEmpty(world.Ask(MembershipPlan.Next).Waits);

        Assert.Equal(new CatalogueCommand.NodeLeaving(new NodeId(1)), Assert.Single(Remove(world, "a").Commands));
        var replaces = Add(world, "a", new SiloSight("a", _new, null));
        Assert.Equal([new CatalogueCommand.NodeLeaving(new NodeId(1)), new CatalogueCommand.NodeAdded(_new, "a")], replaces.Commands.AsEnumerable());

        world.Wish([.. replaces.Commands]);
        world.Drive(MembershipPlan.Next);
        Assert.True(world.Ask(MembershipPlan.Next).IsDone);
        Assert.All(world.Groups.Values, group => Assert.Equal([new NodeId(2), _new], group.Members.Voters.Order()));
    }

    /// <summary>
    /// People wish, nodes die and lose their folders, but never so many that a group could not go on; in the end all silos run. Whatever was
    /// wished before: an operator who adds every name once more has a cluster of all of them.
    /// </summary>
    [Fact]
    public void There_are_no_dead_ends()
    {
        Seeds.Start(output, out var first);
        for (var seed = first; seed < first + 500; seed++)
        {
            var city = new WishWorld(new Random(seed));
            city.LiveThrough();
            var stuck = city.AddAll();
            Assert.True(stuck is null, $"seed {seed}: {stuck}");
        }
    }

    /// <summary>The same people without the way back find dead ends: so the test above can fail.</summary>
    [Fact]
    public void Where_a_removal_that_waits_holds_everybody_up_there_are_dead_ends()
    {
        var found = Enumerable.Range(0, 500).Select(seed =>
        {
            var city = new WishWorld(new Random(seed)) { HeldUpByAnyRemoval = true };
            city.LiveThrough();
            return city.AddAll();
        }).FirstOrDefault(stuck => stuck is not null);
        Assert.NotNull(found);
        output.WriteLine(found);
    }

    private static NodeWishAnswer Add(PlanWorld world, string name, params SiloSight[] silos) =>
        NodeWish.Add(world.Catalogue, [.. world.Groups.Values], silos, node => !world.Dead.Contains(node), name);

    private static NodeWishAnswer Remove(PlanWorld world, string name, bool force = false) =>
        NodeWish.Remove(world.Catalogue, [.. world.Groups.Values], node => !world.Dead.Contains(node), name, force);
}
