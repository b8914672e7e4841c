using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Watch.Grains.Storage;

/// <summary>The few calls of libc that .NET has no counterpart for, with their errors as <see cref="IOException"/> naming the file.</summary>
internal static class Posix
{
    private const int LockExclusive = 2;
    private const int LockWithoutWaiting = 4;
    private const int Interrupted = 4;

    /// <summary>O_CLOEXEC: a child process must not keep the folder open.</summary>
    private static int CloseOnExec => OperatingSystem.IsMacOS() ? 0x1000000 : 0x80000;

    /// <summary>EAGAIN, which flock answers where somebody else holds the lock, has another number on macOS.</summary>
    internal static int WouldBlock => OperatingSystem.IsMacOS() ? 35 : 11;

    /// <summary>Makes a file's bytes durable, and of its metadata what is needed to read them.</summary>
    internal static void SyncData(SafeFileHandle file, string path) =>
        Retried(() => fdatasync(file), "fdatasync", path);

    /// <summary>Makes the names in a folder durable.</summary>
    internal static void SyncFolder(string path)
    {
        var name = Encoding.UTF8.GetBytes(path + '\0');
        var descriptor = -1;
        Retried(() => descriptor = open(name, CloseOnExec), "open", path);
        using var folder = new SafeFileHandle(descriptor, ownsHandle: true);
        Retried(() => fsync(folder), "fsync", path);
    }

    /// <summary>Takes the exclusive lock of an open file; false where somebody else holds it.</summary>
    internal static bool TryLock(SafeFileHandle file, string path)
    {
        var held = false;
        Retried(
            () =>
            {
                var result = flock(file, LockExclusive | LockWithoutWaiting);
                held = result < 0 && Marshal.GetLastPInvokeError() == WouldBlock;
                return held ? 0 : result;
            },
            "flock",
            path);
        return !held;
    }

    private static void Retried(Func<int> call, string name, string path)
    {
        while (call() < 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != Interrupted)
                throw new IOException($"{name} of '{path}' failed: {new Win32Exception(error).Message} (errno {error})", error);
        }
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int fdatasync(SafeFileHandle file);

    [DllImport("libc", SetLastError = true)]
    private static extern int fsync(SafeFileHandle file);

    [DllImport("libc", SetLastError = true)]
    private static extern int flock(SafeFileHandle file, int operation);

    [DllImport("libc", SetLastError = true)]
    private static extern int open(byte[] path, int flags);
}
