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
    public Task After_a_restart_nothing_is_answered_from_the_state_before_somebody_says_what_is_committed() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        var write = await nodes.ProposeAsync("/k", "v");
        await nodes.TalkAsync();
        await write;
        Assert.NotNull(nodes.Replica.MemberOf(BucketId.Default));

        await nodes.RestartAsync();

        Assert.True(nodes.Replica.Node.Groups[GroupId.Default].Members.IsVoter(nodes.Replica.Node.Self.Id));
        Assert.Null(nodes.Replica.MemberOf(BucketId.Default));
        Assert.False(nodes.Own.TryGet(BucketId.Default, s_key, ReadPolicy.Eventual, out _));
    });

    [Fact]
    public async Task A_leader_whose_disk_is_slow_tells_the_others_that_it_lives()
    {
        Assert.True(await AreThereHeartbeatsWhileTheDiskWorksAsync(ReplicaRules.Kept));
        Assert.False(await AreThereHeartbeatsWhileTheDiskWorksAsync(new ForgetsTimeAtTheDisk()));
    }

    [Fact]
    public Task A_node_that_hears_that_it_was_removed_answers_and_says_nothing_more() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        var write = await nodes.ProposeAsync("/k", "v");
        Assert.True(nodes.Own.TryGet(BucketId.Default, s_key, ReadPolicy.Eventual, out _));
        nodes.Replica.Leave();
        await TwoNodes.PassAsync();

        Assert.Null(nodes.Replica.LeadingOf(BucketId.Default));
        Assert.Null(nodes.Replica.MemberOf(BucketId.Default));
        Assert.False(nodes.Own.TryGet(BucketId.Default, s_key, ReadPolicy.Eventual, out _));
        Assert.False(nodes.Replica.About(GroupId.Default).Leads);
        Assert.Equal(WatchErrorCode.OutcomeUnknown, (await Assert.ThrowsAsync<WatchException>(() => write)).Code);
        nodes.OthersAnswers();
        nodes.Time.Advance(TimeSpan.FromMinutes(1));
        nodes.Time.Fire();
        await TwoNodes.PassAsync();
        Assert.Empty(nodes.Unheard);
    });

    [Fact]
    public Task What_a_removed_node_says_is_not_heard_but_told_to_whoever_tells_it() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        var gone = new NodeId((UInt128)5);
        CatalogueCommand[] story = [new CatalogueCommand.NodeAdded(gone, "gone"), new CatalogueCommand.NodeLeaving(gone), new CatalogueCommand.NodeRemoved(gone)];
        Assert.True(nodes.Replica.Node.Propose(GroupId.System, [.. story.Select(command => (ReadOnlyMemory<byte>)command.Encode())], nodes.Replica.Now).Accepted);
        nodes.Replica.Wake();
        await TwoNodes.PassAsync();
        var spoke = new List<NodeId>();
        nodes.Replica.RemovedSpoke = (node, _) => spoke.Add(node);
        var term = nodes.Replica.Node.Groups[GroupId.Default].Term;

        var question = new Parcel(nodes.Replica.Node.Self.Id, [new AppendAnswer(GroupId.Default, term.Next, gone, default, false, default, default, default, default)]);
        nodes.Replica.Hear(FakeSilos.Address(3), [ParcelCodec.Encode(question)]);

        Assert.Equal([gone], spoke);
        Assert.Equal(term, nodes.Replica.Node.Groups[GroupId.Default].Term);
    });

    [Fact]
    public Task A_write_under_way_when_the_replica_stops_is_answered() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        var write = await nodes.ProposeAsync("/k", "v");
        await nodes.RestartAsync();

        Assert.Equal(WatchErrorCode.OutcomeUnknown, (await Assert.ThrowsAsync<WatchException>(() => write.WaitAsync(WatchCluster.Patience))).Code);
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
    public Task A_parcel_that_was_changed_on_the_way_is_counted_and_not_heard() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        var write = await nodes.ProposeAsync("/k", "v");
        var answers = nodes.OthersAnswers();
        var changed = answers.Select(bytes =>
        {
            var copy = bytes.ToArray();
            copy[^1] ^= 1;
            return (ReadOnlyMemory<byte>)copy;
        }).ToImmutableArray();

        nodes.Replica.Hear(nodes.OtherSilo, changed);
        await TwoNodes.PassAsync();

        Assert.Equal(changed.Length, nodes.Replica.Malformed);
        Assert.False(write.IsCompleted);
        Assert.Null(nodes.Replica.Unavailable);
        nodes.Replica.Hear(nodes.OtherSilo, answers);
        await TwoNodes.PassAsync();
        Assert.Single((await write).Outcomes);
    });

    /// <summary>What is at the disk when the node finds itself broken is not acknowledged, though a majority has it.</summary>
    [Fact]
    public Task A_node_that_broke_a_rule_while_its_disk_works_acknowledges_and_says_nothing_more() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        await nodes.TalkAsync();
        nodes.Disk.Hold();
        var write = await nodes.ProposeAsync("/k", "v");
        nodes.Replica.Hear(nodes.OtherSilo, nodes.OthersAnswers());
        await TwoNodes.PassAsync();
        nodes.OthersAnswers();

        nodes.Replica.Break(new InvariantViolationException("R0: broken"));

        Assert.Equal(RefusalKind.Failed, nodes.Replica.Unavailable!.Kind);
        Assert.Null(nodes.Replica.LeadingOf(BucketId.Default));
        Assert.False(nodes.Own.TryGet(BucketId.Default, s_key, ReadPolicy.Eventual, out _));
        nodes.Disk.Go();
        await TwoNodes.PassAsync();
        Assert.Equal(WatchErrorCode.OutcomeUnknown, (await Assert.ThrowsAsync<WatchException>(() => write)).Code);
        Assert.Empty(nodes.Unheard);
    });

    /// <summary>A proposal that meets a broken rule stops the node, and is refused: it left no trace.</summary>
    [Fact]
    public Task A_proposal_that_breaks_a_rule_stops_the_node() => TwoNodes.RunAsync(ReplicaRules.Kept, async nodes =>
    {
        await nodes.TalkAsync();
        Assert.False(nodes.Replica.Propose(GroupId.Default, new BreaksWhenRead()).Accepted);
        await TwoNodes.PassAsync();
        Assert.Equal(RefusalKind.Failed, nodes.Replica.Unavailable!.Kind);
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

    private static async Task<bool> AreThereHeartbeatsWhileTheDiskWorksAsync(ReplicaRules rules)
    {
        var are = false;
        await TwoNodes.RunAsync(rules, async nodes =>
        {
            await nodes.TalkAsync();
            nodes.Disk.Hold();
            var write = await nodes.ProposeAsync("/k", "v");
            // What was to be sent at once has left; from here on only time makes it speak.
            nodes.OthersAnswers();
            for (var beat = 0; beat < 4; beat++)
            {
                nodes.Time.Advance(new RaftOptions().HeartbeatInterval);
                nodes.Time.Fire();
                await TwoNodes.PassAsync();
                // The first one may come of a timer that was set before.
                are = nodes.Unheard.Any(message => message is Heartbeat);
                nodes.OthersAnswers();
            }

            nodes.Disk.Go();
            await TwoNodes.PassAsync();
        });
        return are;
    }

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

    /// <summary>Commands that stand for a state machine that finds itself broken.</summary>
    private sealed class BreaksWhenRead : IReadOnlyList<ReadOnlyMemory<byte>>
    {
        public int Count => 1;

        public ReadOnlyMemory<byte> this[int index] => throw new InvariantViolationException("R0: broken");

        public IEnumerator<ReadOnlyMemory<byte>> GetEnumerator() => throw new InvariantViolationException("R0: broken");

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private sealed class ForgetsTimeAtTheDisk : ReplicaRules
    {
        public override bool KeepsTimeAtTheDisk => false;
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
