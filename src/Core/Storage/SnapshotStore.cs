namespace Watch.Core.Storage;

/// <summary>
/// The snapshots of a node: of every group the newest one, in a file of its own. docs/disk-format.md describes the bytes.
///
///   S1  A snapshot is written under another name, made durable, and only then renamed; the folder is synced before anything relies on it.
///       So a snapshot that has its name is whole, and damage to it stops the node.
///   S2  The one before it goes only after that, and never is a newer one replaced by an older one. After a crash there may be two;
///       the newer one counts. It goes in steps (<see cref="StepLeaving"/>), so that nothing waits for long.
///   S3  What never got its name proves nothing and is deleted.
///
/// A snapshot is written by <see cref="SnapshotWriter"/> while the log is written, too: one piece, then some of the log, then the next.
/// One that is taken here and one that another node sends may be under way at once; they have different names.
///
/// Not thread-safe: a node's disk thread owns it.
/// </summary>
public sealed class SnapshotStore
{
    private const string Taken = ".taken" + LogFormat.UnfinishedSuffix;
    private const string Received = ".received" + LogFormat.UnfinishedSuffix;

    private readonly IFileSystem _fs;
    private readonly string _folder;
    private readonly NodeId _node;
    private readonly SortedDictionary<GroupId, SnapshotInfo> _newest = [];
    private readonly LeavingFiles _leaving;

    private SnapshotStore(IFileSystem fs, string folder, NodeId node)
    {
        (_fs, _folder, _node) = (fs, folder, node);
        _leaving = new LeavingFiles(fs, folder);
    }

    /// <summary>The newest snapshot of every group that has one.</summary>
    public IReadOnlyDictionary<GroupId, SnapshotInfo> Newest => _newest;

    /// <summary>Whether files that nothing needs any more are still there: time for <see cref="StepLeaving"/>.</summary>
    public bool HasLeaving => _leaving.Any;

    /// <summary>
    /// Reads what a folder holds and changes nothing: the headers are verified here, the chunks when they are read.
    /// </summary>
    /// <exception cref="SnapshotDamagedException">A snapshot is not what was written.</exception>
    /// <exception cref="NewerFormatException">A newer version wrote one.</exception>
    public static SnapshotStore Open(IFileSystem fs, string folder, NodeId node)
    {
        ArgumentNullException.ThrowIfNull(fs);
        var store = new SnapshotStore(fs, folder, node);
        foreach (var name in fs.List(folder))
        {
            if (SnapshotFormat.Parse(name) is not { } named)
                continue;
            using var reader = new SnapshotReader($"{folder}/{name}", fs.Open($"{folder}/{name}"), node);
            if ((reader.Info.Group, reader.Info.Index) != named)
                throw new SnapshotDamagedException($"{folder}/{name}", 0, $"it is a {reader.Info}.");
            if (!store._newest.TryGetValue(named.Group, out var other) || other.Index < named.Index)
                store._newest[named.Group] = reader.Info;
        }
        return store;
    }

    /// <summary>The file of a group's snapshot at an index, whether it is there or not.</summary>
    public string FileOf(GroupId group, LogIndex index) => $"{_folder}/{SnapshotFormat.NameOf(group, index)}";

    /// <summary>Deletes what never got its name and what a newer snapshot stands for; makes the names durable.</summary>
    public void Tidy()
    {
        foreach (var name in _fs.List(_folder))
        {
            var isOld = SnapshotFormat.Parse(name) is { } named && named.Index < _newest[named.Group].Index;
            if (isOld || name.EndsWith(LogFormat.UnfinishedSuffix, StringComparison.Ordinal))
                _fs.Delete($"{_folder}/{name}");
        }
        _fs.SyncFolder(_folder);
    }

    /// <summary>Begins a snapshot; another one under way of the same group and the same origin is given up by this.</summary>
    /// <param name="info">What it will stand for.</param>
    /// <param name="received">Whether another node sends it.</param>
    /// <exception cref="SnapshotHasNoRoomException">The disk is full; nothing was begun.</exception>
    public SnapshotWriter Begin(SnapshotInfo info, bool received)
    {
        ArgumentNullException.ThrowIfNull(info);
        var path = $"{_folder}/{info.Group.Value}{(received ? Received : Taken)}";
        try
        {
            if (_fs.FileExists(path))
                _leaving.Add(path);
            // The header's part of it is told by the writer itself.
            return new SnapshotWriter(this, _node, info, path, _fs.Create(path));
        }
        catch (DiskFullException full)
        {
            throw new SnapshotHasNoRoomException(path, full);
        }
    }

    /// <summary>
    /// Does one bounded piece of the work of deleting files that nothing needs any more; false where there was none, or the disk has no room
    /// for it now: then <see cref="HasLeaving"/> holds still, and it is to be tried again later.
    /// </summary>
    public bool StepLeaving() => _leaving.Step();

    /// <summary>Opens the newest snapshot of a group; null where it has none, or where that one stands for something else.</summary>
    public SnapshotReader? Read(SnapshotInfo info)
    {
        ArgumentNullException.ThrowIfNull(info);
        if (!_newest.TryGetValue(info.Group, out var newest) || !newest.StandsFor(info))
            return null;
        var path = FileOf(info.Group, info.Index);
        return new SnapshotReader(path, _fs.Open(path), _node);
    }

    /// <summary>A snapshot is written and synced: it gets its name, and the one before it goes (S1, S2).</summary>
    /// <exception cref="SnapshotHasNoRoomException">There is no room for the name. The one before is the newest still.</exception>
    internal bool Adopt(SnapshotWriter written)
    {
        var info = written.Info;
        var before = _newest.GetValueOrDefault(info.Group);
        if (before is not null && before.Index >= info.Index)
        {
            GiveUp(written.Path);
            return false;
        }
        var path = FileOf(info.Group, info.Index);
        try
        {
            _fs.Rename(written.Path, path);
            _fs.SyncFolder(_folder);
        }
        catch (DiskFullException full)
        {
            // A name that survives a crash all the same is that of a whole snapshot, and as good as the one before (S2).
            GiveUp(written.Path);
            GiveUp(path);
            throw new SnapshotHasNoRoomException(path, full);
        }
        _leaving.Named();
        _newest[info.Group] = info;
        if (before is not null)
            GiveUp(FileOf(before.Group, before.Index));
        return true;
    }

    /// <summary>
    /// A file is needed no more: its room is given back. Where the disk has no room even for its new name, it stays under the old one: one
    /// that never got its name leaves when the group's next snapshot of that origin begins, which is refused while there is still no room for
    /// that, and at the next start; one that a newer snapshot stands for goes at the next start.
    /// </summary>
    internal void GiveUp(string path)
    {
        if (_fs.FileExists(path))
            _ = _leaving.TryAdd(path);
    }
}
