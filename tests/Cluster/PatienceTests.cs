using Microsoft.Extensions.Options;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Grains;
using Watch.Grains.Consensus;
using Watch.Grains.Keys;

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
    public Task A_compaction_does_not_end_half_way_since_the_leader_is_busy_for_a_moment() => TwoNodes.InTurnsAsync(async () =>
    {
        var leader = _silos.Add(2);
        (leader.Incarnation, leader.Leads) = ("a", true);
        var asked = 0;
        leader.OnCompact = () => ++asked <= 3
            ? new RevisionReply { Refusal = new Refusal(RefusalKind.Busy, "It is busy.") }
            : new RevisionReply { Revision = new Revision(5) };
        var (reached, took) = await TimeAsync(_leaders.CompactAsync(BucketId.Default, new Revision(7), default));
        Assert.Equal((new Revision(5), 4), (reached, asked));

        asked = -1_000_000;
        Assert.Equal(WatchErrorCode.Busy, (await Assert.ThrowsAsync<WatchException>(() => TimeAsync(_leaders.CompactAsync(BucketId.Default, new Revision(7), default)))).Code);
    });

    [Fact]
    public Task A_page_of_a_scan_is_read_in_parts_of_one_revision_and_begins_anew_where_that_is_compacted() => TwoNodes.InTurnsAsync(async () =>
    {
        var leader = _silos.Add(2);
        (leader.Incarnation, leader.Leads) = ("a", true);
        var asked = new List<string>();
        var compacted = false;
        leader.OnScan = request =>
        {
            asked.Add($"{request.KeysMax} behind {request.After} at {request.At}");
            if (request.After is null)
                return new ScanReply { Page = new ScanResult([Item("/a")], new Revision(compacted ? 8 : 7), More: true), GoOn = Key.Of("/m") };
            if (!compacted)
            {
                compacted = true;
                return new ScanReply { Refusal = new Refusal(RefusalKind.Compacted, "It is gone.", new Revision(8)) };
            }

            return new ScanReply { Page = new ScanResult([Item("/z")], new Revision(8), More: false) };
        };
        var (page, _) = await TimeAsync(Scanning.ReadAsync(_leaders, BucketId.Default, new ScanRequest(Key.Of("/"), KeysMax: 10), default));
        Assert.Equal(["10 behind  at ", "9 behind /m at 7", "10 behind  at ", "9 behind /m at 8"], asked);
        Assert.Equal(["/a", "/z"], page.Keys.Select(each => each.Key.ToString()));
        Assert.Equal((new Revision(8), false), (page.Revision, page.More));
    });

    private static KeyValue Item(string key) => new(Key.Of(key), default, default, default, 0);

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
