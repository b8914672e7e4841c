using Microsoft.Extensions.Options;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Grains;
using Watch.Grains.Consensus;

namespace Watch.Cluster.Tests;

/// <summary>How long reads look for somebody who answers, by a clock that the test moves.</summary>
public sealed class PatienceTests
{
    private static readonly Key s_key = Key.Of("/k");
    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(10);

    private readonly FakeSilos _silos = new();
    private readonly ManualTime _time = new();
    private readonly OwnReplica _own;
    private readonly WatchSiloOptions _options = new();
    private readonly LeaderLocator _leaders;

    public PatienceTests()
    {
        _own = new OwnReplica(_time);
        _own.Add(BucketId.Default, new BucketReading(new BucketState()) { IsOpen = true });
        _leaders = new LeaderLocator(_silos, _own, _silos, _silos, Options.Create(_options), _time);
        _silos.Add(1).Incarnation = "a";
    }

    [Fact]
    public Task A_read_of_at_least_a_revision_that_the_own_replica_lacks_is_soon_answered_by_the_leader() => TwoNodes.InTurnsAsync(async () =>
    {
        var leader = _silos.Add(2);
        (leader.Incarnation, leader.Leads) = ("a", true);
        leader.OnGetMany = () => new KeysReply { Keys = [null], Revision = new Revision(7) };

        var (reply, took) = await TimeAsync(ReadAtLeastAsync(7));

        Assert.Equal(new Revision(7), reply.Revision);
        Assert.InRange(took, TimeSpan.Zero, _options.LeaderTimeout / 10);
    });

    [Fact]
    public Task Only_the_leaders_word_is_that_a_revision_has_not_come() => TwoNodes.InTurnsAsync(async () =>
    {
        // Nobody leads: the own replica cannot say that there is no such revision.
        Assert.Equal(WatchErrorCode.NoQuorum, (await Assert.ThrowsAsync<WatchException>(() => TimeAsync(ReadAtLeastAsync(7)))).Code);

        var leader = _silos.Add(2);
        (leader.Incarnation, leader.Leads) = ("a", true);
        leader.OnGetMany = () => new KeysReply { Refusal = new Refusal(RefusalKind.FutureRevision, "It is at 6.") };
        Assert.Equal(WatchErrorCode.FutureRevision, (await Assert.ThrowsAsync<WatchException>(() => TimeAsync(ReadAtLeastAsync(7)))).Code);
    });

    [Fact]
    public Task A_read_that_waits_behind_a_question_without_a_leader_hears_so_no_later_than_if_it_had_asked_alone() => TwoNodes.InTurnsAsync(async () =>
    {
        var reads = new ConfirmedReads(_leaders, _own, _time);
        var first = reads.TryGetAsync(BucketId.Default, s_key, default).AsTask();
        await TwoNodes.PassAsync();
        var second = reads.TryGetAsync(BucketId.Default, s_key, default).AsTask();

        Assert.Equal(WatchErrorCode.NoQuorum, (await Assert.ThrowsAsync<WatchException>(() => TimeAsync(first))).Code);
        var began = _time.GetTimestamp();
        Assert.Equal(WatchErrorCode.NoQuorum, (await Assert.ThrowsAsync<WatchException>(() => TimeAsync(second))).Code);
        Assert.InRange(_time.GetElapsedTime(began), TimeSpan.Zero, _options.LeaderTimeout / 10);
    });

    private Task<KeysReply> ReadAtLeastAsync(long revision)
    {
        var policy = ReadPolicy.AtLeast(new Revision(revision));
        return _leaders.ReadAsync(BucketId.Default, policy, replica => replica.GetMany(BucketId.Default, [s_key], policy), CancellationToken.None);
    }

    /// <summary>Lets time pass until a task ends.</summary>
    private async Task<(T Result, TimeSpan Took)> TimeAsync<T>(Task<T> task)
    {
        var began = _time.GetTimestamp();
        while (true)
        {
            await TwoNodes.PassAsync();
            if (task.IsCompleted)
                break;
            Assert.True(_time.GetElapsedTime(began) < 3 * _options.LeaderTimeout, "it never ends");
            _time.Advance(s_step);
            _time.Fire();
        }

        return (await task, _time.GetElapsedTime(began));
    }
}
