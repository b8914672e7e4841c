namespace Watch.Core.Storage;

/// <summary>
/// Files that nothing needs any more. A file system takes its time to free a large file's blocks (a third of a millisecond per MiB), and the
/// log waits meanwhile: so such a file first loses its name, and is then cut shorter step by step, with work on the log in between.
///
///   E1  A file is cut only when its old name is gone from the disk: whatever has the old name after a crash is whole.
///   E2  Its new name is one of those that prove nothing (<c>.tmp</c>): what a crash leaves of it is deleted at the next start.
///   E3  Where the disk has no room even for giving room back (some file systems need some for that), the files stay, and that is tried again
///       later: nothing counts on their going.
///
/// Not thread-safe: a node's disk thread owns it.
/// </summary>
internal sealed class LeavingFiles(IFileSystem fs, string folder)
{
    /// <summary>By how much one step shortens a file, at most.</summary>
    internal const long StepBytes = 8 << 20;

    private readonly Queue<string> _files = new();
    private long _named;
    private bool _isNamed;

    /// <summary>Whether there is something left to do.</summary>
    internal bool Any => _files.Count > 0;

    /// <summary>A file of this folder leaves; its name is free at once, though not durably so.</summary>
    internal void Add(string path)
    {
        var leaving = $"{path}.{++_named}{LogFormat.UnfinishedSuffix}";
        fs.Rename(path, leaving);
        _files.Enqueue(leaving);
        _isNamed = false;
    }

    /// <summary>Likewise; false, and nothing was changed, where the disk has no room for the new name.</summary>
    internal bool TryAdd(string path)
    {
        try
        {
            Add(path);
            return true;
        }
        catch (DiskFullException)
        {
            return false;
        }
    }

    /// <summary>Makes the names durable that files have lost; false where the disk has no room for that: they have not lost them for good then.</summary>
    internal bool TryName()
    {
        if (_isNamed || !Any)
            return true;
        try
        {
            fs.SyncFolder(folder);
            return _isNamed = true;
        }
        catch (DiskFullException)
        {
            return false;
        }
    }

    /// <summary>The folder was synced by somebody else.</summary>
    internal void Named() => _isNamed = true;

    /// <summary>Does one bounded piece of the work; false where there was none (<see cref="Any"/>), or no room for it (E3): then it is there still.</summary>
    internal bool Step()
    {
        if (!_files.TryPeek(out var path))
            return false;
        try
        {
            Shorten(path);
            return true;
        }
        catch (DiskFullException)
        {
            return false;
        }
    }

    private void Shorten(string path)
    {
        if (!_isNamed)
        {
            fs.SyncFolder(folder);                                       // E1
            _isNamed = true;
            return;
        }
        using (var file = fs.Open(path))
        {
            if (file.Length > StepBytes)
            {
                file.SetLength(file.Length - StepBytes);
                return;
            }
        }
        fs.Delete(path);
        _files.Dequeue();
    }
}
