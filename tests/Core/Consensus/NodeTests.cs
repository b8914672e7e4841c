using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;
using Watch.Core.Tests.Storage;
using Watch.Grains.Storage;

namespace Watch.Core.Tests.Consensus;

public sealed class NodeTests
{
    [Fact]
    public void A_cluster_is_born_in_one_durable_batch()
    {
        var node = new NodeShell(new MemoryFileSystem());
        node.Node.BeBorn(42, 9000, 500, default);
        var batch = new LogBatch();
        Assert.True(node.Node.TryCollect(batch));
        Assert.False(node.Node.HasToPersist);
        Assert.Equal(2 + 4 + 1, batch.Records);
    }

    [Fact]
    public async Task Born_and_started_a_node_has_a_catalogue_and_a_default_bucket()
    {
        var shell = new NodeShell(new MemoryFileSystem());
        await shell.BirthAsync();

        var catalogue = shell.Node.Catalogue;
        Assert.Equal(((UInt128)42, 9000, 500), (catalogue.Incarnation!.Value, catalogue.LeaseMs, catalogue.MarginMs));
        Assert.Equal([KeyValuePair.Create(shell.Node.Self.Id, "node")], catalogue.Nodes);
        var bucket = Assert.Single(catalogue.Buckets).Value;
        Assert.Equal((BucketId.Default, "default", GroupId.Default), (bucket.Id, bucket.Name, bucket.Group));
        Assert.Equal([shell.Node.Self.Id], bucket.FirstVoters);
        Assert.All(shell.Node.Groups.Values, group => Assert.True(group.LeadsWithOwnTermCommitted));
        var roles = new List<string>();
        while (shell.Node.TryTakeRoleChange(out var change))
            roles.Add($"{change.Group} {change.Role} {change.Term}");
        Assert.Equal(["0 Candidate 2", "1 Candidate 2", "0 Leader 2", "1 Leader 2"], roles);
    }

    [Fact]
    public async Task What_waits_in_two_groups_shares_one_write_and_one_sync()
    {
        var fs = new MemoryFileSystem();
        var shell = new NodeShell(fs);
        await shell.BirthAsync();
        var (writes, syncs) = (fs.Writes, fs.Syncs);
        shell.Propose(GroupId.System, new CatalogueCommand.NodeAdded(new NodeId(77), "other").Encode());
        shell.Propose(GroupId.Default, [1]);
        shell.Propose(GroupId.Default, [2]);
        Assert.True(await shell.RoundAsync());

        Assert.Equal((writes + 1, syncs + 1), (fs.Writes, fs.Syncs));
        Assert.Equal(["1", "2"], shell.Applied);
        Assert.Equal("other", shell.Node.Catalogue.Nodes[new NodeId(77)]);
        Assert.False(await shell.RoundAsync());
    }

    [Fact]
    public async Task After_a_restart_everything_is_applied_again_in_order()
    {
        var fs = new MemoryFileSystem();
        var shell = new NodeShell(fs);
        await shell.BirthAsync();
        for (byte i = 0; i < 50; i++)
        {
            shell.Propose(GroupId.Default, [i]);
            if (i % 3 == 0)
                await shell.RoundAsync();
        }
        await shell.RoundAsync();
        await shell.StopAsync();

        var again = new NodeShell(fs);
        Assert.Equal((UInt128)42, again.Node.Incarnation);
        Assert.Empty(again.Applied);
        await again.StartAsync();
        Assert.Equal(shell.Applied, again.Applied);
        Assert.Equal(shell.Node.Self, again.Node.Self);
        Assert.Single(again.Node.Catalogue.Buckets);
        Assert.True(again.Node.Groups[GroupId.Default].Term > shell.Node.Groups[GroupId.Default].Term);
    }

    [Fact]
    public async Task A_bucket_created_later_gets_its_group_when_the_entry_commits()
    {
        var fs = new MemoryFileSystem();
        var shell = new NodeShell(fs);
        await shell.BirthAsync();
        var created = new CatalogueCommand.BucketCreated(new BucketId(2), "second", new GroupId(2), [shell.Node.Self.Id]);
        shell.Propose(GroupId.System, created.Encode());
        Assert.DoesNotContain(new GroupId(2), shell.Node.Groups.Keys);
        await shell.SettleAsync();
        Assert.True(shell.Node.Groups[new GroupId(2)].LeadsWithOwnTermCommitted);
        await shell.StopAsync();

        var again = new NodeShell(fs);
        await again.StartAsync();
        Assert.True(again.Node.Groups[new GroupId(2)].LeadsWithOwnTermCommitted);
        Assert.Equal(2, again.Node.Catalogue.Buckets.Count);
    }

    /// <summary>A node that is to vote must not promise less than the others count on, whatever its own options say.</summary>
    [Fact]
    public void A_new_node_takes_the_clusters_lease_over_with_the_first_entries_and_stands_by_its_promises_for_as_long()
    {
        var (leader, self, heardAt) = (new NodeId(1), new NodeIdentity("new", new NodeId(2)), TimeSpan.FromSeconds(3));
        var node = new Node(self, new RecoveredLog(), new RaftOptions(), () => 0);
        node.Start(default);
        var entries = Birth.FirstCommands(42, 9000, 500, "old", leader).Select((command, at) =>
            new Entry(new LogIndex(at + 2), new Term(1), LogTime.Zero, 0, EntryKind.Command, command.Encode())).Prepend(Membership.FirstEntry([leader])).ToArray();
        Hear(GroupId.Default, [Membership.FirstEntry([leader])]);
        Assert.Equal(heardAt + new RaftOptions().Promise, node.Groups[GroupId.Default].Promise.Until);

        Hear(GroupId.System, entries);

        Assert.Equal((UInt128)42, node.Incarnation);
        Assert.All(node.Groups.Values, group => Assert.Equal(heardAt + TimeSpan.FromMilliseconds(9500), group.Promise.Until));

        void Hear(GroupId group, Entry[] sent) => node.Step(
            new AppendEntries(group, new Term(1), leader, new Round(1, default), LogIndex.None, Term.None, LogIndex.None, sent), new Moment(heardAt, 0));
    }

    [Fact]
    public async Task A_group_that_the_catalogue_does_not_name_does_not_begin()
    {
        var shell = new NodeShell(new MemoryFileSystem());
        await shell.BirthAsync();
        var strange = new GroupId(99);
        shell.Node.Step(new AppendEntries(strange, new Term(1), new NodeId(5), new Round(1, default), LogIndex.None, Term.None, LogIndex.None, new[] { Membership.FirstEntry([new NodeId(5)]) }), default);
        Assert.DoesNotContain(strange, shell.Node.Groups.Keys);

        shell.Propose(GroupId.System, new CatalogueCommand.BucketCreated(new BucketId(2), "second", strange, [new NodeId(5)]).Encode());
        await shell.SettleAsync();
        Assert.DoesNotContain(strange, shell.Node.Groups.Keys);
        shell.Node.Step(new AppendEntries(strange, new Term(1), new NodeId(5), new Round(1, default), LogIndex.None, Term.None, LogIndex.None, new[] { Membership.FirstEntry([new NodeId(5)]) }), default);
        Assert.Contains(strange, shell.Node.Groups.Keys);
    }

    [Fact]
    public async Task A_failed_sync_acknowledges_nothing()
    {
        var fs = new MemoryFileSystem();
        var shell = new NodeShell(fs);
        await shell.BirthAsync();
        shell.Propose(GroupId.Default, [9]);
        fs.NextSyncFails = new IOException("no");
        await Assert.ThrowsAsync<LogFailedException>(async () => await shell.RoundAsync());
        Assert.Empty(shell.Applied);
    }

    [Fact]
    public async Task A_birth_that_the_power_interrupts_is_whole_or_never_was()
    {
        for (var at = 1; ; at++)
        {
            for (var variant = 0; variant < 4; variant++)
            {
                var fs = new MemoryFileSystem { PowerFailsAt = at };
                try
                {
                    var shell = new NodeShell(fs);
                    await shell.BirthAsync();
                    if (fs.Operations < at)
                        return;
                }
                catch (Exception e) when (IsPowerLoss(e))
                {
                    // What the disk then holds is what the rest of the test is about.
                }
                var again = new NodeShell(fs.Crash(new Random(HashCode.Combine(at, variant))));
                Assert.Equal(again.Node.Incarnation is null ? 0 : 2, again.Node.Groups.Count);
                if (again.Node.Incarnation is null)
                    await again.BirthAsync();
                else
                    await again.StartAsync();
                Assert.Single(again.Node.Catalogue.Buckets);
            }
        }
    }

    [Fact]
    public async Task What_was_acknowledged_survives_a_power_failure_at_any_operation() =>
        Assert.Null(await FindLossAsync(fs => fs));

    /// <summary>The broken variant: a disk that reports a sync before it does it, so acknowledging comes before durability.</summary>
    [Fact]
    public async Task With_sync_and_acknowledgement_swapped_the_same_test_finds_a_loss() =>
        Assert.Contains("acknowledged [", await FindLossAsync(fs => new LateSync(fs)), StringComparison.Ordinal);

    private static bool IsPowerLoss(Exception e) => e is PowerLostException or LogFailedException { InnerException: PowerLostException };

    /// <summary>Lets the power fail at every operation of a run; says where an acknowledged command was lost, or null.</summary>
    private static async Task<string?> FindLossAsync(Func<IFileSystem, IFileSystem> disk)
    {
        for (var at = 1; ; at++)
        {
            for (var variant = 0; variant < 4; variant++)
            {
                var fs = new MemoryFileSystem { PowerFailsAt = at };
                var acknowledged = new List<string>();
                var finished = await TryRunAsync(disk(fs), acknowledged);
                if (finished)
                    return null;
                var again = new NodeShell(fs.Crash(new Random(HashCode.Combine(at, variant))));
                if (again.Node.Incarnation is null && acknowledged.Count == 0)
                    continue;
                if (again.Node.Incarnation is not null)
                    await again.StartAsync();
                if (!again.Applied.Take(acknowledged.Count).SequenceEqual(acknowledged))
                    return $"power lost at operation {at}, variant {variant}: acknowledged [{string.Join(' ', acknowledged)}], found [{string.Join(' ', again.Applied)}]";
            }
        }
    }

    private static async Task<bool> TryRunAsync(IFileSystem fs, List<string> acknowledged)
    {
        try
        {
            var shell = new NodeShell(fs, acknowledged);
            await shell.BirthAsync();
            if (fs is LateSync late)
                late.Armed = true;
            for (byte i = 0; i < 40; i++)
            {
                shell.Propose(GroupId.Default, new byte[1 + (i * 17 % 200)].Select(_ => i).ToArray());
                if (i % 4 != 1)
                    await shell.RoundAsync();
                if (i % 7 == 3)
                    await shell.SealAsync();
            }
            await shell.StopAsync();
            return true;
        }
        catch (Exception e) when (IsPowerLoss(e))
        {
            return false;
        }
    }
}
