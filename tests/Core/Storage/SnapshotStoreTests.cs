using Watch.Core.Storage;

namespace Watch.Core.Tests.Storage;

/// <summary>What a snapshot's file is after crashes, flips and cuts. Every random test names its seed when it fails.</summary>
public sealed class SnapshotStoreTests
{
    private const string Folder = "snapshots";

    /// <summary>A header with members 01 02, the chunk 0a 0b, the trailer: if this test fails, old snapshots can't be read any more.</summary>
    private const string Golden =
        "5741544348534e50a3993348010000001032547698badcfeefcdab89674523010300000002000000070000000000000002000000000000008813000000000000" +
        "01020200000000000000c8c14d960a0b0000000001000000e10157050200000000000000";

    private static readonly SnapshotInfo _info = new(new GroupId(3), new LogIndex(7), new Term(2), new LogTime(5000), new byte[] { 1, 2 });

    [Fact]
    public void The_bytes_of_format_version_1_never_change()
    {
        var fs = Disk();
        Write(fs, _info, [0x0a, 0x0b]);
        const string File = Folder + "/0000000003-00000000000000000007.snap";
        Assert.Equal(Golden, Convert.ToHexStringLower(fs.ReadAll(File)));

        fs.Replace(File, Convert.FromHexString(Golden));
        using var reader = Open(fs).Read(_info)!;
        Assert.True(reader.Info.StandsFor(_info) && reader.Info.Stamp == _info.Stamp && reader.Info.Members.Span.SequenceEqual(_info.Members.Span));
        Assert.Equal([0x0a, 0x0b], reader.Read(0)!);
        Assert.True(reader.IsLast(0));
        Assert.Null(reader.Read(1));
    }

    [Fact]
    public void Chunks_are_read_in_any_order()
    {
        var fs = Disk();
        Write(fs, _info, [1], [2, 2], [3, 3, 3]);
        using var reader = Open(fs).Read(_info)!;
        Assert.Equal([3, 3, 3], reader.Read(2)!);
        Assert.Equal([1], reader.Read(0)!);
        Assert.Equal([2, 2], reader.Read(1)!);
        Assert.False(reader.IsLast(1));
        Assert.True(reader.IsLast(2));
    }

    [Fact]
    public void Every_flipped_bit_and_every_cut_is_damage_with_file_and_offset()
    {
        var fs = Disk();
        Write(fs, _info, [1, 2, 3], [4, 5, 6, 7]);
        var file = Open(fs).FileOf(_info.Group, _info.Index);
        var bytes = fs.ReadAll(file);
        var starts = new[] { 0, 66, 66 + 15, 66 + 15 + 16 };
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var flipped = (byte[])bytes.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            fs.Replace(file, flipped);
            var damage = Assert.Throws<SnapshotDamagedException>(() => ReadAll(fs));
            Assert.Equal((file, starts.Last(start => start <= bit / 8)), (damage.File, (int)damage.Offset));
        }
        for (var length = 0; length < bytes.Length; length++)
        {
            fs.Replace(file, bytes[..length]);
            Assert.Throws<SnapshotDamagedException>(() => ReadAll(fs));
        }
        fs.Replace(file, [.. bytes, 0]);
        Assert.Throws<SnapshotDamagedException>(() => ReadAll(fs));
    }

    [Fact]
    public void A_snapshot_of_a_newer_version_of_another_node_or_under_another_name_is_refused()
    {
        var fs = Disk();
        Write(fs, _info, [1]);
        var file = Open(fs).FileOf(_info.Group, _info.Index);
        var bytes = fs.ReadAll(file);
        Assert.Contains(LogHarness.Node.ToString(), Assert.Throws<SnapshotDamagedException>(() => SnapshotStore.Open(fs, Folder, new NodeId(9))).Message, StringComparison.Ordinal);

        fs.Replace(Open(fs).FileOf(new GroupId(4), _info.Index), bytes);
        Assert.Contains("group 3", Assert.Throws<SnapshotDamagedException>(() => Open(fs)).Message, StringComparison.Ordinal);
        fs.Delete($"{Folder}/0000000004-00000000000000000007.snap");

        bytes[12] = 2;
        LogHarness.Resign(bytes.AsSpan(0, 66), 0);
        fs.Replace(file, bytes);
        Assert.Equal(2, Assert.Throws<NewerFormatException>(() => Open(fs)).Found);
    }

    [Fact]
    public void An_older_snapshot_never_replaces_a_newer_one()
    {
        var fs = Disk();
        var store = Open(fs);
        var taken = store.Begin(_info, received: false);
        taken.Write([1]);
        var received = store.Begin(_info with { Index = new LogIndex(9) }, received: true);
        received.Write([2]);
        Assert.True(received.Complete());
        Assert.False(taken.Complete());
        Leave(store);
        Assert.Equal(["0000000003-00000000000000000009.snap"], fs.List(Folder));
        Assert.Null(store.Read(_info));
    }

    [Fact]
    public void A_snapshot_that_goes_is_cut_shorter_in_steps_and_only_when_its_name_is_gone()
    {
        var fs = Disk();
        var store = Open(fs);
        Write(store, _info, Enumerable.Repeat(new byte[LeavingFiles.StepBytes], 3));
        Write(store, _info with { Index = new LogIndex(9) }, [[1]]);
        var leaving = $"{store.FileOf(_info.Group, _info.Index)}.1.tmp";
        var lengths = new List<long>();
        while (store.StepLeaving())
            lengths.Add(fs.FileExists(leaving) ? fs.ReadAll(leaving).Length : 0);
        Assert.Equal(3 * LeavingFiles.StepBytes, lengths[0] / LeavingFiles.StepBytes * LeavingFiles.StepBytes);   // the first step syncs the name
        Assert.Equal(5, lengths.Count);
        Assert.All(lengths.Zip(lengths.Skip(1)), pair => Assert.InRange(pair.First - pair.Second, 0, LeavingFiles.StepBytes));
        Assert.Equal(["0000000003-00000000000000000009.snap"], fs.List(Folder));
    }

    [Fact]
    public void A_disk_without_room_costs_the_snapshot_and_nothing_else()
    {
        var fs = Disk();
        var store = Open(fs);
        Write(store, _info, [[1]]);
        var next = _info with { Index = new LogIndex(9) };
        foreach (var chunks in new[] { -1, 0, 1 })
        {
            if (chunks < 0)
                fs.HasNoRoom = path => path.EndsWith(".tmp", StringComparison.Ordinal);
            Assert.Throws<SnapshotHasNoRoomException>(() =>
            {
                using var writer = store.Begin(next, received: chunks == 0);
                for (var chunk = 0; chunk < chunks; chunk++)
                    writer.Write([2]);
                fs.HasNoRoom = path => path.EndsWith(".tmp", StringComparison.Ordinal);
                writer.Complete();
            });
            fs.HasNoRoom = null;
            Leave(store);
            Assert.Equal(["0000000003-00000000000000000007.snap"], fs.List(Folder));
            Assert.Equal("01", ReadAll(fs));
        }
        Write(store, next, [[2]]);
        Assert.Equal("02", ReadAll(fs));
    }

    [Fact]
    public void Whichever_operation_finds_no_room_costs_the_snapshot_and_nothing_else()
    {
        var next = _info with { Index = new LogIndex(9) };
        for (var at = 1; ; at++)
        {
            var fs = Disk();
            var store = Open(fs);
            Write(store, _info, [[1]]);
            Leave(store);
            // There is one that was given up before: its name has to go first.
            store.Begin(next, received: false).Dispose();
            fs.HasNoRoomAt = fs.Operations + at;
            var failed = Record.Exception(() => Write(store, next, [[2], [3]]));
            if (failed is null)
            {
                // The last one is to give the older one another name; it stays, and the next start finds the newer one.
                if (fs.Operations < fs.HasNoRoomAt)
                    return;
                Assert.Equal("0203", ReadAll(fs));
                continue;
            }
            Assert.True(failed is SnapshotHasNoRoomException, $"operation {at}: {failed}");
            Assert.Equal(_info.Index, store.Newest[_info.Group].Index);
            Leave(store);
            Assert.Equal("01", ReadAll(fs));
            Write(store, next with { Index = new LogIndex(11) }, [[4]]);
            Assert.Equal("04", ReadAll(fs));
        }
    }

    [Fact]
    public void A_disk_that_has_no_room_for_giving_room_back_either_costs_the_snapshot_and_nothing_else()
    {
        var next = _info with { Index = new LogIndex(9) };
        for (var at = 1; ; at++)
        {
            var fs = Disk();
            var store = Open(fs);
            Write(store, _info, [[1]]);
            store.Begin(next, received: false).Dispose();
            (fs.HasNoRoomAt, fs.StaysFull) = (fs.Operations + at, true);
            var failed = Record.Exception(() => Write(store, next, [[2], [3]]));
            Leave(store);
            if (fs.Operations < fs.HasNoRoomAt)
                return;
            Assert.True(failed is null or SnapshotHasNoRoomException, $"operation {at}: {failed}");
            (fs.HasNoRoomAt, fs.StaysFull) = (null, false);
            Leave(store);
            Assert.False(store.HasLeaving);
            Assert.Equal(failed is null ? "0203" : "01", ReadAll(fs));
        }
    }

    [Fact]
    public void Right_behind_a_snapshot_that_found_no_room_there_is_some_for_the_log()
    {
        var fs = Disk();
        var store = Open(fs);
        fs.CreateFolder("log");
        using var log = WriteAheadLog.Create(fs, "log", LogHarness.Node, new LogOptions());
        fs.RoomBytes = 12 << 20;
        Assert.Throws<SnapshotHasNoRoomException>(() =>
        {
            using var writer = store.Begin(_info, received: true);
            for (var written = 0L; written < fs.RoomBytes; written += 256 << 10)
                writer.Write(new byte[256 << 10]);
        });
        var batch = new LogBatch();
        batch.Add(GroupId.Default, new Entry(new LogIndex(1), new Term(1), LogTime.Zero, 0, EntryKind.Command, new byte[2 << 20]));
        log.Append(batch);
        log.Sync();
        Leave(store);
        Assert.Empty(fs.List(Folder));
    }

    [Fact]
    public void A_sync_that_fails_stops_the_node()
    {
        var fs = Disk();
        using var writer = Open(fs).Begin(_info, received: false);
        fs.NextSyncFails = new IOException("the medium");
        Assert.IsType<IOException>(Record.Exception(() => writer.Write([1])));
    }

    [Fact]
    public void Snapshots_that_are_sent_at_the_same_time_are_each_read_once()
    {
        const int Chunks = 40;
        var fs = Disk();
        var store = Open(fs);
        var infos = Enumerable.Range(1, SnapshotDesk.ReadersMax).Select(group => _info with { Group = new GroupId(group) }).ToArray();
        foreach (var info in infos)
            Write(store, info, Enumerable.Repeat(new byte[1000], Chunks));
        using var desk = new SnapshotDesk(store);
        var before = fs.BytesRead;
        for (var chunk = 0; chunk < Chunks; chunk++)
        {
            foreach (var info in infos)
                Assert.Equal((1000, chunk == Chunks - 1), (desk.Read(info, chunk).Content!.Value.Length, desk.Read(info, chunk).IsLast));
        }
        Assert.InRange(fs.BytesRead - before, infos.Length * Chunks * 1000, infos.Length * Chunks * 1000 * 5 / 2);
    }

    [Fact]
    public void On_the_way_to_a_chunk_far_behind_a_step_reads_so_much()
    {
        var fs = Disk();
        var store = Open(fs);
        Write(store, _info, Enumerable.Repeat(new byte[1 << 20], 20));
        using var desk = new SnapshotDesk(store);
        var (steps, most) = (1, 0L);
        for (; ; steps++)
        {
            var before = fs.BytesRead;
            var reached = desk.Reach(_info, 17);
            most = Math.Max(most, fs.BytesRead - before);
            if (reached)
                break;
        }
        Assert.Equal(17 / 4 + 1, steps);
        Assert.InRange(most, 1, SnapshotDesk.ReachBytes + (1 << 20));
        Assert.Equal(1 << 20, desk.Read(_info, 17).Content!.Value.Length);
        Assert.True(desk.Reach(_info, 25));                              // behind the end
        Assert.Null(desk.Read(_info, 25).Content);
    }

    [Fact]
    public void What_was_received_in_part_and_is_dropped_gives_its_room_back()
    {
        var fs = Disk();
        var store = Open(fs);
        using var desk = new SnapshotDesk(store);
        desk.Write(_info, 0, isLast: false, [1]);
        desk.Drop(_info.Group);
        desk.Drop(_info.Group);
        Leave(store);
        Assert.Empty(fs.List(Folder));
        Assert.True(desk.Write(_info, 0, isLast: true, [2]));
        Assert.Equal("02", ReadAll(fs));
    }

    [Fact]
    public void The_power_may_fail_at_any_operation_and_the_newest_complete_snapshot_is_there()
    {
        for (var at = 1; ; at++)
        {
            for (var variant = 0; variant < 8; variant++)
            {
                var fs = Disk();
                Write(fs, _info, [1]);
                fs.PowerFailsAt = fs.Operations + at;
                var completed = Record.Exception(() => Leave(Write(fs, _info with { Index = new LogIndex(20) }, [2], [3]))) is null;
                if (completed && fs.Operations < fs.PowerFailsAt)
                    return;
                var after = fs.Crash(new Random(variant));
                var store = Open(after);
                var newest = store.Newest[_info.Group];
                Assert.True(newest.Index.Value is 7 or 20 && (newest.Index.Value == 20 || !completed), $"power lost at operation {at}, variant {variant}: {newest}");
                Assert.Equal(newest.Index.Value == 20 ? "0203" : "01", ReadAll(after));
                store.Tidy();
                Assert.Equal([$"0000000003-{newest.Index.Value:d20}.snap"], after.List(Folder));
            }
        }
    }

    private static MemoryFileSystem Disk()
    {
        var fs = new MemoryFileSystem();
        fs.CreateFolder(Folder);
        return fs;
    }

    private static SnapshotStore Open(IFileSystem fs) => SnapshotStore.Open(fs, Folder, LogHarness.Node);

    private static SnapshotStore Write(IFileSystem fs, SnapshotInfo info, params byte[][] chunks) => Write(Open(fs), info, chunks);

    private static SnapshotStore Write(SnapshotStore store, SnapshotInfo info, IEnumerable<byte[]> chunks)
    {
        using var writer = store.Begin(info, received: false);
        foreach (var chunk in chunks)
            writer.Write(chunk);
        Assert.True(writer.Complete());
        return store;
    }

    private static void Leave(SnapshotStore store)
    {
        while (store.StepLeaving())
        {
            // The next step.
        }
    }

    private static string ReadAll(IFileSystem fs)
    {
        var store = Open(fs);
        using var reader = store.Read(store.Newest[_info.Group])!;
        var all = new List<byte>();
        for (var chunk = 0; reader.Read(chunk) is { } content; chunk++)
            all.AddRange(content);
        return Convert.ToHexString([.. all]);
    }
}
