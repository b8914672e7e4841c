using Watch.Core.Storage;

namespace Watch.Core.Tests.Storage;

/// <summary>What a log is after cuts, flips and crashes. Every random test names its seed when it fails.</summary>
public sealed class LogRecoveryTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_log_of_many_segments_reads_back_what_was_written(int seed)
    {
        var harness = Written(seed, batches: 200);
        harness.Seal();
        var (read, recovery, log) = LogHarness.Reopen(harness.Fs);

        Assert.Equal(harness.Lines(200), read.Lines);
        Assert.Null(recovery.Torn);
        Assert.True(recovery.Segments > 5, $"seed {seed}: {recovery.Segments} segments");
        Assert.Equal(recovery.End, log.Synced);
        Assert.False(log.NeedsSeal);
    }

    [Theory]
    [InlineData(11, true)]
    [InlineData(12, true)]
    [InlineData(13, false)]
    [InlineData(14, false)]
    public void Cut_anywhere_in_the_last_batch_it_loses_that_batch_and_reports_it(int seed, bool zerosFollow)
    {
        var harness = Written(seed, batches: 7);
        harness.Append(records: 3);
        var file = LogHarness.FileOf(1);
        var bytes = harness.Fs.ReadAll(file);
        var (start, end, _) = harness.Batches[^1];
        for (var cut = start.Value; cut < end.Value; cut++)
        {
            var torn = bytes[..(int)cut];
            if (zerosFollow)
                Array.Resize(ref torn, bytes.Length);
            harness.Fs.Replace(file, torn);
            var (read, recovery, log) = LogHarness.Reopen(harness.Fs);

            Assert.Equal(harness.Lines(7), read.Lines);
            var left = torn.AsSpan((int)start.Value).LastIndexOfAnyExcept((byte)0) + 1;
            Assert.Equal(left == 0 ? null : new TornTail(file, start.Value, left), recovery.Torn);
            Assert.Equal(start, log.End);

            var (again, second, _) = LogHarness.Reopen(harness.Fs);
            Assert.Equal(harness.Lines(7), again.Lines);
            Assert.Null(second.Torn);
        }
    }

    [Theory]
    [InlineData(21)]
    [InlineData(22)]
    public void Every_flipped_bit_below_the_sealed_place_is_damage_with_file_and_offset(int seed)
    {
        var harness = Written(seed, batches: 45);
        harness.Seal();
        var (_, intact, _) = LogHarness.Reopen(harness.Fs);
        Assert.True(intact.Segments >= 3, $"seed {seed}");
        var starts = StartsByFile(harness, intact);
        foreach (var name in harness.Fs.List(LogHarness.Folder))
        {
            var file = $"{LogHarness.Folder}/{name}";
            var bytes = harness.Fs.ReadAll(file);
            var (segmentStart, batchStarts) = starts[file];
            var upTo = Math.Min(bytes.Length, intact.Sealed.Value - segmentStart);
            for (var bit = 0; bit < upTo * 8; bit++)
            {
                var offset = bit / 8;
                bytes[offset] ^= (byte)(1 << (bit % 8));
                harness.Fs.Replace(file, bytes);
                var before = harness.Fs.Dump();
                var damage = Assert.Throws<LogDamagedException>(() => LogHarness.Reopen(harness.Fs));

                Assert.Equal(file, damage.File);
                var batch = batchStarts.LastOrDefault(start => start <= offset);
                Assert.True(damage.Offset >= batch && damage.Offset <= offset, $"seed {seed}: bit {bit} of {file}, in the batch at {batch}, is said to be at {damage.Offset}");
                Assert.Contains($"'{file}' is damaged at offset {damage.Offset}", damage.Message, StringComparison.Ordinal);
                Assert.Equal(before, harness.Fs.Dump());
                bytes[offset] ^= (byte)(1 << (bit % 8));
            }
            harness.Fs.Replace(file, bytes);
        }
        Assert.Equal(harness.Lines(45), LogHarness.Reopen(harness.Fs).Read.Lines);
    }

    [Theory]
    [InlineData(31)]
    [InlineData(32)]
    public void Every_flipped_bit_above_the_sealed_place_is_a_torn_tail(int seed)
    {
        var harness = Written(seed, batches: 5);
        harness.Append();
        harness.Append();
        var file = LogHarness.FileOf(1);
        var bytes = harness.Fs.ReadAll(file);
        // The last two batches share no sync: neither recorded that the other was durable.
        var first = harness.Batches[5].Start.Value;
        for (var bit = (int)first * 8; bit < (harness.Log.End.Value + 100) * 8; bit++)
        {
            var flipped = (byte[])bytes.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            harness.Fs.Replace(file, flipped);
            var (read, recovery, _) = LogHarness.Reopen(harness.Fs);

            var intact = harness.Batches.TakeWhile(batch => batch.End.Value <= bit / 8).Count();
            Assert.Equal(harness.Lines(intact), read.Lines);
            Assert.Equal(intact == 7 ? harness.Log.End.Value : harness.Batches[intact].Start.Value, recovery.Torn!.Offset);
        }
    }

    [Fact]
    public void A_batch_whose_first_sector_is_missing_but_whose_later_ones_are_there_is_cut_whole()
    {
        var harness = Written(41, batches: 3, payloadMax: 30);
        harness.Append(records: 1, payloadMax: 3000);
        while (harness.Batches[^1].End - harness.Batches[^1].Start < 1200)
            harness.Append(records: 1, payloadMax: 3000);
        var (start, end, _) = harness.Batches[^1];
        var bytes = harness.Fs.ReadAll(LogHarness.FileOf(1));
        bytes.AsSpan((int)start.Value, 512).Clear();
        harness.Fs.Replace(LogHarness.FileOf(1), bytes);
        var (read, recovery, _) = LogHarness.Reopen(harness.Fs);

        Assert.Equal(harness.Lines(harness.Batches.Count - 1), read.Lines);
        Assert.Equal(new TornTail(LogHarness.FileOf(1), start.Value, end - start), recovery.Torn);
        Assert.False(harness.Fs.ReadAll(LogHarness.FileOf(1)).AsSpan((int)start.Value).ContainsAnyExcept((byte)0));
    }

    [Fact]
    public void A_stored_copy_of_the_log_itself_is_not_taken_for_a_record_of_what_is_durable()
    {
        var random = new Random(51);
        var harness = new LogHarness(random, new LogOptions());
        for (var i = 0; i < 10; i++)
        {
            harness.Append();
            harness.Sync();
        }
        var copy = harness.Fs.ReadAll(LogHarness.FileOf(1))[..(int)harness.Log.End.Value];
        var batch = new LogBatch();
        batch.Add(GroupId.Default, new Entry(new LogIndex(99), new Term(1), LogTime.Zero, 0, EntryKind.Command, copy));
        var start = harness.Log.End.Value;
        harness.Log.Append(batch);
        var bytes = harness.Fs.ReadAll(LogHarness.FileOf(1));
        bytes[start + 8] ^= 1;
        harness.Fs.Replace(LogHarness.FileOf(1), bytes);
        var (read, recovery, _) = LogHarness.Reopen(harness.Fs, new LogOptions());

        Assert.Equal(harness.Lines(10), read.Lines);
        Assert.Equal(start, recovery.Torn!.Offset);
    }

    [Fact]
    public void What_was_cut_never_comes_back_when_the_same_batch_is_written_again()
    {
        var harness = Written(61, batches: 2);
        harness.Append();
        harness.Append();
        var file = LogHarness.FileOf(1);
        var bytes = harness.Fs.ReadAll(file);
        var torn = harness.Batches[2];
        var again = bytes[(int)torn.Start.Value..(int)torn.End.Value];
        bytes[torn.Start.Value + 20] ^= 1;
        harness.Fs.Replace(file, bytes);
        var (_, recovery, log) = LogHarness.Reopen(harness.Fs);
        Assert.Equal(torn.Start.Value, recovery.Torn!.Offset);
        log.Dispose();

        var repaired = harness.Fs.ReadAll(file);
        Array.Resize(ref repaired, Math.Max(repaired.Length, (int)torn.End.Value));
        again.CopyTo(repaired, torn.Start.Value);
        harness.Fs.Replace(file, repaired);
        Assert.Equal(harness.Lines(3), LogHarness.Reopen(harness.Fs).Read.Lines);
    }

    [Fact]
    public void Missing_foreign_and_swapped_segments_are_damage()
    {
        var harness = Written(71, batches: 60);
        harness.Seal();
        var second = harness.Fs.Copy();
        second.Delete(LogHarness.FileOf(2));
        Assert.Equal(LogHarness.FileOf(2), Assert.Throws<LogDamagedException>(() => LogHarness.Reopen(second)).File);

        var swapped = harness.Fs.Copy();
        swapped.Replace(LogHarness.FileOf(2), harness.Fs.ReadAll(LogHarness.FileOf(3)));
        Assert.Contains("number 3", Assert.Throws<LogDamagedException>(() => LogHarness.Reopen(swapped)).Message, StringComparison.Ordinal);

        var shorter = harness.Fs.Copy();
        shorter.Replace(LogHarness.FileOf(1), harness.Fs.ReadAll(LogHarness.FileOf(1))[..(int)harness.Batches[3].Start.Value]);
        var damage = Assert.Throws<LogDamagedException>(() => LogHarness.Reopen(shorter));
        Assert.Equal((LogHarness.FileOf(1), harness.Batches[3].Start.Value), (damage.File, damage.Offset));

        var foreign = Assert.Throws<LogDamagedException>(() =>
            WriteAheadLog.Open(harness.Fs, LogHarness.Folder, new NodeId(7), LogHarness.Small, new Collector(), out _));
        Assert.Contains(LogHarness.Node.ToString(), foreign.Message, StringComparison.Ordinal);

        var empty = new MemoryFileSystem();
        empty.CreateFolder(LogHarness.Folder);
        Assert.Equal(LogHarness.FileOf(1), Assert.Throws<LogDamagedException>(() => LogHarness.Reopen(empty)).File);
    }

    [Fact]
    public void The_power_may_fail_at_any_operation_and_nothing_synced_is_lost()
    {
        const int Seed = 81;
        for (var at = 1; ; at++)
        {
            for (var variant = 0; variant < 4; variant++)
            {
                var fs = new MemoryFileSystem { PowerFailsAt = at };
                var harness = TryWrite(fs, Seed, out var finished);
                if (finished)
                    return;
                if (harness is null)
                    continue;
                var after = fs.Crash(new Random(HashCode.Combine(at, variant)));
                var (read, recovery, log) = LogHarness.Reopen(after);
                var synced = harness.Lines(harness.SyncedBatches);
                var all = harness.Lines(harness.Batches.Count);
                var where = $"seed {Seed}, power lost at operation {at}, variant {variant}, torn: {recovery.Torn}";
                Assert.True(read.Lines.Count >= synced.Length, $"{where}: {synced.Length} records were synced, {read.Lines.Count} are there");
                Assert.True(read.Lines.SequenceEqual(all.Take(read.Lines.Count)), $"{where}: what is there is not a beginning of what was written");
                Assert.Contains(read.Lines.Count, harness.Batches.Select((_, i) => harness.Lines(i).Length).Append(all.Length));

                // What recovery returned is durable, even if the power goes again at once.
                log.Dispose();
                var (again, second, _) = LogHarness.Reopen(after.Crash(new Random(variant)));
                Assert.True(again.Lines.SequenceEqual(read.Lines), where);
                Assert.Null(second.Torn);
            }
        }
    }

    [Fact]
    public void Damage_behind_a_crash_is_still_told_from_a_torn_tail()
    {
        for (var seed = 91; seed < 121; seed++)
        {
            var random = new Random(seed);
            var harness = new LogHarness(random);
            for (var i = 0; i < 12; i++)
            {
                harness.Append();
                harness.Sync();
            }
            harness.Append(records: 3, payloadMax: 400);
            var after = harness.Fs.Crash(random);
            var segment = after.List(LogHarness.Folder).Count;
            var victim = harness.Batches[random.Next(10)];
            var file = LogHarness.FileOf(1);
            if (segment != 1)
                continue;
            var bytes = after.ReadAll(file);
            bytes[random.Next((int)victim.Start.Value, (int)victim.End.Value)] ^= 0x10;
            after.Replace(file, bytes);
            var damage = Record.Exception(() => LogHarness.Reopen(after));
            Assert.True(damage is LogDamagedException, $"seed {seed}: {damage?.Message ?? "opened"}");
        }
    }

    private static LogHarness? TryWrite(MemoryFileSystem fs, int seed, out bool finished)
    {
        finished = false;
        LogHarness? harness = null;
        try
        {
            var random = new Random(seed);
            harness = new LogHarness(random, fs: fs);
            for (var i = 0; i < 60; i++)
            {
                harness.Append(payloadMax: 300);
                if (random.Next(2) == 0)
                    harness.Sync();
                if (random.Next(8) == 0)
                    harness.Seal();
            }
            finished = true;
        }
        catch (Exception e) when (e is PowerLostException or LogFailedException { InnerException: PowerLostException })
        {
            return harness;
        }
        return harness;
    }

    /// <summary>A log of so many batches, each synced by itself.</summary>
    private static LogHarness Written(int seed, int batches, int payloadMax = 60)
    {
        var harness = new LogHarness(new Random(seed));
        for (var i = 0; i < batches; i++)
        {
            harness.Append(payloadMax: payloadMax);
            harness.Sync();
        }
        return harness;
    }

    private static Dictionary<string, (long SegmentStart, List<long> BatchStarts)> StartsByFile(LogHarness harness, LogRecovery intact)
    {
        var files = new Dictionary<string, (long, List<long>)>();
        var start = 0L;
        for (var number = 1; number <= intact.Segments; number++)
        {
            var file = LogHarness.FileOf(number);
            var length = harness.Fs.ReadAll(file).Length;
            files.Add(file, (start, [.. harness.Batches.Select(batch => batch.Start.Value - start).Where(offset => offset > 0 && offset < length)]));
            start += length;
        }
        return files;
    }
}
