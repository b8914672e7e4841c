using Watch.Core.Consensus;

namespace Watch.Core.Tests.Consensus;

public sealed class BirthTests
{
    private static readonly SiloAnswer _knowsNone = new("b", true, null);
    private static readonly SiloAnswer _silent = new("c", false, null);
    private static readonly SiloAnswer _knows = new("d", true, 99);

    [Fact]
    public void Alone_on_the_silo_that_Bootstrap_names_a_cluster_is_born() => Assert.IsType<BirthDecision.BeBorn>(Decide("a"));

    [Fact]
    public void It_is_born_when_all_others_say_that_they_know_none() => Assert.IsType<BirthDecision.BeBorn>(Decide("a", others: [_knowsNone]));

    [Fact]
    public void Silence_is_not_a_no()
    {
        var wait = Assert.IsType<BirthDecision.Wait>(Decide("a", others: [_knowsNone, _silent]));
        Assert.Contains("'c'", wait.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain("'b'", wait.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_of_which_no_silo_lives_is_silent()
    {
        Assert.Equal(new SiloAnswer("c", false, null), SiloAnswer.OfName("c", []));
        Assert.IsType<BirthDecision.Wait>(Decide("a", others: [_knowsNone, SiloAnswer.OfName("c", [])]));
        Assert.IsType<BirthDecision.BeBorn>(Decide("a", others: [_knowsNone, SiloAnswer.OfName("c", [])], forced: true));
    }

    [Fact]
    public void Of_several_silos_of_a_name_the_one_that_knows_speaks_and_all_must_have_answered_before_it_knows_none()
    {
        Assert.Equal(_knows, SiloAnswer.OfName("d", [new("d", true, null), new("d", false, null), _knows]));
        Assert.False(SiloAnswer.OfName("c", [new("c", true, null), _silent]).Answered);
        Assert.Equal(_knowsNone, SiloAnswer.OfName("b", [_knowsNone, _knowsNone]));
    }

    [Fact]
    public void An_operator_may_vouch_for_the_silent() => Assert.IsType<BirthDecision.BeBorn>(Decide("a", others: [_silent], forced: true));

    [Fact]
    public void The_silos_own_name_in_membership_is_no_other_silo() =>
        Assert.IsType<BirthDecision.BeBorn>(Decide("a", others: [new SiloAnswer("a", false, null)]));

    [Fact]
    public void A_new_folder_waits_where_another_silo_knows_a_cluster()
    {
        Assert.Contains("'d'", Assert.IsType<BirthDecision.Wait>(Decide("a", others: [_silent, _knows])).Reason, StringComparison.Ordinal);
        Assert.IsType<BirthDecision.Wait>(Decide(null, others: [_knows]));
    }

    [Fact]
    public void Not_even_force_makes_a_second_cluster() =>
        Assert.Contains("'d'", Assert.IsType<BirthDecision.Refuse>(Decide("a", others: [_knows], forced: true)).Reason, StringComparison.Ordinal);

    [Fact]
    public void Other_silos_wait_for_the_one_that_Bootstrap_names()
    {
        Assert.Contains("'x'", Assert.IsType<BirthDecision.Wait>(Decide("x", others: [_knowsNone])).Reason, StringComparison.Ordinal);
        Assert.Contains("'x'", Assert.IsType<BirthDecision.Refuse>(Decide("x", forced: true)).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void Without_the_setting_the_silo_says_which_one_is_missing(string? bootstrap) =>
        Assert.Contains("Bootstrap", Assert.IsType<BirthDecision.Refuse>(Decide(bootstrap, others: [_knowsNone])).Reason, StringComparison.Ordinal);

    [Fact]
    public void A_folder_that_knows_its_cluster_is_born_already_whatever_else_holds() =>
        Assert.Equal(new BirthDecision.AlreadyBorn(7), Decide("x", known: 7, others: [_silent, _knowsNone, new SiloAnswer("e", true, 7, "y")], forced: true));

    [Fact]
    public void A_folder_of_one_cluster_refuses_to_serve_among_silos_of_another_and_names_both()
    {
        var refuse = Assert.IsType<BirthDecision.Refuse>(Decide("a", known: 7, others: [new SiloAnswer("e", true, 7), _knows]));
        foreach (var part in new[] { "'a'", $"{(UInt128)7:x32}", "'d'", $"{(UInt128)99:x32}" })
            Assert.Contains(part, refuse.Reason, StringComparison.Ordinal);
        // Under its own name, too: an older silo of it with another folder.
        Assert.IsType<BirthDecision.Refuse>(Decide("a", known: 7, others: [new SiloAnswer("a", true, 99)]));
    }

    [Fact]
    public void A_new_folder_refuses_to_wait_among_two_clusters()
    {
        var refuse = Assert.IsType<BirthDecision.Refuse>(Decide("a", others: [new SiloAnswer("e", true, 7), _knows]));
        Assert.Contains("'e'", refuse.Reason, StringComparison.Ordinal);
        Assert.Contains("'d'", refuse.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a", "b")]
    [InlineData("b", "a")]
    public void Silos_that_name_different_places_of_birth_both_refuse(string own, string others)
    {
        var refuse = Assert.IsType<BirthDecision.Refuse>(Decide(own, others: [_knowsNone with { Bootstrap = others }]));
        Assert.Contains($"'{own}' on silo 'a' and '{others}' on silo 'b'", refuse.Reason, StringComparison.Ordinal);
        // Where a cluster is known already, nobody is born and the setting matters no more.
        Assert.IsType<BirthDecision.Wait>(Decide(own, others: [_knowsNone with { Bootstrap = others }, _knows]));
    }

    [Fact]
    public void A_silo_that_names_no_place_of_birth_keeps_nobody_from_being_born() =>
        Assert.IsType<BirthDecision.BeBorn>(Decide("a", others: [_knowsNone, _knowsNone with { Bootstrap = "a" }]));

    [Fact]
    public void Whatever_is_asked_no_cluster_is_born_beside_a_known_one_or_against_silence_without_force()
    {
        const int Seed = 23;
        var random = new Random(Seed);
        for (var run = 0; run < 5000; run++)
        {
            var question = new BirthQuestion(
                new[] { "a", "b", null }[random.Next(3)],
                "a",
                random.Next(4) == 0 ? 7 : null,
                [.. new[] { _knowsNone, _silent, _knows }.Where(_ => random.Next(2) == 0)],
                random.Next(2) == 0);
            if (Birth.Decide(question) is not BirthDecision.BeBorn)
                continue;
            Assert.True(
                question is { Known: null, Bootstrap: "a" } && !question.Others.Contains(_knows) && (question.Forced || !question.Others.Contains(_silent)),
                $"seed {Seed}, run {run}: {question}");
        }
    }

    [Fact]
    public void The_catalogue_holds_its_rules()
    {
        var catalogue = new Catalogue();
        Assert.Throws<InvariantViolationException>(() => catalogue.Apply(new CatalogueCommand.NodeAdded(new NodeId(1), "a")));
        foreach (var command in Birth.FirstCommands(5, 9000, 500, "a", new NodeId(1)))
            catalogue.Apply(command);
        Assert.Throws<InvariantViolationException>(() => catalogue.Apply(new CatalogueCommand.ClusterBorn(6, 1, 1)));
        Assert.Throws<InvariantViolationException>(() => catalogue.Apply(new CatalogueCommand.BucketCreated(new BucketId(2), "default", new GroupId(2), [])));
        Assert.Equal(GroupId.Default, catalogue.FindBucket("default")!.Group);
    }

    private static BirthDecision Decide(string? bootstrap, UInt128? known = null, SiloAnswer[]? others = null, bool forced = false) =>
        Birth.Decide(new BirthQuestion(bootstrap, "a", known, others ?? [], forced));
}
