using Watch.Core.Storage;

namespace Watch.Core.Tests.Storage;

/// <summary>The simulated machine lost its power.</summary>
public sealed class PowerLostException() : Exception("The simulated machine has lost its power.");

/// <summary>
/// A disk in memory that forgets what was never synced, as a real one may. After <see cref="Crash"/>, of every sector written since
/// the file's last sync either the old or the new bytes are there; its length is the old or the new one; of the names made, changed
/// or deleted in a folder since its last sync a beginning is there (file systems keep the order of names in a journal).
/// A sector is never torn within. Everything random comes from the caller's <see cref="Random"/>.
/// </summary>
public sealed class MemoryFileSystem : IFileSystem
{
    private const int SectorBytes = 512;

    private sealed class Node
    {
        public byte[] Bytes = [];
        public byte[] Durable = [];
        public readonly SortedSet<long> Dirty = [];
    }

    private sealed class Folder
    {
        public SortedDictionary<string, Node> Names = new(StringComparer.Ordinal);
        public SortedDictionary<string, Node> Durable = new(StringComparer.Ordinal);
        public readonly List<Action<SortedDictionary<string, Node>>> Pending = [];
        public bool Locked;
    }

    private readonly SortedDictionary<string, Folder> _folders = new(StringComparer.Ordinal);
    private bool _dead;

    /// <summary>How many changing operations there were: writes, syncs, and what changes names.</summary>
    public int Operations { get; private set; }

    /// <summary>The changing operation, counted from 1, at which the power goes; a write may then have happened in part.</summary>
    public int? PowerFailsAt { get; set; }

    /// <summary>What the next sync of a file throws instead of syncing.</summary>
    public Exception? NextSyncFails { get; set; }

    /// <summary>The changing operation, counted from 1, that finds no room and changes nothing.</summary>
    public int? HasNoRoomAt { get; set; }

    /// <summary>Whether from <see cref="HasNoRoomAt"/> on nothing that changes something finds room but another name for a file.</summary>
    public bool StaysFull { get; set; }

    /// <summary>So many bytes the files may have together.</summary>
    public long RoomBytes { get; set; } = long.MaxValue;

    /// <summary>How many bytes were read from files.</summary>
    public long BytesRead { get; private set; }

    /// <summary>Says of which files nothing more can be written, for want of room.</summary>
    public Predicate<string>? HasNoRoom { get; set; }

    /// <summary>What every operation that changes something throws instead of changing it.</summary>
    public Exception? EveryChangeFails { get; set; }

    /// <summary>The number of write calls to files, of which preallocation is not one.</summary>
    public int Writes { get; private set; }

    /// <summary>The number of syncs of files.</summary>
    public int Syncs { get; private set; }

    /// <summary>The disk as it is found when the machine has power again. This one is dead from then on.</summary>
    public MemoryFileSystem Crash(Random random)
    {
        _dead = true;
        var after = new MemoryFileSystem();
        foreach (var (path, folder) in _folders)
        {
            var names = new SortedDictionary<string, Node>(folder.Durable, StringComparer.Ordinal);
            foreach (var change in folder.Pending.Take(random.Next(folder.Pending.Count + 1)))
                change(names);
            after._folders.Add(path, FolderOf(names.Select(pair => (pair.Key, Survivor(pair.Value, random)))));
        }
        return after;
    }

    /// <summary>A copy of what the files hold now, as if everything had been synced.</summary>
    public MemoryFileSystem Copy()
    {
        var copy = new MemoryFileSystem();
        foreach (var (path, folder) in _folders)
            copy._folders.Add(path, FolderOf(folder.Names.Select(pair => (pair.Key, pair.Value.Bytes))));
        return copy;
    }

    /// <summary>What a file holds now.</summary>
    public byte[] ReadAll(string path) => (byte[])Find(path).Bytes.Clone();

    /// <summary>Gives a file other content, durably, behind everyone's back.</summary>
    public void Replace(string path, byte[] bytes)
    {
        var (folder, name) = Split(path);
        var node = new Node { Bytes = bytes, Durable = (byte[])bytes.Clone() };
        _folders[folder].Names[name] = node;
        _folders[folder].Durable[name] = node;
    }

    /// <summary>Every file with its content, to compare.</summary>
    public string Dump() => string.Join('\n', _folders.SelectMany(folder => folder.Value.Names.Select(
        file => $"{folder.Key}/{file.Key}: {file.Value.Bytes.Length} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(file.Value.Bytes))}")));

    public void CreateFolder(string path)
    {
        if (_folders.ContainsKey(path))
            return;
        Change();
        _folders.Add(path, new Folder());
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
        Change();
        var (folder, name) = Split(path);
        var node = new Node();
        Alter(Of(folder), names => names[name] = node);
        return new OpenFile(this, path, node);
    }

    public void Rename(string from, string to)
    {
        Change(fits: true);
        var (folder, name) = Split(from);
        var newName = Split(to).Name;
        var node = Find(from);
        Alter(Of(folder), names =>
        {
            names.Remove(name);
            names[newName] = node;
        });
    }

    public void Delete(string path)
    {
        Change();
        Find(path);
        var (folder, name) = Split(path);
        Alter(Of(folder), names => names.Remove(name));
    }

    public void SyncFolder(string path)
    {
        Change();
        var folder = Of(path);
        folder.Durable = new(folder.Names, StringComparer.Ordinal);
        folder.Pending.Clear();
    }

    public IDisposable? TryLockFolder(string path)
    {
        var folder = Of(path);
        if (folder.Locked)
            return null;
        folder.Locked = true;
        return new FolderLock(folder);
    }

    private static Folder FolderOf(IEnumerable<(string Name, byte[] Bytes)> files)
    {
        var folder = new Folder();
        foreach (var (name, bytes) in files)
            folder.Names.Add(name, new Node { Bytes = (byte[])bytes.Clone(), Durable = (byte[])bytes.Clone() });
        folder.Durable = new(folder.Names, StringComparer.Ordinal);
        return folder;
    }

    private static byte[] Survivor(Node node, Random random)
    {
        var length = random.Next(2) == 0 ? node.Durable.Length : node.Bytes.Length;
        var bytes = new byte[length];
        node.Durable.AsSpan(0, Math.Min(length, node.Durable.Length)).CopyTo(bytes);
        foreach (var sector in node.Dirty)
        {
            var start = (int)sector * SectorBytes;
            if (start >= Math.Min(length, node.Bytes.Length) || random.Next(2) == 0)
                continue;
            var end = Math.Min(Math.Min(length, node.Bytes.Length), start + SectorBytes);
            node.Bytes.AsSpan(start, end - start).CopyTo(bytes.AsSpan(start));
        }
        return bytes;
    }

    private static void Alter(Folder folder, Action<SortedDictionary<string, Node>> change)
    {
        change(folder.Names);
        folder.Pending.Add(change);
    }

    private void Change(Action? inPart = null, bool fits = false)
    {
        if (_dead)
            throw new PowerLostException();
        if (EveryChangeFails is not null)
            throw EveryChangeFails;
        Operations++;
        if (Operations == HasNoRoomAt || (StaysFull && !fits && Operations > HasNoRoomAt))
            throw new DiskFullException("the disk");
        if (Operations != PowerFailsAt)
            return;
        inPart?.Invoke();
        _dead = true;
        throw new PowerLostException();
    }

    private Folder Of(string path)
    {
        if (_dead)
            throw new PowerLostException();
        return _folders.TryGetValue(path, out var folder) ? folder : throw new DirectoryNotFoundException(path);
    }

    private Node Find(string path)
    {
        var (folder, name) = Split(path);
        return _folders.TryGetValue(folder, out var found) && found.Names.TryGetValue(name, out var node)
            ? node : throw new FileNotFoundException($"There is no file '{path}'.", path);
    }

    private static (string Folder, string Name) Split(string path) => (path[..path.LastIndexOf('/')], path[(path.LastIndexOf('/') + 1)..]);

    private sealed class FolderLock(Folder folder) : IDisposable
    {
        public void Dispose() => folder.Locked = false;
    }

    private sealed class OpenFile(MemoryFileSystem fs, string path, Node node) : IFile
    {
        public long Length => node.Bytes.Length;

        public int Read(long position, Span<byte> buffer)
        {
            var count = (int)Math.Clamp(node.Bytes.Length - position, 0, buffer.Length);
            node.Bytes.AsSpan((int)position, count).CopyTo(buffer);
            fs.BytesRead += count;
            return count;
        }

        public void Write(long position, ReadOnlySpan<byte> bytes)
        {
            var copy = bytes.ToArray();
            if (fs.HasNoRoom?.Invoke(path) == true)
            {
                Put(position, copy[..(copy.Length / 2)]);
                throw new DiskFullException(path);
            }
            fs.Change(() => Put(position, copy));
            fs.Writes++;
            Put(position, copy);
        }

        public void SetLength(long length)
        {
            fs.Change();
            Resize(length);
        }

        public void Preallocate(long length)
        {
            if (length <= Length)
                return;
            fs.Change();
            var from = Length;
            Resize(length);
            MarkDirty(from, length);
        }

        public void Sync()
        {
            fs.Change();
            if (fs.NextSyncFails is { } failure)
            {
                fs.NextSyncFails = null;
                throw failure;
            }
            fs.Syncs++;
            node.Durable = (byte[])node.Bytes.Clone();
            node.Dirty.Clear();
        }

        public void Dispose()
        {
        }

        private void Put(long position, byte[] bytes)
        {
            if (position + bytes.Length > Length)
                Resize(position + bytes.Length);
            bytes.CopyTo(node.Bytes, position);
            MarkDirty(position, position + bytes.Length);
        }

        private void Resize(long length)
        {
            if (length > Length && length - Length > fs.RoomBytes - fs._folders.Values.SelectMany(folder => folder.Names.Values).Sum(each => (long)each.Bytes.Length))
                throw new DiskFullException(path);
            Array.Resize(ref node.Bytes, (int)length);
        }

        private void MarkDirty(long from, long to)
        {
            for (var sector = from / SectorBytes; sector * SectorBytes < to; sector++)
                node.Dirty.Add(sector);
        }
    }
}
