using System.Runtime.InteropServices;

namespace Watch.ClientApp.Trees;

/// <summary>What a path is, itself, without following links.</summary>
internal enum PathKind
{
    /// <summary>Nothing is there.</summary>
    Missing,

    /// <summary>A regular file.</summary>
    File,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A link, whether or not what it points to exists.</summary>
    Link,

    /// <summary>A pipe, a socket or a device: to open it may wait forever, and it has no content of its own.</summary>
    Special,

    /// <summary>Nobody may look, for example because a directory above is closed to this user.</summary>
    Hidden,
}

/// <summary>The regular files of a directory tree. Links are not followed: what they point to may lie anywhere, or go in circles.</summary>
internal static class FileTree
{
    private static readonly EnumerationOptions s_here = new() { AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = false };

    /// <summary>The full paths of all regular files below a directory, each directory's in order of their names.</summary>
    /// <param name="directory">Where to begin.</param>
    /// <param name="enter">Whether a directory, named by its full path, is looked into; null for all.</param>
    /// <param name="stayedOut">Hears of what is left out, by full path, and why; the rest goes on.</param>
    public static IEnumerable<string> Files(string directory, Func<string, bool>? enter = null, Action<string, string>? stayedOut = null) =>
        Below(Names(directory), enter, stayedOut ?? ((_, _) => { }));

    /// <summary>What a path is. Only Linux tells special files apart; elsewhere they pass for regular ones.</summary>
    public static PathKind KindOf(string path)
    {
        if (OperatingSystem.IsLinux() && LinuxKind.Of(path) is { } known)
            return known;
        var attributes = new FileInfo(path).Attributes;
        if ((int)attributes == -1)
            return PathKind.Missing;
        if (attributes.HasFlag(FileAttributes.ReparsePoint))
            return PathKind.Link;
        return attributes.HasFlag(FileAttributes.Directory) ? PathKind.Directory : PathKind.File;
    }

    /// <summary>Whether something is a link, whether or not what it points to exists.</summary>
    public static bool IsLink(string path) => KindOf(path) == PathKind.Link;

    private static IEnumerable<string> Below((string[] Files, string[] Directories) names, Func<string, bool>? enter, Action<string, string> stayedOut)
    {
        foreach (var file in names.Files)
        {
            if (KindOf(file) == PathKind.File)
                yield return file;
            else if (WhyNoFile(file) is { } why)
                stayedOut(file, why);
        }

        foreach (var below in names.Directories.Where(each => enter is null || enter(each)))
            if (TryNames(below, stayedOut) is { } inside)
                foreach (var file in Below(inside, enter, stayedOut))
                    yield return file;
    }

    /// <summary>Why what was listed stays out; null where there is nothing to tell, because it went meanwhile or is a link.</summary>
    private static string? WhyNoFile(string path) => KindOf(path) switch
    {
        PathKind.Special => "it is a pipe, a socket or a device",
        PathKind.Hidden => "this user may not look at it",
        PathKind.Missing when path.Contains('\uFFFD', StringComparison.Ordinal) => "its name is not UTF-8",
        _ => null,
    };

    private static (string[] Files, string[] Directories)? TryNames(string directory, Action<string, string> stayedOut)
    {
        try
        {
            return Names(directory);
        }
        catch (DirectoryNotFoundException)
        {
            // It went while its parent was listed, unless its name cannot be said.
            if (WhyNoFile(directory) is { } why)
                stayedOut(directory, why);
            return null;
        }
        catch (Exception error) when (error is UnauthorizedAccessException or IOException)
        {
            stayedOut(directory, error.Message);
            return null;
        }
    }

    private static (string[] Files, string[] Directories) Names(string directory) =>
        ([.. Directory.GetFiles(directory, "*", s_here).Order(StringComparer.Ordinal)],
         [.. Directory.GetDirectories(directory, "*", s_here).Order(StringComparer.Ordinal)]);
}

/// <summary>
/// The kind of a path as Linux tells it. The framework says nothing of pipes, sockets and devices; <c>statx</c> does, and its structure is
/// the same on every processor.
/// </summary>
internal static class LinuxKind
{
    private const int HereDirectory = -100;
    private const int NoFollow = 0x100;
    private const uint TypeAsked = 1;
    private const int ModeAt = 28;
    private const int TypeBits = 0xF000;
    private const int NoEntry = 2;
    private const int AccessDenied = 13;
    private const int NoDirectory = 20;

    /// <summary>The kind; null where the system does not answer.</summary>
    public static PathKind? Of(string path)
    {
        var status = new byte[256];
        if (statx(HereDirectory, path, NoFollow, TypeAsked, status) != 0)
            return Marshal.GetLastPInvokeError() switch
            {
                NoEntry or NoDirectory => PathKind.Missing,
                AccessDenied => PathKind.Hidden,
                _ => null,
            };
        return (BitConverter.ToUInt16(status, ModeAt) & TypeBits) switch
        {
            0x8000 => PathKind.File,
            0x4000 => PathKind.Directory,
            0xA000 => PathKind.Link,
            _ => PathKind.Special,
        };
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int statx(int directory, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, uint mask, [Out] byte[] status);
}
