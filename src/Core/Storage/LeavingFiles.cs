namespace Watch.Core.Storage;

/// <summary>
/// Files that nothing needs any more. A file system takes its time to free a large file's blocks (a third of a millisecond per MiB), and the
/// log waits meanwhile: so such a file first loses its name, and is then cut shorter step by step, with work on the log in between.
///
///   E1  A file is cut only when its old name is gone from the disk: whatever has the old name after a crash is whole.
///   E2  Its new name is one of those that prove nothing (<c>.tmp</c>): what a crash leaves of it is deleted at the next start.
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

    /// <summary>The folder was synced by somebody else.</summary>
    internal void Named() => _isNamed = true;

    /// <summary>Does one bounded piece of the work; whether there was any.</summary>
    internal bool Step()
    {
        if (!_files.TryPeek(out var path))
            return false;
        if (!_isNamed)
        {
            fs.SyncFolder(folder);                                       // E1
            _isNamed = true;
            return true;
        }
        using (var file = fs.Open(path))
        {
            if (file.Length > StepBytes)
            {
                file.SetLength(file.Length - StepBytes);
                return true;
            }
        }
        fs.Delete(path);
        _files.Dequeue();
        return true;
    }
}
