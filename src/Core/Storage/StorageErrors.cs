namespace Watch.Core.Storage;

/// <summary>Something about a node's data folder that stops the node. Each kind has a stable code.</summary>
public abstract class StorageException(string code, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The stable code of this kind of error.</summary>
    public string Code { get; } = code;
}

/// <summary>Another process (or another silo of this one) uses the data folder.</summary>
public sealed class FolderInUseException(string folder) : StorageException(
    "data-folder-in-use", $"The data folder '{folder}' is in use by another process. A folder serves one silo at a time.")
{
    /// <summary>The folder.</summary>
    public string Folder { get; } = folder;
}

/// <summary>The data folder can't be created or written to.</summary>
public sealed class FolderUnwritableException(string folder, Exception inner) : StorageException(
    "data-folder-unwritable", $"The data folder '{folder}' can't be written to: {inner.Message}", inner)
{
    /// <summary>The folder.</summary>
    public string Folder { get; } = folder;
}

/// <summary>The data folder was created by a node of another name.</summary>
public sealed class IdentityMismatchException(string folder, string found, string expected) : StorageException(
    "data-folder-of-another-node",
    $"The data folder '{folder}' belongs to node '{found}', not to '{expected}'. Start the silo under its name '{found}', or give '{expected}' a folder of its own.")
{
    /// <summary>The folder.</summary>
    public string Folder { get; } = folder;

    /// <summary>The name in the folder's identity.</summary>
    public string Found { get; } = found;

    /// <summary>The name of the node that tried to open it.</summary>
    public string Expected { get; } = expected;
}

/// <summary>A file was written by a newer version of Watch.</summary>
public sealed class NewerFormatException(string file, long offset, int found, int known) : StorageException(
    "newer-format", $"'{file}' has, at offset {offset}, format version {found}; this program knows versions up to {known}. Nothing was changed.")
{
    /// <summary>The file.</summary>
    public string File { get; } = file;

    /// <summary>Where in the file.</summary>
    public long Offset { get; } = offset;

    /// <summary>The version found.</summary>
    public int Found { get; } = found;

    /// <summary>The newest version known.</summary>
    public int Known { get; } = known;
}

/// <summary>
/// Bytes that had been durable are not what was written. The node doesn't start, and nothing on disk is changed:
/// what was acknowledged may be missing, so only an operator can decide (usually: restore this node from the others).
/// </summary>
public sealed class LogDamagedException(string file, long offset, string what) : StorageException(
    "log-damaged", $"'{file}' is damaged at offset {offset}: {what} Nothing was changed.")
{
    /// <summary>The file.</summary>
    public string File { get; } = file;

    /// <summary>Offset in the file of the first record that can't be believed.</summary>
    public long Offset { get; } = offset;
}

/// <summary>A snapshot that had been durable is not what was written, or is gone. The node doesn't start, and nothing on disk is changed.</summary>
public sealed class SnapshotDamagedException(string file, long offset, string what) : StorageException(
    "snapshot-damaged", $"'{file}' is damaged at offset {offset}: {what} Nothing was changed.")
{
    /// <summary>The file.</summary>
    public string File { get; } = file;

    /// <summary>Offset in the file of the first thing that can't be believed.</summary>
    public long Offset { get; } = offset;
}

/// <summary>
/// A write or sync of the log failed. What the disk holds is unknown from then on (after a failed fsync the kernel may have dropped
/// the pages and will report success the next time), so the log answers nothing any more and the node stops.
/// </summary>
public sealed class LogFailedException(string file, Exception inner) : StorageException(
    "log-failed", $"Writing '{file}' failed: {inner.Message} The node can't go on.", inner)
{
    /// <summary>The file.</summary>
    public string File { get; } = file;
}

/// <summary>
/// A disk has no room for what was to be written (of whatever was written in part, nothing counts). Thrown by file systems, in place of
/// the <see cref="IOException"/> that says no more than its text.
/// </summary>
public sealed class DiskFullException(string file, Exception? inner = null) : IOException($"No room is left on the disk of '{file}'.", inner)
{
    /// <summary>The file that was written to.</summary>
    public string File { get; } = file;
}

/// <summary>
/// The disk has no room for a snapshot. Nothing is lost by that: the log goes on from the one before, and another one is tried later. The
/// node goes on.
/// </summary>
public sealed class SnapshotHasNoRoomException(string file, Exception inner) : StorageException(
    "snapshot-has-no-room", $"There is no room for the snapshot '{file}': {inner.Message}", inner)
{
    /// <summary>The file.</summary>
    public string File { get; } = file;
}
