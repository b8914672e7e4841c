using Microsoft.Extensions.Options;
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

    private async Task<NodesNews> AskAsync(string seen, int holdMs)
    {
        var asked = _looks.NextAsync(seen, TimeSpan.FromMilliseconds(holdMs), CancellationToken.None);
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
