using Microsoft.Extensions.Options;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Grains;
using Watch.Grains.Consensus;
using Watch.Grains.Diagnostics;
using Watch.Grains.Watching;

namespace Watch.Cluster.Tests;

/// <summary>Whom a silo asks for history that has no replica of its own: one that is of no use is not asked for every page.</summary>
public sealed class HistoryMembersTests
{
    private static readonly TimeSpan s_aMoment = TimeSpan.FromSeconds(1);
    private readonly FakeSilos _silos = new();
    private readonly JumpingTime _time = new();
    private readonly List<string> _asked = [];
    private readonly HistorySource _source;
    private long _pages;

    public HistoryMembersTests()
    {
        var own = new OwnReplica(_time);
        var leaders = new LeaderLocator(_silos, own, _silos, _silos, Options.Create(new WatchSiloOptions()), _time);
        _source = new HistorySource(own, leaders, _silos, _silos, _silos, _time, new WatchMetrics(_time, _silos));
        _silos.Add(1).Incarnation = "a";
        for (var number = 2; number <= 4; number++)
            _silos.Add(number).Incarnation = "a";
        Silo(4).Leads = true;
        Silo(4).OnHistory = () => Answer("leader 4");
    }

    [Fact]
    public async Task A_member_that_is_frozen_costs_a_moment_and_the_next_page_is_asked_of_another_one()
    {
        Silo(2).OnHistoryAt = () =>
        {
            _asked.Add("member 2");
            return new TaskCompletionSource<HistoryReply>().Task;
        };
        Silo(2).OnDescribe = () => throw new TimeoutException("no answer");
        Silo(3).OnHistoryAt = () => Answer("member 3");

        var first = ReadAsync();
        _time.Jump(s_aMoment);
        await first;
        await ReadAsync();
        await ReadAsync();

        Assert.Equal(["member 2", "leader 4", "member 3", "member 3"], _asked);
    }

    [Fact]
    public async Task One_that_is_no_member_is_passed_by_from_then_on()
    {
        Silo(2).OnHistoryAt = () => Answer("member 2", new Refusal(RefusalKind.NotLeader, "It is no member."));
        Silo(3).OnHistoryAt = () => Answer("member 3");
        Silo(4).OnHistoryAt = () => Answer("member 4", new Refusal(RefusalKind.NotLeader, "It leads."));

        for (var page = 0; page < 4; page++)
            await ReadAsync();

        Assert.Equal(["member 2", "leader 4", "member 3", "member 3", "member 3"], _asked);
        Assert.Equal((0, 3, 1), (_source.OwnPages, _source.MemberPages, _source.LeaderPages));
    }

    private FakeReplicaService Silo(int number) => (FakeReplicaService)_silos.At(FakeSilos.Address(number));

    private Task<HistoryReply> Answer(string who, Refusal? refusal = null)
    {
        _asked.Add(who);
        return Task.FromResult(new HistoryReply { Refusal = refusal, Reached = new Revision(1) });
    }

    private Task<HistoryPiece> ReadAsync() => _source
        .ReadAsync(new WatchEffect.Fetch(BucketId.Default, Scope.Bucket, new FetchId(++_pages), default, new Revision(1), 0, 10, 1000, false, IsRepair: false, Attempt: 0), CancellationToken.None)
        .WaitAsync(WatchCluster.Patience);
}
