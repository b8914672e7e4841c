using Microsoft.Win32.SafeHandles;
using Watch.Core.Storage;

namespace Watch.Grains.Storage;

/// <summary>A file on the machine's disk. Reads and writes name their position; nothing is buffered outside the kernel.</summary>
internal sealed class PhysicalFile : IFile
{
    private static readonly byte[] _zeros = new byte[256 << 10];

    private readonly string _path;
    private readonly SafeFileHandle _handle;

    internal PhysicalFile(string path, FileMode mode)
    {
        _path = path;
        // Readers of other programs (a backup, a hex dump) are welcome; .NET's own advisory lock is taken for FileShare.None only.
        _handle = File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        Length = RandomAccess.GetLength(_handle);
    }

    /// <inheritdoc/>
    /// <remarks>Kept here, since nobody else changes the file: asking the kernel before every write would cost a call.</remarks>
    public long Length { get; private set; }

    /// <inheritdoc/>
    public int Read(long position, Span<byte> buffer)
    {
        var total = 0;
        while (total < buffer.Length)
        {
            var read = RandomAccess.Read(_handle, buffer[total..], position + total);
            if (read == 0)
                break;
            total += read;
        }
        return total;
    }

    /// <inheritdoc/>
    public void Write(long position, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(_handle, bytes, position);
        }
        catch (IOException e) when (PhysicalFileSystem.IsFull(e))
        {
            throw new DiskFullException(_path, e);
        }
        Length = Math.Max(Length, position + bytes.Length);
    }

    /// <inheritdoc/>
    public void SetLength(long length)
    {
        try
        {
            RandomAccess.SetLength(_handle, length);
        }
        catch (IOException e) when (PhysicalFileSystem.IsFull(e))
        {
            throw new DiskFullException(_path, e);
        }
        Length = length;
    }

    /// <inheritdoc/>
    /// <remarks>Zeros are written rather than reserved (fallocate): a reserved block that is written to has to be marked as used, which the next sync would have to write, too.</remarks>
    public void Preallocate(long length)
    {
        while (Length < length)
            Write(Length, _zeros.AsSpan(0, (int)Math.Min(_zeros.Length, length - Length)));
    }

    /// <inheritdoc/>
    /// <remarks>On macOS the runtime asks for F_FULLFSYNC, without which the drive may keep the bytes in its cache.</remarks>
    public void Sync()
    {
        try
        {
            if (OperatingSystem.IsLinux())
                Posix.SyncData(_handle, _path);
            else
                RandomAccess.FlushToDisk(_handle);
        }
        catch (IOException e) when (PhysicalFileSystem.IsFull(e))
        {
            throw new DiskFullException(_path, e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
