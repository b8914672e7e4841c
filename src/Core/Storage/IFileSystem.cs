namespace Watch.Core.Storage;

/// <summary>
/// All that Watch asks of a disk, so that a simulator can stand in for it and lose what was never synced.
/// Everything is synchronous. Paths use '/' and come from the caller; names are compared byte for byte.
/// Failures are <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>; where there is no room, <see cref="DiskFullException"/>, whichever call finds it out.
/// </summary>
/// <remarks>
/// What survives a crash of the machine: a file's bytes and length as of its last <see cref="IFile.Sync"/> (later writes may be
/// there in part, sector by sector); a folder's names as of its last <see cref="SyncFolder"/> (later ones may or may not).
/// </remarks>
public interface IFileSystem
{
    /// <summary>Creates a folder and what is missing above it, durably; nothing happens if it exists.</summary>
    void CreateFolder(string path);

    /// <summary>Whether a file of this path exists.</summary>
    bool FileExists(string path);

    /// <summary>The names (without the folder) of the files in a folder, in ordinal order.</summary>
    IReadOnlyList<string> List(string folder);

    /// <summary>Opens an existing file for reading and writing.</summary>
    IFile Open(string path);

    /// <summary>Creates an empty file, or empties an existing one, and opens it for reading and writing.</summary>
    IFile Create(string path);

    /// <summary>Gives a file another name in the same folder, atomically replacing a file of that name.</summary>
    void Rename(string from, string to);

    /// <summary>Deletes a file.</summary>
    void Delete(string path);

    /// <summary>Makes creations, renames and deletions in this folder durable.</summary>
    void SyncFolder(string path);

    /// <summary>
    /// Takes the exclusive lock of an existing folder; null if somebody holds it. It ends when disposed and when the process dies, however it dies.
    /// </summary>
    IDisposable? TryLockFolder(string path);
}

/// <summary>An open file. Not thread-safe.</summary>
public interface IFile : IDisposable
{
    /// <summary>Length in bytes.</summary>
    long Length { get; }

    /// <summary>Reads from a position until the buffer is full or the file ends; returns the number of bytes read.</summary>
    int Read(long position, Span<byte> buffer);

    /// <summary>Writes all of the bytes at a position.</summary>
    void Write(long position, ReadOnlySpan<byte> bytes);

    /// <summary>Cuts the file, or extends it by zeros that need no disk blocks.</summary>
    void SetLength(long length);

    /// <summary>
    /// Extends the file to at least this length by zeros that are written out, so that a later <see cref="Sync"/> of bytes written
    /// over them has no metadata to write. Nothing happens if it is as long.
    /// </summary>
    void Preallocate(long length);

    /// <summary>Makes the file's bytes and length durable (fdatasync).</summary>
    void Sync();
}
