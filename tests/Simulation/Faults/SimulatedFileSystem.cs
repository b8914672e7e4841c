using Watch.Core.Storage;

namespace Watch.Simulation.Tests.Faults;

/// <summary>An operation that changes something on a disk.</summary>
internal enum DiskOperation
{
    CreateFolder,
    Create,
    Rename,
    Delete,
    SyncFolder,
    Write,
    SetLength,
    Preallocate,
    Sync,
}

/// <summary>What becomes of it.</summary>
internal enum DiskVerdict
{
    Proceed,
    PowerFailsBefore,
    PowerFailsInTheMiddle,
    PowerFailsAfter,
    NoRoom,
    Fails,
}

/// <summary>The machine lost its power.</summary>
internal sealed class PowerFailureException() : Exception("The simulated machine has lost its power.");

/// <summary>
/// The disk of one node, with the cache above it. After a power failure, of every sector written since its file's last sync either the
/// old or the new bytes are there; a file's length is the old or the new one; of the names made, changed or deleted since their folder's
/// last sync a beginning is there. A sync that failed leaves its pages clean in the cache and never written: a later sync that succeeds
/// says nothing about them.
/// </summary>
/// <param name="judge">Decides about every operation that changes something.</param>
/// <param name="unsynced">A deliberate defect: the sync of a file whose path contains this writes nothing.</param>
internal sealed class SimulatedFileSystem(Func<DiskOperation, string, DiskVerdict> judge, string? unsynced) : IFileSystem
{
    private readonly SortedDictionary<string, SimulatedFolder> _folders = new(StringComparer.Ordinal);

    /// <summary>Takes the power away and gives it back: what was never synced is there in part.</summary>
    public (long Lost, long Torn) FailPower(Random random)
    {
        var (lost, torn) = (0L, 0L);
        foreach (var folder in _folders.Values)
            folder.FailPower(random);
        foreach (var file in _folders.Values.SelectMany(folder => folder.Names.Values))
        {
            var (lostHere, tornHere) = file.FailPower(random);
            lost += lostHere;
            torn += tornHere;
        }

        return (lost, torn);
    }

    /// <summary>The process that held the folders is gone.</summary>
    public void Unlock()
    {
        foreach (var folder in _folders.Values)
            folder.IsLocked = false;
    }

    /// <summary>Empties the disk.</summary>
    /// <param name="keepsIdentity">A deliberate defect: who the node is stays, beside a log without a record.</param>
    public void Wipe(bool keepsIdentity)
    {
        var identity = keepsIdentity && _folders.TryGetValue("data", out var data) ? data.Names.GetValueOrDefault("identity") : null;
        _folders.Clear();
        if (identity is null)
            return;
        _folders.Add("data", new SimulatedFolder());
        _folders.Add("data/log", new SimulatedFolder());
        _folders["data"].Alter(names => names["identity"] = identity);
        _folders["data"].Sync();
        var bytes = new byte[identity.Length];
        identity.Read(0, bytes);
        WriteAheadLog.Create(this, "data/log", NodeIdentity.Decode("identity", bytes).Id, new LogOptions()).Dispose();
    }

    private Action SyncOf(string path, SimulatedFile file) => unsynced is not null && path.Contains(unsynced, StringComparison.Ordinal) ? () => { } : file.Sync;

    /// <summary>
    /// Turns one bit over among those of which the product's own format records that they were durable: below the place up to which a
    /// file had been synced when its last synced write was made, or all of a snapshot that has its name. Null where there is none yet.
    /// </summary>
    public (string Path, long Offset)? FlipSealedBit(Random random)
    {
        var files = _folders.SelectMany(folder => folder.Value.Names.Select(name => (Path: $"{folder.Key}/{name.Key}", File: name.Value)))
            .Select(each => (each.Path, each.File, Sealed: SealedOf(each.Path, each.File)))
            .Where(each => each.Sealed > 0).ToList();
        if (files.Count == 0)
            return null;
        var (path, file, upTo) = files[random.Next(files.Count)];
        var offset = random.NextInt64(upTo);
        file.Flip(offset, random.Next(8));
        return (path, offset);
    }

    /// <summary>A snapshot that has its name is durable whole; of a group's only the newest is read, and what has no name yet is never read.</summary>
    private long SealedOf(string path, SimulatedFile file)
    {
        // What has no name yet, or none any more, proves nothing.
        if (path.EndsWith(".tmp", StringComparison.Ordinal))
            return 0;
        if (!path.Contains(FaultyDisk.Snapshots, StringComparison.Ordinal))
            return file.Sealed;
        // After a crash the one before may still be there. Names sort by group and index.
        var (folder, name) = Split(path);
        var group = name[..(name.IndexOf('-', StringComparison.Ordinal) + 1)];
        var newest = Of(folder).Names.Keys.LastOrDefault(other => group.Length > 0 && other.StartsWith(group, StringComparison.Ordinal) && other.EndsWith(".snap", StringComparison.Ordinal));
        return name == newest ? file.Length : 0;
    }

    public void CreateFolder(string path)
    {
        if (!_folders.ContainsKey(path))
            Change(DiskOperation.CreateFolder, path, () => _folders.Add(path, new SimulatedFolder()));
    }

    public bool FileExists(string path)
    {
        var (folder, name) = Split(path);
        return Of(folder).Names.ContainsKey(name);
    }

    public IReadOnlyList<string> List(string folder) => [.. Of(folder).Names.Keys];

    public IFile Open(string path) => new OpenFile(this, path, Find(path));

    public IFile Create(string path)
    {
        var file = new SimulatedFile();
        var (folder, name) = Split(path);
        Change(DiskOperation.Create, path, () => Of(folder).Alter(names => names[name] = file));
        return new OpenFile(this, path, file);
    }

    public void Rename(string from, string to)
    {
        var file = Find(from);
        var ((folder, name), (_, newName)) = (Split(from), Split(to));
        Change(DiskOperation.Rename, to, () => Of(folder).Alter(names =>
        {
            names.Remove(name);
            names[newName] = file;
        }));
    }

    public void Delete(string path)
    {
        Find(path);
        var (folder, name) = Split(path);
        Change(DiskOperation.Delete, path, () => Of(folder).Alter(names => names.Remove(name)));
    }

    public void SyncFolder(string path) => Change(DiskOperation.SyncFolder, path, Of(path).Sync);

    public IDisposable? TryLockFolder(string path)
    {
        var folder = Of(path);
        if (folder.IsLocked)
            return null;
        folder.IsLocked = true;
        return new FolderLock(folder);
    }

    private void Change(DiskOperation operation, string path, Action change, Action? inPart = null, Action? fail = null)
    {
        var verdict = judge(operation, path);
        switch (verdict)
        {
            case DiskVerdict.NoRoom:
                throw new DiskFullException(path);
            case DiskVerdict.Fails:
                fail?.Invoke();
                throw new IOException($"Input/output error: '{path}'");
            case DiskVerdict.PowerFailsBefore:
                throw new PowerFailureException();
            case DiskVerdict.PowerFailsInTheMiddle:
                (inPart ?? change)();
                throw new PowerFailureException();
        }

        change();
        if (verdict == DiskVerdict.PowerFailsAfter)
            throw new PowerFailureException();
    }

    private SimulatedFolder Of(string path) => _folders.TryGetValue(path, out var folder) ? folder : throw new DirectoryNotFoundException(path);

    private SimulatedFile Find(string path)
    {
        var (folder, name) = Split(path);
        return Of(folder).Names.TryGetValue(name, out var file) ? file : throw new FileNotFoundException($"There is no file '{path}'.", path);
    }

    private static (string Folder, string Name) Split(string path) => (path[..path.LastIndexOf('/')], path[(path.LastIndexOf('/') + 1)..]);

    private sealed class FolderLock(SimulatedFolder folder) : IDisposable
    {
        public void Dispose() => folder.IsLocked = false;
    }

    private sealed class OpenFile(SimulatedFileSystem disk, string path, SimulatedFile file) : IFile
    {
        public long Length => file.Length;

        public int Read(long position, Span<byte> buffer) => file.Read(position, buffer);

        public void Write(long position, ReadOnlySpan<byte> bytes)
        {
            var copy = bytes.ToArray();
            disk.Change(DiskOperation.Write, path, () => file.Write(position, copy), () => file.Write(position, copy.AsSpan(0, (copy.Length + 1) / 2)));
        }

        public void SetLength(long length) => disk.Change(DiskOperation.SetLength, path, () => file.Resize(length));

        public void Preallocate(long length)
        {
            if (length > file.Length)
                disk.Change(DiskOperation.Preallocate, path, () => file.Resize(length));
        }

        public void Sync() => disk.Change(DiskOperation.Sync, path, disk.SyncOf(path, file), () => { }, file.FailSync);

        public void Dispose()
        {
        }
    }
}
