using Watch.Core;
using Watch.Core.Storage;
using Watch.Grains.Storage;

namespace Watch.Cluster.Tests;

/// <summary>The machine's own disk for a keeper that is fed by hand. Its jobs are done at once; it may be full, and a rule may be broken while it works.</summary>
internal sealed class KeepersDisk : IDiskWorker, IFileSystem
{
    private readonly PhysicalFileSystem _fs = new();

    /// <summary>Whether a folder of snapshots has no room for what makes its names durable.</summary>
    public bool IsFull { get; set; }

    /// <summary>How many jobs there were.</summary>
    public int Jobs { get; private set; }

    /// <summary>In this job, counted from 1, a rule is broken.</summary>
    public int BreaksAt { get; set; } = int.MaxValue;

    public void ThrowIfBroken()
    {
        if (Jobs >= BreaksAt)
            throw new InvariantViolationException("broken by the test");
    }

    public ValueTask Run(Action job)
    {
        Jobs++;
        job();
        return ValueTask.CompletedTask;
    }

    public void CreateFolder(string path) => _fs.CreateFolder(path);

    public bool FileExists(string path) => _fs.FileExists(path);

    public IReadOnlyList<string> List(string folder) => _fs.List(folder);

    public IFile Open(string path) => _fs.Open(path);

    public IFile Create(string path) => _fs.Create(path);

    public void Rename(string from, string to) => _fs.Rename(from, to);

    public void Delete(string path) => _fs.Delete(path);

    public void SyncFolder(string path)
    {
        if (IsFull && path.EndsWith("/snapshots", StringComparison.Ordinal))
            throw new DiskFullException(path);
        _fs.SyncFolder(path);
    }

    public IDisposable? TryLockFolder(string path) => _fs.TryLockFolder(path);
}
