using Watch.Core.Storage;
using Watch.Grains.Storage;

namespace Watch.Core.Tests.Storage;

/// <summary>The machine's own disk, and the thread that works on it.</summary>
public sealed class PhysicalStorageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("watch-storage-").FullName;
    private readonly PhysicalFileSystem _fs = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_data_folder_is_made_used_and_opened_again()
    {
        var path = $"{_folder}/deep/data";
        var entry = new Entry(new LogIndex(1), new Term(1), LogTime.Zero, 5, EntryKind.Command, new byte[3000]);
        using (var folder = Open(path))
        {
            for (var i = 0; i < 40; i++)
            {
                var batch = new LogBatch();
                batch.Add(GroupId.Default, entry);
                folder.Log.Append(batch);
                folder.Log.Sync();
            }
            folder.Log.Seal();
        }
        var read = new Collector();
        using var again = DataFolder.Open(_fs, path, "node", new Random(2), LogHarness.Small, read);
        Assert.Equal(40, read.Lines.Count);
        Assert.Null(again.Recovery!.Torn);
        Assert.Equal(40, again.Recovery.Segments);
    }

    [Fact]
    public void The_lock_keeps_a_second_opener_out_until_the_first_closes()
    {
        var path = $"{_folder}/data";
        using (Open(path))
            Assert.Contains(path, Assert.Throws<FolderInUseException>(() => Open(path)).Message, StringComparison.Ordinal);
        Open(path).Dispose();
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_named()
    {
        File.WriteAllText($"{_folder}/file", "");
        var path = $"{_folder}/file/data";
        Assert.Contains(path, Assert.Throws<FolderUnwritableException>(() => Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_are_cut_extended_by_zeros_renamed_and_deleted()
    {
        using (var file = _fs.Create($"{_folder}/a"))
        {
            file.Write(3, [1, 2, 3]);
            file.Preallocate(600_000);
            file.SetLength(500_000);
            file.Sync();
            Assert.Equal(500_000, file.Length);
            var bytes = new byte[8];
            Assert.Equal(8, file.Read(0, bytes));
            Assert.Equal([0, 0, 0, 1, 2, 3, 0, 0], bytes);
            Assert.Equal(2, file.Read(499_998, bytes));
        }
        _fs.Rename($"{_folder}/a", $"{_folder}/b");
        _fs.SyncFolder(_folder);
        Assert.Equal(["b"], _fs.List(_folder));
        _fs.Delete($"{_folder}/b");
        Assert.False(_fs.FileExists($"{_folder}/b"));
        Assert.Throws<FileNotFoundException>(() => _fs.Open($"{_folder}/b"));
    }

    [Fact]
    public void A_failing_libc_call_is_an_error_that_names_the_file()
    {
        if (OperatingSystem.IsWindows())
            return;
        var failure = Assert.Throws<IOException>(() => _fs.SyncFolder($"{_folder}/nothing"));
        Assert.Contains($"{_folder}/nothing", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_disk_thread_does_jobs_in_order_on_one_thread_of_its_own()
    {
        using var disk = new DiskThread("disk");
        var threads = new HashSet<int>();
        var order = new List<int>();
        for (var i = 0; i < 1000; i++)
        {
            var job = i;
            await disk.Run(() =>
            {
                threads.Add(Environment.CurrentManagedThreadId);
                order.Add(job);
            });
        }
        Assert.Equal(Enumerable.Range(0, 1000), order);
        Assert.Single(threads);
    }

    [Fact]
    public async Task A_jobs_exception_reaches_whoever_awaits_it_and_the_thread_goes_on()
    {
        using var disk = new DiskThread("disk");
        await Assert.ThrowsAsync<IOException>(async () => await disk.Run(() => throw new IOException("no")));
        var done = false;
        await disk.Run(() => done = true);
        Assert.True(done);
    }

    [Fact]
    public async Task What_awaits_a_job_goes_on_on_its_own_scheduler()
    {
        using var disk = new DiskThread("disk");
        var exclusive = new ConcurrentExclusiveSchedulerPair().ExclusiveScheduler;
        var after = await Task.Factory.StartNew(
            async () =>
            {
                await disk.Run(() => { });
                return TaskScheduler.Current;
            },
            CancellationToken.None,
            TaskCreationOptions.None,
            exclusive).Unwrap();
        Assert.Same(exclusive, after);
    }

    [Fact]
    public async Task One_job_at_a_time_and_none_after_the_end()
    {
        var disk = new DiskThread("disk");
        using var gate = new ManualResetEventSlim();
        var first = disk.Run(gate.Wait);
        Assert.Throws<InvalidOperationException>(() => { _ = disk.Run(() => { }).AsTask(); });
        gate.Set();
        await first;
        disk.Dispose();
        disk.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { _ = disk.Run(() => { }).AsTask(); });
    }

    private DataFolder Open(string path) => DataFolder.Open(_fs, path, "node", new Random(1), LogHarness.Small, new Collector());
}
