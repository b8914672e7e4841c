using System.Buffers.Binary;
using Watch.Core.Storage;

namespace Watch.Core.Tests.Storage;

public sealed class DataFolderTests
{
    private const string GoldenIdentity = "57415443484e4f44264b75c40100000046d086824097e4a395cfff46699c73c405000000616c706861";

    [Fact]
    public void A_new_folder_is_a_new_node_and_keeps_its_number()
    {
        var fs = new MemoryFileSystem();
        using var first = Open(fs, seed: 1);
        var identity = first.Identity;
        Assert.Null(first.Recovery);
        first.Dispose();
        using var second = Open(fs, seed: 2);

        Assert.Equal(identity, second.Identity);
        Assert.NotNull(second.Recovery);
        using var other = Open(new MemoryFileSystem(), seed: 3);
        Assert.NotEqual(identity.Id, other.Identity.Id);
    }

    [Fact]
    public void A_second_opener_is_told_which_folder_is_in_use()
    {
        var fs = new MemoryFileSystem();
        using var first = Open(fs);
        var before = fs.Dump();
        var refused = Assert.Throws<FolderInUseException>(() => Open(fs));
        Assert.Contains("'data'", refused.Message, StringComparison.Ordinal);
        Assert.Equal("data-folder-in-use", refused.Code);
        Assert.Equal(before, fs.Dump());
        first.Dispose();
        Open(fs).Dispose();
    }

    [Fact]
    public void A_folder_of_another_node_is_refused_with_both_names()
    {
        var fs = new MemoryFileSystem();
        Open(fs, name: "alpha").Dispose();
        var refused = Assert.Throws<IdentityMismatchException>(() => Open(fs, name: "beta"));
        Assert.Equal(("alpha", "beta"), (refused.Found, refused.Expected));
        Assert.Contains("'alpha'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("'beta'", refused.Message, StringComparison.Ordinal);
        Open(fs, name: "alpha").Dispose();
    }

    [Fact]
    public void An_unwritable_folder_is_named()
    {
        var fs = new MemoryFileSystem { EveryChangeFails = new UnauthorizedAccessException("permission denied") };
        var refused = Assert.Throws<FolderUnwritableException>(() => Open(fs));
        Assert.Contains("'data'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("permission denied", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_identity_has_the_bytes_that_the_disk_format_says()
    {
        var fs = new MemoryFileSystem();
        var number = default(NodeId);
        using (var folder = Open(fs, name: "alpha", seed: 1))
            number = folder.Identity.Id;
        var bytes = fs.ReadAll("data/identity");

        Assert.Equal(41, bytes.Length);
        Assert.Equal("WATCHNOD"u8, bytes.AsSpan(0, 8));
        Assert.Equal(1, bytes[12]);
        Assert.Equal(new byte[3], bytes[13..16]);
        Assert.Equal(5, BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(32)));
        Assert.Equal("alpha"u8, bytes.AsSpan(36));
        Assert.True(GoldenIdentity == Convert.ToHexStringLower(bytes), Convert.ToHexStringLower(bytes));
        Assert.Equal(number, Open(Holding(Convert.FromHexString(GoldenIdentity)), name: "alpha").Identity.Id);

        MemoryFileSystem Holding(byte[] identity)
        {
            var other = fs.Copy();
            other.Replace("data/identity", identity);
            return other;
        }
    }

    [Fact]
    public void Every_flipped_bit_of_the_identity_is_noticed()
    {
        var fs = new MemoryFileSystem();
        Open(fs).Dispose();
        var bytes = fs.ReadAll("data/identity");
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var flipped = (byte[])bytes.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            fs.Replace("data/identity", flipped);
            Assert.Equal("data/identity", Assert.Throws<LogDamagedException>(() => Open(fs)).File);
        }
        bytes[12] = 2;
        LogHarness.Resign(bytes, 0);
        fs.Replace("data/identity", bytes);
        Assert.Equal(2, Assert.Throws<NewerFormatException>(() => Open(fs)).Found);
    }

    [Fact]
    public void An_identity_without_its_log_and_a_log_without_its_identity_are_damage()
    {
        var fs = new MemoryFileSystem();
        using (var folder = Open(fs))
        {
            var batch = new LogBatch();
            batch.Add(GroupId.System, new HardState(new Term(1), folder.Identity.Id));
            folder.Log.Append(batch);
            folder.Log.Sync();
        }
        var noLog = fs.Copy();
        noLog.Delete($"data/{LogHarness.FileOf(1)}");
        Assert.Throws<LogDamagedException>(() => Open(noLog));

        var noIdentity = fs.Copy();
        noIdentity.Delete("data/identity");
        var before = noIdentity.Dump();
        Assert.Equal("data/identity", Assert.Throws<LogDamagedException>(() => Open(noIdentity)).File);
        Assert.Equal(before, noIdentity.Dump());
    }

    [Fact]
    public void A_snapshot_without_an_identity_is_damage_and_nothing_is_made()
    {
        var fs = new MemoryFileSystem();
        using (var folder = Open(fs))
            Snapshot(folder);
        fs.Delete("data/identity");
        fs.Delete($"data/{LogHarness.FileOf(1)}");
        var before = fs.Dump();
        Assert.Contains(".snap", Assert.Throws<LogDamagedException>(() => Open(fs)).Message, StringComparison.Ordinal);
        Assert.Equal(before, fs.Dump());
    }

    [Fact]
    public void A_damaged_chunk_of_a_snapshot_is_found_before_anything_is_changed()
    {
        var fs = new MemoryFileSystem();
        string file;
        using (var folder = Open(fs))
        {
            Snapshot(folder);
            file = folder.Snapshots.FileOf(GroupId.Default, new LogIndex(7));
            var batch = new LogBatch();
            batch.Add(GroupId.Default, new HardState(new Term(1), folder.Identity.Id));
            folder.Log.Append(batch);
            folder.Log.Sync();
        }
        // The log ends in a torn tail, which opening it would cut.
        var log = $"data/{LogHarness.FileOf(1)}";
        var torn = fs.ReadAll(log);
        torn[^1] = 1;
        fs.Replace(log, torn);
        var whole = fs.ReadAll(file);
        var damaged = (byte[])whole.Clone();
        damaged[^30] ^= 1;
        fs.Replace(file, damaged);
        var before = fs.Dump();
        Assert.Equal(file, Assert.Throws<SnapshotDamagedException>(() => Open(fs)).File);
        Assert.Equal(before, fs.Dump());

        fs.Replace(file, whole);
        using var opened = Open(fs);
        Assert.NotNull(opened.Recovery!.Torn);
    }

    private static void Snapshot(DataFolder folder)
    {
        using var writer = folder.Snapshots.Begin(new SnapshotInfo(GroupId.Default, new LogIndex(7), new Term(1), LogTime.Zero, new byte[] { 1 }), received: false);
        writer.Write(new byte[100]);
        Assert.True(writer.Complete());
    }

    [Fact]
    public void The_power_may_fail_at_any_step_of_making_a_folder()
    {
        for (var at = 1; ; at++)
        {
            for (var variant = 0; variant < 8; variant++)
            {
                var fs = new MemoryFileSystem { PowerFailsAt = at };
                try
                {
                    Open(fs, seed: 5).Dispose();
                    if (fs.Operations < at)
                        return;
                }
                catch (PowerLostException)
                {
                    // What the disk then holds is what the rest of the test is about.
                }
                var after = fs.Crash(new Random(variant));
                var opened = Record.Exception(() => Open(after, seed: 6).Dispose());
                Assert.True(opened is null, $"power lost at operation {at}, variant {variant}: {opened}");
                Open(after, seed: 7).Dispose();
            }
        }
    }

    [Fact]
    public void A_made_folder_survives_a_crash_with_the_same_number()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var fs = new MemoryFileSystem();
            var folder = Open(fs, seed: seed);
            using var again = Open(fs.Crash(new Random(seed)), seed: seed + 100);
            Assert.True(folder.Identity == again.Identity, $"seed {seed}");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(256)]
    public void A_name_that_is_not_allowed_is_refused_before_anything_is_made(int length)
    {
        var fs = new MemoryFileSystem();
        Assert.Throws<ArgumentException>(() => Open(fs, name: new string('n', length)));
        Assert.Equal(0, fs.Operations);
    }

    private static DataFolder Open(IFileSystem fs, int seed = 1, string name = "node") =>
        DataFolder.Open(fs, "data", name, new Random(seed), LogHarness.Small, new Collector());
}
