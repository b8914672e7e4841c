using System.Collections.Immutable;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Grains.Consensus;

namespace Watch.Cluster.Tests;

/// <summary>The shell of a leader with one other voter, step by step.</summary>
public sealed class ReplicaTests
{
    private static readonly Key s_key = Key.Of("/k");

    [Fact]
    public async Task A_lease_read_sees_what_was_committed_a_moment_before_though_the_loop_had_no_turn_since()
    {
        Assert.Equal(new Revision(1), await LeaseReadRightAfterCommitAsync(ReplicaRules.Kept));
        Assert.Equal(Revision.None, await LeaseReadRightAfterCommitAsync(new ReadsBeforeApplying()));
    }

    [Fact]
    public async Task A_lease_is_taken_back_from_readers_before_anything_leaves_that_lets_another_node_lead()
    {
        Assert.False(await WasLeaseReadableWhenReleasedAsync(ReplicaRules.Kept));
        Assert.True(await WasLeaseReadableWhenReleasedAsync(new KeepsLeases()));
    }

    [Fact]
    public Task A_lease_read_without_a_call_ends_with_the_lease_and_sees_every_acknowledged_write() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        Assert.False(nodes.Own.TryGet(BucketId.Default, s_key, ReadPolicy.Lease, out _), "a lease that nobody asked for was told");
        var write = await nodes.ProposeAsync("/k", "v");
        await nodes.TalkAsync();
        await write;
        Assert.NotNull(nodes.Replica.LeadingByLease(BucketId.Default));
        Assert.True(nodes.Own.TryGet(BucketId.Default, s_key, ReadPolicy.Lease, out var read));
        Assert.Equal("v", read.Key!.Value.Text());

        nodes.Time.Advance(new RaftOptions().Lease);
        Assert.False(nodes.Own.TryGet(BucketId.Default, s_key, ReadPolicy.Lease, out _), "a lease was used that had run out");
        Assert.True(nodes.Own.TryGet(BucketId.Default, s_key, ReadPolicy.Eventual, out _));
        Assert.False(nodes.Own.TryGet(BucketId.Default, s_key, ReadPolicy.Linearizable, out _), "a linearizable read was answered without a question");
    });

    [Fact]
    public Task What_is_not_committed_is_read_by_nobody() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        var first = await nodes.ProposeAsync("/k", "committed");
        await nodes.TalkAsync();
        await first;
        var second = await nodes.ProposeAsync("/k", "pending");

        Assert.False(second.IsCompleted);
        Assert.True(nodes.Own.TryGet(BucketId.Default, s_key, ReadPolicy.Eventual, out var read));
        Assert.Equal("committed", read.Key!.Value.Text());
    });

    [Fact]
    public Task Bytes_that_are_no_parcel_are_refused_loudly_and_harm_nothing() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        var random = new Random(1);
        var junk = Enumerable.Range(0, 20).Select(_ =>
        {
            var bytes = new byte[random.Next(0, 200)];
            random.NextBytes(bytes);
            return (ReadOnlyMemory<byte>)bytes;
        }).ToImmutableArray();

        nodes.Replica.Hear(nodes.OtherSilo, junk);

        Assert.Equal(junk.Length, nodes.Log.Count(line => line.Contains("cannot be read", StringComparison.Ordinal)));
        var write = await nodes.ProposeAsync("/k", "v");
        // Between good parcels, too, it costs nothing but itself.
        nodes.Replica.Hear(nodes.OtherSilo, [.. junk, .. nodes.OthersAnswers()]);
        await TwoNodes.PassAsync();
        Assert.Equal(new Revision(1), Assert.Single((await write).Outcomes).Result.Revision);
        Assert.Null(nodes.Replica.Unavailable);
    });

    [Fact]
    public Task A_write_under_way_when_the_leader_resigns_is_unknown() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        var write = await nodes.ProposeAsync("/k", "v");
        await nodes.Replica.ResignAsync();

        Assert.Equal(WatchErrorCode.OutcomeUnknown, (await Assert.ThrowsAsync<WatchException>(() => write)).Code);
        Assert.Contains(nodes.Unheard, message => message is ReleaseLease);
        Assert.Null(nodes.Replica.LeadingOf(BucketId.Default));
        Assert.Null(nodes.Replica.LeadingByLease(BucketId.Default));
    });

    private static async Task<Revision> LeaseReadRightAfterCommitAsync(ReplicaRules rules)
    {
        var seen = Revision.None;
        await TwoNodes.RunAsync(rules, async nodes =>
        {
            var write = await nodes.ProposeAsync("/k", "v");
            Assert.False(write.IsCompleted);
            // The acknowledgement that commits arrives, and a read has its turn before the loop.
            nodes.Replica.Hear(nodes.OtherSilo, nodes.OthersAnswers());
            seen = nodes.Replica.LeadingByLease(BucketId.Default)!.State.Revision;
            await TwoNodes.PassAsync();
            await write;
        });
        return seen;
    }

    private static async Task<bool> WasLeaseReadableWhenReleasedAsync(ReplicaRules rules)
    {
        var readable = false;
        await TwoNodes.RunAsync(rules, async nodes =>
        {
            await nodes.ProposeAsync("/k", "v");
            await nodes.TalkAsync();
            Assert.NotNull(nodes.Replica.LeadingByLease(BucketId.Default));
            nodes.WhenSomethingLeaves(() =>
            {
                if (nodes.Unheard.Any(message => message is ReleaseLease))
                    readable = nodes.Own.TryGet(BucketId.Default, s_key, ReadPolicy.Lease, out _);
            });
            await nodes.Replica.ResignAsync();
            Assert.Contains(nodes.Unheard, message => message is ReleaseLease);
        });
        return readable;
    }

    private sealed class ReadsBeforeApplying : ReplicaRules
    {
        public override bool AppliesBeforeLease => false;
    }

    private sealed class KeepsLeases : ReplicaRules
    {
        public override bool TakesLeasesBack => false;
    }
}
