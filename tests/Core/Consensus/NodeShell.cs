using Watch.Core.Consensus;
using Watch.Core.Storage;
using Watch.Core.Tests.Storage;
using Watch.Grains.Storage;

namespace Watch.Core.Tests.Consensus;

/// <summary>A node with its data folder and the real commit function, driven by hand on one thread.</summary>
internal sealed class NodeShell
{
    private readonly DataFolder _folder;
    private readonly GroupCommit _commit;
    private long _elapsedMs;

    internal NodeShell(IFileSystem fs, List<string>? applied = null)
    {
        var recovered = new RecoveredLog();
        Applied = applied ?? [];
        _folder = DataFolder.Open(fs, "data", "node", new Random(1), LogHarness.Small, recovered);
        Node = new Node(_folder.Identity, recovered, new RaftOptions(), () => 0);
        _commit = new GroupCommit(Node, _folder.Log, new InlineDisk(), Now);
    }

    internal Node Node { get; }

    /// <summary>The first byte of every command of the default group, in the order in which they were applied.</summary>
    internal List<string> Applied { get; }

    internal async Task BirthAsync()
    {
        Node.BeBorn(42, 9000, 500, Now());
        await StartAsync();
    }

    internal async Task StartAsync()
    {
        Node.Start(Now());
        await SettleAsync();
    }

    internal void Propose(GroupId group, byte[] command) => Assert.True(Node.Propose(group, [command], Now()).Accepted);

    internal ValueTask<bool> RoundAsync() => _commit.RoundAsync(Apply);

    internal ValueTask SealAsync() => _commit.SealAsync();

    internal async Task SettleAsync()
    {
        while (await RoundAsync())
        {
        }
    }

    internal async Task StopAsync()
    {
        await SealAsync();
        _folder.Dispose();
    }

    private Moment Now() => new(TimeSpan.FromMilliseconds(++_elapsedMs), 1_700_000_000_000 + _elapsedMs);

    private void Apply(CommittedEntries committed)
    {
        foreach (var entry in committed.Entries.Span)
        {
            if (committed.Group == GroupId.Default && entry.Kind == EntryKind.Command)
                Applied.Add(entry.Payload.Span[0].ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    private sealed class InlineDisk : IDiskWorker
    {
        public ValueTask Run(Action job)
        {
            job();
            return ValueTask.CompletedTask;
        }
    }
}

/// <summary>A disk that says "synced" first and syncs when the file is next used: what swapping sync and acknowledgement comes to.</summary>
internal sealed class LateSync(IFileSystem inner) : IFileSystem
{
    /// <summary>From now on syncs come late.</summary>
    internal bool Armed { get; set; }

    public void CreateFolder(string path) => inner.CreateFolder(path);

    public bool FileExists(string path) => inner.FileExists(path);

    public IReadOnlyList<string> List(string folder) => inner.List(folder);

    public IFile Open(string path) => new LateFile(this, inner.Open(path));

    public IFile Create(string path) => new LateFile(this, inner.Create(path));

    public void Rename(string from, string to) => inner.Rename(from, to);

    public void Delete(string path) => inner.Delete(path);

    public void SyncFolder(string path) => inner.SyncFolder(path);

    public IDisposable? TryLockFolder(string path) => inner.TryLockFolder(path);

    private sealed class LateFile(LateSync disk, IFile file) : IFile
    {
        private bool _owed;

        public long Length => file.Length;

        public int Read(long position, Span<byte> buffer) => file.Read(position, buffer);

        public void Write(long position, ReadOnlySpan<byte> bytes)
        {
            Pay();
            file.Write(position, bytes);
        }

        public void SetLength(long length)
        {
            Pay();
            file.SetLength(length);
        }

        public void Preallocate(long length)
        {
            Pay();
            file.Preallocate(length);
        }

        public void Sync()
        {
            _owed = true;
            if (!disk.Armed)
                Pay();
        }

        public void Dispose()
        {
            Pay();
            file.Dispose();
        }

        private void Pay()
        {
            if (!_owed)
                return;
            _owed = false;
            file.Sync();
        }
    }
}
