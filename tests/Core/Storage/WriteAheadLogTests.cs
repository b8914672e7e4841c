using System.Text;
using Watch.Core.Storage;

namespace Watch.Core.Tests.Storage;

public sealed class WriteAheadLogTests
{
    /// <summary>The bytes of format version 1, header and two batches, the second empty: if this test fails, old logs can't be read any more.</summary>
    private const string Golden =
        "57415443484c4f47b1dcab34010000001032547698badcfeefcdab89674523010100000000000000000000000000000000000000000000000000000000000000" +
        "300000000101000089fba5fab1dcab3457414c42415443484000000000000000400000000000000095000000020000002c000000030100000f93ce0401000000" +
        "0000000002000000000000001032547698badcfeefcdab89674523013900000002010000b9d1a3d8010000000300000003000000000000000200000000000000" +
        "88130000000000000068e5cf8b01000076616c756530000000010100005540a02eb9d1a3d857414c4241544348d500000000000000d500000000000000300000" +
        "0000000000";

    [Fact]
    public void The_bytes_of_format_version_1_never_change()
    {
        var fs = new MemoryFileSystem();
        fs.CreateFolder(LogHarness.Folder);
        var log = WriteAheadLog.Create(fs, LogHarness.Folder, LogHarness.Node, new LogOptions());
        log.Append(GoldenBatch());
        log.Sync();
        log.Seal();
        var bytes = fs.ReadAll(LogHarness.FileOf(1))[..(int)log.End.Value];

        Assert.Equal(Golden, Convert.ToHexStringLower(bytes));
        var (read, _, _) = LogHarness.Reopen(fs);
        Assert.Equal(
            ["1 state 2 0123456789abcdeffedcba9876543210", "1 entry 3 2 5000 1700000000000 Command 76616C7565"],
            read.Lines);
    }

    [Fact]
    public void A_batch_is_written_with_one_call_and_not_synced()
    {
        var harness = new LogHarness(new Random(1));
        var (writes, syncs) = (harness.Fs.Writes, harness.Fs.Syncs);
        harness.Append(records: 20, payloadMax: 20);

        Assert.Equal((writes + 1, syncs), (harness.Fs.Writes, harness.Fs.Syncs));
        Assert.True(harness.Log.Synced < harness.Log.End);
        harness.Log.Sync();
        Assert.Equal(syncs + 1, harness.Fs.Syncs);
        Assert.Equal(harness.Log.End, harness.Log.Synced);
    }

    [Fact]
    public void Sealing_writes_one_empty_batch_and_the_next_time_nothing()
    {
        var harness = new LogHarness(new Random(2));
        Assert.False(harness.Log.NeedsSeal);
        harness.Append();
        harness.Log.Sync();
        Assert.True(harness.Log.NeedsSeal);
        harness.Log.Seal();
        var (end, operations) = (harness.Log.End, harness.Fs.Operations);
        harness.Log.Seal();

        Assert.False(harness.Log.NeedsSeal);
        Assert.Equal((end, operations), (harness.Log.End, harness.Fs.Operations));
    }

    [Fact]
    public void Within_the_allocated_room_a_sync_has_no_length_to_write()
    {
        var harness = new LogHarness(new Random(3), new LogOptions());
        var length = harness.Fs.ReadAll(LogHarness.FileOf(1)).Length;
        for (var i = 0; i < 100; i++)
            harness.Append();
        Assert.Equal(1 << 20, length);
        Assert.Equal(length, harness.Fs.ReadAll(LogHarness.FileOf(1)).Length);
    }

    [Fact]
    public void A_batch_longer_than_a_segment_gets_one_of_its_own()
    {
        var harness = new LogHarness(new Random(4));
        harness.Append();
        var batch = new LogBatch();
        batch.Add(GroupId.System, new Entry(new LogIndex(1), new Term(1), LogTime.Zero, 0, EntryKind.Command, new byte[20_000]));
        harness.Log.Append(batch);
        harness.Append();
        harness.Log.Sync();
        var (read, recovery, _) = LogHarness.Reopen(harness.Fs);
        Assert.Equal(3, recovery.Segments);
        Assert.Equal(harness.Lines(2).Length + 1, read.Lines.Count);
    }

    [Fact]
    public void After_a_failed_sync_the_log_answers_nothing_any_more()
    {
        var harness = new LogHarness(new Random(5));
        harness.Append();
        harness.Fs.NextSyncFails = new IOException("the disk is on fire");
        var failure = Assert.Throws<LogFailedException>(() => harness.Log.Sync());
        Assert.Contains("the disk is on fire", failure.Message, StringComparison.Ordinal);
        Assert.Equal(LogHarness.FileOf(1), failure.File);

        Assert.Throws<LogFailedException>(() => harness.Log.Sync());
        Assert.Throws<LogFailedException>(() => harness.Log.Seal());
        Assert.Throws<LogFailedException>(() => harness.Append());
        Assert.True(harness.Log.Synced < harness.Log.End);
    }

    [Fact]
    public void Empty_and_over_long_batches_are_the_callers_mistake_and_do_no_harm()
    {
        var harness = new LogHarness(new Random(6), LogHarness.Small with { BatchBytesMax = 64 << 10 });
        Assert.Throws<ArgumentException>(() => harness.Log.Append(new LogBatch()));
        var batch = new LogBatch();
        batch.Add(GroupId.System, new Entry(new LogIndex(1), new Term(1), LogTime.Zero, 0, EntryKind.Command, new byte[64 << 10]));
        Assert.Contains("65536", Assert.Throws<ArgumentException>(() => harness.Log.Append(batch)).Message, StringComparison.Ordinal);
        harness.Append();
        harness.Sync();
        Assert.Equal(harness.Lines(1), LogHarness.Reopen(harness.Fs).Read.Lines);
    }

    [Fact]
    public void A_segment_or_record_of_a_newer_version_is_named_and_left_alone()
    {
        var harness = new LogHarness(new Random(7));
        harness.Append(records: 1);
        harness.Append(records: 1);
        harness.Seal();
        var file = LogHarness.FileOf(1);
        var intact = harness.Fs.ReadAll(file);

        var segment = (byte[])intact.Clone();
        segment[12] = 2;
        LogHarness.Resign(segment.AsSpan(0, 64), 0);
        harness.Fs.Replace(file, segment);
        Assert.Contains("version 2", Assert.Throws<NewerFormatException>(() => LogHarness.Reopen(harness.Fs)).Message, StringComparison.Ordinal);

        var start = (int)harness.Batches[1].Start.Value;
        var record = (byte[])intact.Clone();
        record[start + 5] = 9;
        LogHarness.Resign(record.AsSpan(start, 48), LogHarness.SeedOf(LogHarness.Node));
        harness.Fs.Replace(file, record);
        var before = harness.Fs.Dump();
        var newer = Assert.Throws<NewerFormatException>(() => LogHarness.Reopen(harness.Fs));
        Assert.Equal((file, (long)start, 9, 2), (newer.File, newer.Offset, newer.Found, newer.Known));
        Assert.Equal(before, harness.Fs.Dump());
    }

    [Theory]
    [InlineData(0, 64 << 20, 1 << 20, "SegmentBytesMax")]
    [InlineData(64 << 20, 1, 1 << 20, "BatchBytesMax")]
    [InlineData(64 << 20, 64 << 20, 0, "AllocateBytes")]
    public void A_limit_that_is_not_allowed_is_named(long segment, int batch, int allocate, string setting)
    {
        var options = new LogOptions { SegmentBytesMax = segment, BatchBytesMax = batch, AllocateBytes = allocate };
        Assert.Contains(setting, Assert.Throws<ArgumentOutOfRangeException>(options.Validate).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_checksum_is_CRC_32C()
    {
        Assert.Equal(0xE3069283u, Crc32C.Append(0, "123456789"u8));
        Assert.Equal(0xE3069283u, Crc32C.Append(Crc32C.Append(0, "1234"u8), "56789"u8));
        Assert.Equal(0x8A9136AAu, Crc32C.Append(0, new byte[32]));
    }

    private static LogBatch GoldenBatch()
    {
        var batch = new LogBatch();
        batch.Add(GroupId.Default, new HardState(new Term(2), LogHarness.Node));
        batch.Add(GroupId.Default, new Entry(
            new LogIndex(3), new Term(2), new LogTime(5000), 1_700_000_000_000, EntryKind.Command, Encoding.UTF8.GetBytes("value")));
        return batch;
    }
}
