using Watch.Core.Storage;

namespace Watch.Core.Tests.Storage;

/// <summary>Segments that nothing needs any more are deleted; one that is missing otherwise is damage.</summary>
public sealed class RetirementTests
{
    /// <summary>A batch with a base and the word that segments before 2 are retired, in format version 1 with records of version 2.</summary>
    private const string Golden =
        "30000000010100006231c877b1dcab3457414c424154434840000000000000004000000000000000680000000200000024000000040200001da6bc6801000000" +
        "01000000090000000000000004000000000000001400000005020000727422030100000000000000";

    [Fact]
    public void The_bytes_of_the_records_of_version_2_never_change()
    {
        var fs = new MemoryFileSystem();
        fs.CreateFolder(LogHarness.Folder);
        var log = WriteAheadLog.Create(fs, LogHarness.Folder, LogHarness.Node, new LogOptions());
        var batch = new LogBatch();
        batch.Add(GroupId.Default, new LogBase(new LogIndex(9), new Term(4), Keeps: true));
        batch.AddFirst(1);
        log.Append(batch);
        log.Sync();
        Assert.Equal(Golden, Convert.ToHexStringLower(fs.ReadAll(LogHarness.FileOf(1))[LogFormat.SegmentHeaderBytes..(int)log.End.Value]));
        Assert.Equal(["1 base 9 4 keeps"], LogHarness.Reopen(fs).Read.Lines);
    }

    [Fact]
    public void A_log_begins_with_the_first_segment_that_was_not_retired()
    {
        var harness = Written(seed: 1);
        var begin = Retire(harness, below: 4);
        while (harness.Log.StepLeaving())
            Assert.DoesNotContain(harness.Fs.List(LogHarness.Folder), name => LogFormat.SegmentNumber(name) < 4);
        Assert.False(harness.Log.HasLeaving);
        Assert.Equal([4, 5, 6], harness.Log.Use.Segments.Keys.Take(3));
        Assert.Equal(LogHarness.FileOf(4), $"{LogHarness.Folder}/{harness.Fs.List(LogHarness.Folder)[0]}");

        var (read, recovery, log) = LogHarness.Reopen(harness.Fs);
        Assert.Null(recovery.Torn);
        Assert.True(read.HasEnded);
        Assert.Equal(harness.Batches.Where(batch => batch.Start >= begin).SelectMany(batch => batch.Lines), read.Lines);
        Assert.Equal((harness.Log.Begin, harness.Log.End), (log.Begin, log.End));
        Assert.Equal(harness.Log.Use.Segments.Select(each => (each.Key, each.Value.Groups.Count())), log.Use.Segments.Select(each => (each.Key, each.Value.Groups.Count())));
    }

    [Fact]
    public void A_disk_without_room_for_giving_room_back_stops_no_log()
    {
        var harness = Written(seed: 4);
        Retire(harness, below: 4);
        harness.Fs.EveryChangeFails = new DiskFullException(LogHarness.Folder);
        Assert.False(harness.Log.StepLeaving());
        Assert.True(harness.Log.HasLeaving);
        harness.Fs.EveryChangeFails = null;
        while (harness.Log.HasLeaving)
            Assert.True(harness.Log.StepLeaving());
        harness.Log.Seal();
    }

    [Fact]
    public void A_disk_that_is_full_at_any_operation_of_retiring_stops_no_log_and_what_stayed_goes_the_next_time()
    {
        for (var at = 3; ; at++)
        {
            // Whatever has gone so far is a beginning: the log is read as before.
            var crashed = Full(at);
            var all = crashed.Batches.SelectMany(batch => batch.Lines).ToList();
            var (read, _, _) = LogHarness.Reopen(crashed.Fs.Crash(new Random(at)));
            Assert.True(all.Skip(all.Count - read.Lines.Count).SequenceEqual(read.Lines), $"no room at operation {at}: what is there is not an end of what was written");

            var harness = Full(at);
            if (harness.Fs.Operations < harness.Fs.HasNoRoomAt)
            {
                Assert.True(at > 8, $"retiring is {at - 1} operations");
                return;
            }

            harness.Log.RetireBelow(4);
            Assert.Equal(4, harness.Log.Use.Segments.Keys.Min());
            while (harness.Log.HasLeaving)
                Assert.True(harness.Log.StepLeaving());
            harness.Log.Seal();
        }

        static LogHarness Full(int at)
        {
            var harness = Written(seed: 4);
            harness.Fs.HasNoRoomAt = harness.Fs.Operations + at;
            Retire(harness, below: 4);
            return harness;
        }
    }

    [Fact]
    public void A_first_segment_that_is_missing_and_was_not_retired_is_damage()
    {
        var never = Written(seed: 2);
        never.Fs.Delete(LogHarness.FileOf(1));
        Assert.Equal(LogHarness.FileOf(1), Assert.Throws<LogDamagedException>(() => LogHarness.Reopen(never.Fs)).File);

        var harness = Written(seed: 3);
        Retire(harness, below: 3);
        harness.Fs.Delete(LogHarness.FileOf(3));
        var before = harness.Fs.Dump();
        Assert.Equal(LogHarness.FileOf(3), Assert.Throws<LogDamagedException>(() => LogHarness.Reopen(harness.Fs)).File);
        Assert.Equal(before, harness.Fs.Dump());
    }

    [Fact]
    public void The_power_may_fail_at_any_operation_of_retiring()
    {
        for (var at = 1; ; at++)
        {
            for (var variant = 0; variant < 4; variant++)
            {
                var harness = Written(seed: 4);
                harness.Fs.PowerFailsAt = harness.Fs.Operations + at;
                var failed = Record.Exception(() => Retire(harness, below: 4));
                if (failed is null && harness.Fs.Operations < harness.Fs.PowerFailsAt)
                    return;
                var after = harness.Fs.Crash(new Random(variant));
                var all = harness.Batches.SelectMany(batch => batch.Lines).ToList();
                var (read, _, _) = LogHarness.Reopen(after);
                Assert.True(all.Skip(all.Count - read.Lines.Count).SequenceEqual(read.Lines), $"power lost at operation {at}, variant {variant}: what is there is not an end of what was written");
                var names = after.List(LogHarness.Folder);
                Assert.Equal(names, LogHarness.Reopen(after).Log is not null ? after.List(LogHarness.Folder) : []);
            }
        }
    }

    private static LogHarness Written(int seed)
    {
        var harness = new LogHarness(new Random(seed));
        for (var i = 0; i < 300; i++)
        {
            harness.Append();
            harness.Sync();
        }
        return harness;
    }

    private static LogPosition Retire(LogHarness harness, long below)
    {
        var batch = new LogBatch();
        batch.AddFirst(below);
        harness.Log.Append(batch);
        harness.Log.Sync();
        harness.Log.RetireBelow(below);
        return harness.Log.Begin;
    }
}
