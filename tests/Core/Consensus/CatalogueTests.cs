using Watch.Core.Consensus;

namespace Watch.Core.Tests.Consensus;

public sealed class CatalogueTests
{
    private static readonly NodeId _first = new(1);
    private static readonly NodeId _second = new(2);
    private static readonly NodeId _third = new(3);

    // The bytes of docs/disk-format.md: they never change.
    [Theory]
    [InlineData("0101" + "0200000000000000" + "0100000000000000" + "28230000" + "f4010000", typeof(CatalogueCommand.ClusterBorn))]
    [InlineData("0201" + "0300000000000000" + "0000000000000000" + "05" + "6ec3a46d65", typeof(CatalogueCommand.NodeAdded))]
    [InlineData("0301" + "02000000" + "01" + "62" + "07000000" + "01000000" + "0300000000000000" + "0000000000000000", typeof(CatalogueCommand.BucketCreated))]
    [InlineData("0401" + "0300000000000000" + "0000000000000000", typeof(CatalogueCommand.NodeLeaving))]
    [InlineData("0501" + "0300000000000000" + "0000000000000000", typeof(CatalogueCommand.NodeRemoved))]
    [InlineData("0701" + "0300000000000000" + "0000000000000000", typeof(CatalogueCommand.NodeStays))]
    [InlineData("0601" + "0300000000000000" + "0000000000000000" + "01" + "62" + "01", typeof(CatalogueCommand.NodeDeparted))]
    public void The_bytes_of_a_command_never_change(string golden, Type type)
    {
        var command = CatalogueCommand.Decode(Convert.FromHexString(golden));
        Assert.IsType(type, command);
        Assert.Equal(golden, Convert.ToHexStringLower(command.Encode()));
    }

    [Fact]
    public void What_the_golden_bytes_say_is_what_was_written()
    {
        Assert.Equal(new CatalogueCommand.ClusterBorn(new UInt128(1, 2), 9000, 500), CatalogueCommand.Decode(new CatalogueCommand.ClusterBorn(new UInt128(1, 2), 9000, 500).Encode()));
        Assert.Equal(new CatalogueCommand.NodeAdded(_third, "näme"), CatalogueCommand.Decode(Convert.FromHexString("020103000000000000000000000000000000056ec3a46d65")));
        Assert.Equal(new CatalogueCommand.NodeLeaving(_third), CatalogueCommand.Decode(Convert.FromHexString("040103000000000000000000000000000000")));
        Assert.Equal(new CatalogueCommand.NodeRemoved(_third), CatalogueCommand.Decode(Convert.FromHexString("050103000000000000000000000000000000")));
    }

    [Fact]
    public void A_command_that_this_program_does_not_know_stops_it()
    {
        Assert.Throws<InvariantViolationException>(() => CatalogueCommand.Decode(new byte[] { 77, 1 }));
        Assert.Throws<InvariantViolationException>(() => CatalogueCommand.Decode(new byte[] { 1, 2 }));
    }

    [Fact]
    public void A_second_node_of_a_name_is_none_until_the_first_one_leaves()
    {
        var catalogue = Born();
        Assert.Equal(CatalogueOutcome.Done, catalogue.Apply(new CatalogueCommand.NodeAdded(_second, "b")));
        Assert.Equal(CatalogueOutcome.NameTaken, catalogue.Apply(new CatalogueCommand.NodeAdded(_third, "b")));
        Assert.DoesNotContain(_third, catalogue.Nodes.Keys);

        Assert.Equal(CatalogueOutcome.Done, catalogue.Apply(new CatalogueCommand.NodeLeaving(_second)));
        Assert.Equal(CatalogueOutcome.Done, catalogue.Apply(new CatalogueCommand.NodeAdded(_third, "b")));
        Assert.Equal(_third, catalogue.FindNode("b")!.Id);
        Assert.True(catalogue.IsLeaving(_second));
    }

    [Fact]
    public void A_snapshot_remembers_who_left_and_who_is_leaving_though_their_names_were_given_anew()
    {
        var catalogue = Born();
        catalogue.Apply(new CatalogueCommand.NodeAdded(_second, "b"));
        catalogue.Apply(new CatalogueCommand.NodeLeaving(_second));
        catalogue.Apply(new CatalogueCommand.NodeRemoved(_second));
        catalogue.Apply(new CatalogueCommand.NodeAdded(_third, "b"));
        catalogue.Apply(new CatalogueCommand.NodeLeaving(_first));

        var copy = CatalogueSnapshot.Decode(CatalogueSnapshot.Encode(catalogue), new LogIndex(20));
        Assert.Equal(catalogue.NodeInfos, copy.NodeInfos);
        Assert.Equal(catalogue.Removed, copy.Removed);
        Assert.True(copy.IsLeaving(_first));
        Assert.Equal(CatalogueOutcome.WasRemoved, copy.Apply(new CatalogueCommand.NodeAdded(_second, "c")));
    }

    [Fact]
    public void A_removed_nodes_number_never_comes_back()
    {
        var catalogue = Born();
        catalogue.Apply(new CatalogueCommand.NodeAdded(_second, "b"));
        Assert.Equal(CatalogueOutcome.NotLeaving, catalogue.Apply(new CatalogueCommand.NodeRemoved(_second)));
        catalogue.Apply(new CatalogueCommand.NodeLeaving(_second));
        Assert.Equal(CatalogueOutcome.WasRemoved, catalogue.Apply(new CatalogueCommand.NodeAdded(_second, "b")));
        Assert.Equal(CatalogueOutcome.Done, catalogue.Apply(new CatalogueCommand.NodeRemoved(_second)));
        Assert.Equal(CatalogueOutcome.WasRemoved, catalogue.Apply(new CatalogueCommand.NodeAdded(_second, "x")));
        Assert.Equal("b", catalogue.Removed[_second]);
        Assert.DoesNotContain(_second, catalogue.Nodes.Keys);
    }

    [Fact]
    public void Whoever_leaves_may_stay_after_all_until_it_is_removed_or_its_name_is_anothers()
    {
        var catalogue = Born();
        var stays = new CatalogueCommand.NodeStays(_second);
        Assert.Equal(CatalogueOutcome.UnknownNode, catalogue.Apply(stays));
        catalogue.Apply(new CatalogueCommand.NodeAdded(_second, "b"));
        catalogue.Apply(new CatalogueCommand.NodeLeaving(_second));
        Assert.Equal(CatalogueOutcome.Done, catalogue.Foresee(stays));
        Assert.Equal(CatalogueOutcome.Done, catalogue.Apply(stays));
        Assert.False(catalogue.IsLeaving(_second));
        Assert.Equal(CatalogueOutcome.NotLeaving, catalogue.Apply(new CatalogueCommand.NodeRemoved(_second)));

        catalogue.Apply(new CatalogueCommand.NodeLeaving(_second));
        catalogue.Apply(new CatalogueCommand.NodeAdded(_third, "b"));
        Assert.Equal(CatalogueOutcome.NameTaken, catalogue.Apply(stays));
        catalogue.Apply(new CatalogueCommand.NodeRemoved(_second));
        Assert.Equal(CatalogueOutcome.WasRemoved, catalogue.Apply(stays));
        Assert.DoesNotContain(_second, catalogue.Nodes.Keys);
    }

    [Fact]
    public void When_something_was_wished_of_a_name_last_is_known_and_never_too_early_though_its_node_is_gone()
    {
        var catalogue = Born();
        Assert.Equal(LogIndex.None, catalogue.LastWish("b"));
        CatalogueCommand[] wishes = [new CatalogueCommand.NodeAdded(_second, "b"), new CatalogueCommand.NodeLeaving(_second), new CatalogueCommand.NodeStays(_second), new CatalogueCommand.NodeLeaving(_second)];
        for (var at = 0; at < wishes.Length; at++)
        {
            catalogue.Apply(wishes[at], new LogIndex(10 + at));
            Assert.Equal(new LogIndex(10 + at), catalogue.LastWish("b"));
            // What is so already, or does not fit, is no wish.
            catalogue.Apply(wishes[at], new LogIndex(50));
            catalogue.Apply(new CatalogueCommand.NodeAdded(_first, "b"), new LogIndex(50));
            Assert.Equal(new LogIndex(10 + at), catalogue.LastWish("b"));
        }

        catalogue.Apply(new CatalogueCommand.NodeAdded(_third, "b"), new LogIndex(15));
        Assert.Equal(new LogIndex(15), catalogue.LastWish("b"));
        catalogue.Apply(new CatalogueCommand.NodeLeaving(_third), new LogIndex(16));
        catalogue.Apply(new CatalogueCommand.NodeRemoved(_third), new LogIndex(17));
        catalogue.Apply(new CatalogueCommand.NodeRemoved(_second), new LogIndex(18));
        Assert.Equal(new LogIndex(16), catalogue.LastWish("b"));

        var copy = CatalogueSnapshot.Decode(CatalogueSnapshot.Encode(catalogue), new LogIndex(20));
        Assert.Equal(new LogIndex(20), copy.LastWish("a"));
        Assert.Equal(new LogIndex(20), copy.LastWish("b"));
        Assert.Equal(LogIndex.None, copy.LastWish("c"));
    }

    [Fact]
    public void The_last_node_that_stays_never_leaves()
    {
        var catalogue = Born();
        Assert.Equal(CatalogueOutcome.LastNode, catalogue.Apply(new CatalogueCommand.NodeLeaving(_first)));
        catalogue.Apply(new CatalogueCommand.NodeAdded(_second, "b"));
        Assert.Equal(CatalogueOutcome.Done, catalogue.Apply(new CatalogueCommand.NodeLeaving(_first)));
        Assert.Equal(CatalogueOutcome.LastNode, catalogue.Apply(new CatalogueCommand.NodeLeaving(_second)));
        Assert.False(catalogue.IsLeaving(_second));
    }

    [Fact]
    public void There_is_a_limit_to_the_nodes_that_stay()
    {
        var catalogue = Born();
        for (var number = 2; number <= Catalogue.NodesMax; number++)
            Assert.Equal(CatalogueOutcome.Done, catalogue.Apply(new CatalogueCommand.NodeAdded(new NodeId((UInt128)number), $"n{number}")));
        Assert.Equal(CatalogueOutcome.TooManyNodes, catalogue.Apply(new CatalogueCommand.NodeAdded(new NodeId(99), "more")));
        catalogue.Apply(new CatalogueCommand.NodeLeaving(_second));
        Assert.Equal(CatalogueOutcome.Done, catalogue.Apply(new CatalogueCommand.NodeAdded(new NodeId(99), "more")));
    }

    [Fact]
    public void What_was_wished_twice_is_done_once()
    {
        var catalogue = Born();
        CatalogueCommand[] commands = [new CatalogueCommand.NodeAdded(_second, "b"), new CatalogueCommand.NodeLeaving(_first), new CatalogueCommand.NodeRemoved(_first)];
        foreach (var command in commands)
        {
            Assert.Equal(CatalogueOutcome.Done, catalogue.Foresee(command));
            Assert.Equal(CatalogueOutcome.Done, catalogue.Apply(command));
            Assert.Equal(CatalogueOutcome.Done, catalogue.Apply(command));
        }
        Assert.Equal("b", Assert.Single(catalogue.Nodes).Value);
    }

    private static Catalogue Born()
    {
        var catalogue = new Catalogue();
        foreach (var command in Birth.FirstCommands(5, 9000, 500, "a", _first))
            catalogue.Apply(command);
        return catalogue;
    }
}
