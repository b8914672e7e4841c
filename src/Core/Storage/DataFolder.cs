namespace Watch.Core.Storage;

/// <summary>
/// A node's data folder: the file <c>identity</c>, the folders <c>log</c> and <c>snapshots</c>, and the lock that keeps a second process out.
///
/// A new folder is made in this order: the log's first segment, bound to the identity's number; then the identity, written to another
/// name, synced, renamed, folder synced. The identity's rename is the moment the node exists. A crash before it leaves a log without
/// an identity and without a record, which is thrown away; a log with records and no identity, snapshots without an identity, or an identity
/// without a log can't come from a crash and are damage.
///
/// All that was durable is read before anything on the disk is changed: the log, and every byte of the snapshots (whoever opens the folder
/// makes the state of them as they pass, <see cref="ILogReader.OnSnapshot"/>). A folder that is refused is as it was.
/// </summary>
public sealed class DataFolder : IDisposable
{
    private const string IdentityFile = "identity";
    private const string UnfinishedIdentityFile = "identity.tmp";
    private const string ProbeFile = "probe.tmp";
    private const string LogFolder = "log";
    private const string SnapshotFolder = "snapshots";

    private readonly IDisposable _lock;

    private DataFolder(string path, IDisposable folderLock, NodeIdentity identity, WriteAheadLog log, SnapshotStore snapshots, LogRecovery? recovery)
    {
        (Path, _lock, Identity, Log, Snapshots, Recovery) = (path, folderLock, identity, log, snapshots, recovery);
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Whose it is.</summary>
    public NodeIdentity Identity { get; }

    /// <summary>The node's log.</summary>
    public WriteAheadLog Log { get; }

    /// <summary>The snapshots of the node's groups.</summary>
    public SnapshotStore Snapshots { get; }

    /// <summary>What recovery found; null where the folder was made just now.</summary>
    public LogRecovery? Recovery { get; }

    /// <summary>Opens a node's folder, making it where it is missing or empty, and reads its log.</summary>
    /// <param name="fs">The disk.</param>
    /// <param name="path">The folder.</param>
    /// <param name="nodeName">The node's name, 1 to 255 bytes.</param>
    /// <param name="random">From which a new node's number is drawn.</param>
    /// <param name="options">The log's limits.</param>
    /// <param name="reader">Receives the log's records.</param>
    /// <exception cref="FolderInUseException">Another process holds it.</exception>
    /// <exception cref="FolderUnwritableException">It can't be made or written to.</exception>
    /// <exception cref="IdentityMismatchException">It belongs to a node of another name.</exception>
    /// <exception cref="NewerFormatException">A newer version wrote it.</exception>
    /// <exception cref="LogDamagedException">Something durable is not what was written.</exception>
    /// <exception cref="SnapshotDamagedException">A snapshot is not what was written, or is missing.</exception>
    public static DataFolder Open(
        IFileSystem fs, string path, string nodeName, Random random, LogOptions options, ILogReader reader)
    {
        ArgumentNullException.ThrowIfNull(fs);
        ArgumentNullException.ThrowIfNull(reader);
        var drawn = NodeIdentity.Draw(nodeName, random);
        var folderLock = Lock(fs, path);
        try
        {
            var log = $"{path}/{LogFolder}";
            if (!fs.FileExists($"{path}/{IdentityFile}"))
            {
                RequireNoSnapshot(fs, path);
                return new DataFolder(path, folderLock, drawn, Create(fs, path, log, drawn, options), SnapshotStore.Open(fs, $"{path}/{SnapshotFolder}", drawn.Id), null);
            }

            var identity = ReadIdentity(fs, $"{path}/{IdentityFile}");
            if (identity.Name != nodeName)
                throw new IdentityMismatchException(path, identity.Name, nodeName);
            var snapshots = SnapshotStore.Open(fs, $"{path}/{SnapshotFolder}", identity.Id);
            foreach (var info in snapshots.Newest.Values)
            {
                using var snapshot = snapshots.Read(info)!;
                reader.OnSnapshot(snapshot);
                snapshot.ReadRest();
            }
            var opened = WriteAheadLog.Open(fs, log, identity.Id, options, reader, out var recovery);
            snapshots.Tidy();
            return new DataFolder(path, folderLock, identity, opened, snapshots, recovery);
        }
        catch
        {
            folderLock.Dispose();
            throw;
        }
    }

    /// <summary>Closes the log and gives the folder free. A clean stop calls <see cref="WriteAheadLog.Seal"/> before.</summary>
    public void Dispose()
    {
        Log.Dispose();
        _lock.Dispose();
    }

    /// <summary>Takes the lock and makes sure that the folder can be written to, before anything in it is looked at.</summary>
    private static IDisposable Lock(IFileSystem fs, string path)
    {
        IDisposable? folderLock = null;
        try
        {
            fs.CreateFolder(path);
            folderLock = fs.TryLockFolder(path) ?? throw new FolderInUseException(path);
            fs.Create($"{path}/{ProbeFile}").Dispose();
            fs.Delete($"{path}/{ProbeFile}");
            fs.CreateFolder($"{path}/{LogFolder}");
            fs.CreateFolder($"{path}/{SnapshotFolder}");
            return folderLock;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            folderLock?.Dispose();
            throw new FolderUnwritableException(path, e);
        }
    }

    private static WriteAheadLog Create(IFileSystem fs, string path, string logFolder, NodeIdentity identity, LogOptions options)
    {
        ClearLeftovers(fs, path, logFolder);
        var log = WriteAheadLog.Create(fs, logFolder, identity.Id, options);
        try
        {
            using (var file = fs.Create($"{path}/{UnfinishedIdentityFile}"))
            {
                file.Write(0, identity.Encode());
                file.Sync();
            }
            fs.Rename($"{path}/{UnfinishedIdentityFile}", $"{path}/{IdentityFile}");
            fs.SyncFolder(path);
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>Before anything is made: a snapshot is of a node that there was, and no crash leaves it alone.</summary>
    private static void RequireNoSnapshot(IFileSystem fs, string path)
    {
        if (fs.List($"{path}/{SnapshotFolder}").FirstOrDefault(name => SnapshotFormat.Parse(name) is not null) is { } name)
            throw new LogDamagedException($"{path}/{IdentityFile}", 0, $"the identity is missing, but there is the snapshot '{name}' beside it.");
    }

    private static void ClearLeftovers(IFileSystem fs, string path, string logFolder)
    {
        var leftovers = fs.List(logFolder).Where(name => LogFormat.SegmentNumber(name) is not null).ToList();
        if (leftovers.Count > 0 && !(leftovers is [var only] && IsWithoutRecords(fs, $"{logFolder}/{only}")))
            throw new LogDamagedException($"{path}/{IdentityFile}", 0, "the identity is missing, but the log beside it holds records.");
        foreach (var name in leftovers)
            fs.Delete($"{logFolder}/{name}");
        if (leftovers.Count > 0)
            fs.SyncFolder(logFolder);
    }

    private static bool IsWithoutRecords(IFileSystem fs, string segment)
    {
        using var file = fs.Open(segment);
        var bytes = new byte[file.Length];
        var read = file.Read(0, bytes);
        return !bytes.AsSpan(0, read).Slice(Math.Min(read, LogFormat.SegmentHeaderBytes)).ContainsAnyExcept((byte)0);
    }

    private static NodeIdentity ReadIdentity(IFileSystem fs, string path)
    {
        using var file = fs.Open(path);
        var bytes = new byte[file.Length];
        var read = file.Read(0, bytes);
        return NodeIdentity.Decode(path, bytes.AsSpan(0, read));
    }
}
