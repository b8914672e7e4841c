using Microsoft.Extensions.Options;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Grains;
using Watch.Grains.Consensus;
using Watch.Grains.Nodes;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>How long the question of somebody who follows the nodes is held; by a clock that the test moves.</summary>
public sealed class SharedLooksTests
{
    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(50);

    private readonly ManualTime _time = new();
    private readonly FakeSilos _silos = new();
    private readonly SharedLooks _looks;

    public SharedLooksTests()
    {
        var options = Options.Create(new WatchSiloOptions { DataDirectory = "none", NodeName = "own" });
        _looks = new SharedLooks(new ClusterDesk(_silos, _silos, _silos, options, _time), _time);
        _silos.Add(1);
    }

    [Theory]
    [InlineData(0, 500)]
    [InlineData(0, 1000)]
    [InlineData(0, 10_000)]
    [InlineData(600, 1000)]
    [InlineData(900, 2000)]
    public Task A_question_is_answered_within_its_time_though_every_look_takes_long(int lookMs, int holdMs) => TwoNodes.InTurnsAsync(async () =>
    {
        var own = new NodeReport { Name = "own" };
        _silos.Add(2).OnDescribeNode = () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(lookMs));
            return own;
        };
        var first = await AskAsync("", holdMs);
        var began = _time.GetTimestamp();

        var quiet = await AskAsync(first.Token, holdMs);

        var limit = TimeSpan.FromMilliseconds(Math.Min(holdMs, 2000));
        Assert.Equal(first.Token, quiet.Token);
        Assert.InRange(_time.GetElapsedTime(began), limit / 4, limit);
    });

    [Fact]
    public Task What_is_other_than_the_asker_saw_is_answered_at_once() => TwoNodes.InTurnsAsync(async () =>
    {
        var began = _time.GetTimestamp();
        var news = await AskAsync("what a silo of another version said", 2000);
        Assert.Equal(news.Token, (await AskAsync("", 2000)).Token);
        Assert.Equal(TimeSpan.Zero, _time.GetElapsedTime(began));
    });

    /// <summary>A silo that was just started belongs to a cluster, and has not applied its catalogue, or not all that is committed of it.</summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public Task Nodes_that_are_not_known_yet_are_waited_for(bool leads, bool follows) => TwoNodes.InTurnsAsync(async () =>
    {
        var looks = 0;
        _silos.Add(2).OnDescribeNode = () => ++looks < 4 ? Started(leads, isApplied: false) : Started(leads: true, isApplied: true);

        var nodes = follows ? (await AskAsync("", 2000)).Nodes : await WaitAsync(_looks.FreshAsync());

        Assert.Equal(["own"], nodes.Nodes.Select(each => each.Name));
        Assert.Equal(4, looks);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task Where_nobody_comes_to_know_the_nodes_the_question_is_refused_in_time(bool follows) => TwoNodes.InTurnsAsync(async () =>
    {
        _silos.Add(2).OnDescribeNode = () => Started(leads: false, isApplied: false);
        var began = _time.GetTimestamp();

        var refused = await Assert.ThrowsAsync<WatchException>(() => follows ? AskAsync("", 2000) : WaitAsync(_looks.FreshAsync()));

        Assert.Equal(WatchErrorCode.Unavailable, refused.Code);
        Assert.InRange(_time.GetElapsedTime(began), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
    });

    private static NodeReport Started(bool leads, bool isApplied)
    {
        var self = new NodeId((UInt128)2);
        return new NodeReport
        {
            Node = self,
            Name = "own",
            Incarnation = new string('1', 32),
            // One that leads has applied the first entry of the two.
            Nodes = isApplied ? [new NamedNode(self, "own", IsLeaving: false)] : leads ? [new NamedNode(self, "old", IsLeaving: false)] : [],
            Groups = [new NamedGroup(GroupId.System, "system", new GroupDescription([self], [], true, self, leads, 1, 2, 2, [], []))],
            CatalogueIndex = isApplied ? 2 : leads ? 1 : 0,
        };
    }

    private Task<NodesNews> AskAsync(string seen, int holdMs) => WaitAsync(_looks.NextAsync(seen, TimeSpan.FromMilliseconds(holdMs), CancellationToken.None));

    private async Task<T> WaitAsync<T>(Task<T> asked)
    {
        for (var steps = 0; ; steps++)
        {
            await TwoNodes.PassAsync();
            if (asked.IsCompleted)
                return await asked;
            Assert.True(steps < 1000, "it never ends");
            _time.Advance(s_step);
            _time.Fire();
        }
    }
}
