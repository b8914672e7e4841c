using Microsoft.Win32.SafeHandles;
using Watch.Core.Storage;

namespace Watch.Grains.Storage;

/// <summary>
/// The machine's own disk. What .NET cannot do on Linux and macOS (fdatasync, syncing a folder, a lock that other programs see) is
/// asked of libc; see <see cref="Posix"/>. On Windows, the file system's journal keeps names, and files are flushed as a whole.
/// Stateless and thread-safe; the files it opens are not.
/// </summary>
public sealed class PhysicalFileSystem : IFileSystem
{
    private const string LockFile = "lock";
    private const int SharingViolationOnWindows = unchecked((int)0x80070020);
    private const int DiskFullOnWindows = unchecked((int)0x80070070);
    private const int QuotaOnLinux = 122;                                // EDQUOT
    private const int QuotaOnMac = 69;
    private const int NoSpace = 28;                                      // ENOSPC, the same on Linux and macOS

    /// <inheritdoc/>
    public void CreateFolder(string path)
    {
        if (Directory.Exists(path))
            return;
        var above = Path.GetDirectoryName(Path.GetFullPath(path));
        if (above is not null)
            CreateFolder(above);
        Translated(path, () => Directory.CreateDirectory(path));
        if (above is not null)
            SyncFolder(above);
    }

    /// <inheritdoc/>
    public bool FileExists(string path) => File.Exists(path);

    /// <inheritdoc/>
    public IReadOnlyList<string> List(string folder)
    {
        var names = Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)!).ToList();
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <inheritdoc/>
    public IFile Open(string path) => new PhysicalFile(path, FileMode.Open);

    /// <inheritdoc/>
    public IFile Create(string path)
    {
        IFile? file = null;
        Translated(path, () => file = new PhysicalFile(path, FileMode.Create));
        return file!;
    }

    /// <inheritdoc/>
    public void Rename(string from, string to) => Translated(to, () => File.Move(from, to, overwrite: true));

    /// <inheritdoc/>
    public void Delete(string path) => Translated(path, () => File.Delete(path));

    /// <inheritdoc/>
    public void SyncFolder(string path)
    {
        if (!OperatingSystem.IsWindows())
            Translated(path, () => Posix.SyncFolder(path));
    }

    /// <inheritdoc/>
    /// <remarks>The kernel drops the lock with the last handle, so it does not outlive the process, however that ends. The file stays.</remarks>
    public IDisposable? TryLockFolder(string path)
    {
        var file = Path.Combine(path, LockFile);
        SafeFileHandle handle;
        try
        {
            handle = File.OpenHandle(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e.HResult == (OperatingSystem.IsWindows() ? SharingViolationOnWindows : Posix.WouldBlock))
        {
            return null;
        }

        // The runtime's own lock can be switched off by an environment variable; this one can't.
        if (OperatingSystem.IsWindows() || Posix.TryLock(handle, file))
            return handle;
        handle.Dispose();
        return null;
    }

    /// <summary>Does something to a disk; that there is no room for it is told as what it is, whichever call finds it out.</summary>
    internal static void Translated(string path, Action work)
    {
        try
        {
            work();
        }
        catch (IOException e) when (IsFull(e))
        {
            throw new DiskFullException(path, e);
        }
    }

    /// <summary>Whether an error says that there is no room: on the disk, or in its user's quota.</summary>
    internal static bool IsFull(IOException error) => OperatingSystem.IsWindows()
        ? error.HResult == DiskFullOnWindows
        : error.HResult == NoSpace || error.HResult == (OperatingSystem.IsMacOS() ? QuotaOnMac : QuotaOnLinux);
}
