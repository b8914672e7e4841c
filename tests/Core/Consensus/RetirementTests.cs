using Watch.Core.Consensus;
using Watch.Core.Storage;
using Watch.Core.Tests.Storage;

namespace Watch.Core.Tests.Consensus;

/// <summary>What is written again so that segments can go stays within its limits, and retiring comes to an end.</summary>
public sealed class RetirementTests
{
    private const int Groups = 40;
    private const int EntryBytes = 1000;
    private static readonly NodeId _self = new(1);

    [Fact]
    public void A_group_that_has_nothing_to_be_written_again_in_one_segment_is_counted_in_the_next()
    {
        var (node, use) = Written(new RaftOptions());
        var batch = new LogBatch();
        Assert.True(node.TryCollectRetirement(use, batch, bytesMax: Groups * EntryBytes / 2, out var firstKept));
        Assert.Equal(2, firstKept);                                      // the second one has twice what fits
        Assert.InRange(batch.Length, 1, Groups * EntryBytes / 2);
        batch.Clear();
        node.Persisted(default);
        Assert.True(node.TryCollectRetirement(use, batch, bytesMax: Groups * EntryBytes * 2, out firstKept));
        Assert.Equal(4, firstKept);
        Assert.InRange(batch.Length, Groups * EntryBytes, Groups * EntryBytes * 2);
    }

    [Fact]
    public void Where_groups_have_little_each_and_too_much_together_those_with_most_of_it_are_due_for_a_snapshot()
    {
        var (node, use) = Written(new RaftOptions { LogSegmentsMax = 2 }, first: 2);
        Assert.False(node.TryCollectRetirement(use, new LogBatch(), bytesMax: Groups * EntryBytes, out _));
        var due = new List<int>();
        while (node.TryTakeDue(out var group))
            due.Add(group.Value);
        Assert.InRange(due.Count, 1, Groups / 2);
    }

    [Fact]
    public void Retiring_comes_to_an_end_though_a_group_has_more_than_a_segment_holds()
    {
        var small = LogHarness.Small;
        var options = new RaftOptions { RewriteBytesMax = 1 << 20 };
        Assert.InRange(Retirements(options, small.RetirementBytesMax), 0, 3);
        Assert.Equal(RetirementsMax, Retirements(options, bytesMax: 1 << 20));     // what it was without that limit
    }

    [Fact]
    public void A_rewrite_limit_that_the_log_has_no_room_for_is_refused_by_name()
    {
        var log = new LogOptions();
        new RaftOptions().Validate(log);
        new RaftOptions { RewriteBytesMax = (int)log.RetirementBytesMax }.Validate(log);
        var refused = Assert.Throws<ArgumentException>(() => new RaftOptions { RewriteBytesMax = (int)log.RetirementBytesMax + 1 }.Validate(log));
        Assert.Equal("RewriteBytesMax", refused.ParamName);
        Assert.Throws<ArgumentException>(() => new RaftOptions().Validate(LogHarness.Small));
    }

    private const int RetirementsMax = 50;

    /// <summary>How often segments are retired in a row, of a log in which one group has entries that fill most of a segment.</summary>
    private static int Retirements(RaftOptions options, long bytesMax)
    {
        var fs = new MemoryFileSystem();
        fs.CreateFolder(LogHarness.Folder);
        using var log = WriteAheadLog.Create(fs, LogHarness.Folder, LogHarness.Node, LogHarness.Small);
        var recovered = new RecoveredLog();
        var group = new GroupId(1);
        recovered.OnHardState(group, new HardState(new Term(1), NodeId.None));
        for (var index = 1; index <= 8; index++)
        {
            var batch = new LogBatch();
            Add(batch, recovered, group, index, 700);
            log.Append(batch);
            log.Sync();
        }
        var node = new Node(new NodeIdentity("n", _self), recovered, options, () => 0);
        var again = new LogBatch();
        for (var count = 0; count < RetirementsMax; count++)
        {
            again.Clear();
            if (log.Use.Segments.Count < 2 || !node.TryCollectRetirement(log.Use, again, bytesMax, out var firstKept))
                return count;
            log.Append(again);
            log.Sync();
            log.RetireBelow(firstKept);
            node.Persisted(default);
        }
        return RetirementsMax;
    }

    /// <summary>Segment 1 has every group's term, segment 2 its entries, segment 3 is written to.</summary>
    private static (Node Node, LogUse Use) Written(RaftOptions options, int first = 1)
    {
        var (use, recovered) = (new LogUse(), new RecoveredLog());
        var (states, entries, current) = (new LogBatch(), new LogBatch(), new LogBatch());
        for (var group = 1; group <= Groups; group++)
        {
            states.Add(new GroupId(group), new HardState(new Term(1), NodeId.None));
            Add(entries, recovered, new GroupId(group), 1, 0);
            Add(entries, recovered, new GroupId(group), 2, EntryBytes);
            recovered.OnHardState(new GroupId(group), new HardState(new Term(1), NodeId.None));
        }
        if (first == 1)
            use.Add(1, states.Use);
        use.Add(2, entries.Use);
        use.Add(3, current.Use);
        use.Add(4, current.Use);
        var node = new Node(new NodeIdentity("n", _self), recovered, options, () => 0);
        var now = new Moment(TimeSpan.FromSeconds(1), 0);
        node.Start(now);
        Commit(node, now);
        return (node, use);
    }

    private static void Commit(Node node, Moment now)
    {
        for (var batch = new LogBatch(); node.TryCollect(batch); batch.Clear())
            node.Persisted(now);
        while (node.TryTakeCommitted(now, out _))
        {
            // Applied.
        }
    }

    private static void Add(LogBatch batch, RecoveredLog recovered, GroupId group, int index, int bytes)
    {
        var entry = index == 1 ? Membership.FirstEntry([_self]) : new Entry(new LogIndex(index), new Term(1), LogTime.Zero, 0, EntryKind.Command, new byte[bytes]);
        batch.Add(group, entry);
        recovered.OnEntry(group, entry);
    }
}
