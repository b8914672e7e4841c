using Watch.Core.Consensus;

namespace Watch.Core.Tests.Consensus;

public sealed class NodeWishTests
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
        Assert.Equal(NodeRefusal.FolderRefused, Add(world, "c", new SiloSight("c", new NodeId(3), 5)).Refusal);
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

    private static NodeWishAnswer Add(PlanWorld world, string name, params SiloSight[] silos) => NodeWish.Add(world.Catalogue, [.. world.Groups.Values], silos, name);

    private static NodeWishAnswer Remove(PlanWorld world, string name, bool force = false) =>
        NodeWish.Remove(world.Catalogue, [.. world.Groups.Values], node => !world.Dead.Contains(node), name, force);
}
