using System.Collections.Concurrent;
using System.Security.Cryptography;
using Watch.Core;

namespace Watch.ClientApp.Trees;

/// <summary>What becomes of files while they are imported. Calls come from several tasks at once.</summary>
internal interface IImportReport
{
    void Put(Key key, long bytes, Revision revision);

    void Deleted(Key key, Revision revision);

    /// <summary>A file that stays out; the others go on.</summary>
    void Failed(string path, string why);
}

/// <summary>The two writes that an import makes.</summary>
/// <param name="Put">Puts a value.</param>
/// <param name="Delete">Deletes a key.</param>
internal sealed record TreeWriter(
    Func<Key, ReadOnlyMemory<byte>, CancellationToken, Task<WriteResult>> Put,
    Func<Key, CancellationToken, Task<WriteResult>> Delete);

/// <summary>
/// Puts files under a prefix, several at once, and remembers what it put, so that it can tell what has changed since.
/// </summary>
internal sealed class Importer(TreePaths paths, TreeWriter writer, IImportReport report, Func<string, bool>? enter = null)
{
    /// <summary>How many puts are under way at once: enough to share an fsync, few enough to be no burden.</summary>
    private const int PutsMax = 16;

    /// <summary>No server takes a larger value; such a file is not even read.</summary>
    private const long FileBytesMax = 16L << 20;

    private readonly ConcurrentDictionary<string, string> _known = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (long Length, DateTime Written)> _looks = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _clearing = new(1);

    /// <summary>The files that there are now; what stays out is reported.</summary>
    public IReadOnlyList<string> List() => [.. FileTree.Files(paths.Root, enter, StayedOut)];

    /// <summary>Puts these files, given by full path.</summary>
    public Task PutAllAsync(IEnumerable<string> files, CancellationToken cancellationToken) =>
        Parallel.ForEachAsync(
            files,
            new ParallelOptions { MaxDegreeOfParallelism = PutsMax, CancellationToken = cancellationToken },
            async (file, token) => await PutAsync(paths.RelativePath(file), token));

    /// <summary>Brings the keys of a path and of everything below it up to date; the empty path stands for the whole directory.</summary>
    /// <remarks>
    /// What has vanished is deleted first: where a file became a directory or the other way round, both are never keys at once, so that
    /// at every revision the keys are a tree that a directory can hold.
    /// </remarks>
    public async Task ReconcileAsync(string path, CancellationToken cancellationToken)
    {
        var kind = path.Length == 0 ? PathKind.Directory : KindOf(path);
        var below = path.Length == 0 ? "" : path + Path.DirectorySeparatorChar;
        foreach (var known in _known.Keys.Where(each => each == path || each.StartsWith(below, StringComparison.Ordinal)))
            if (HasGone(known))
                await DeleteAsync(known, cancellationToken);

        if (kind == PathKind.Directory)
            await PutAllAsync(Below(path.Length == 0 ? paths.Root : paths.FullPath(path)), cancellationToken);
        else if (kind == PathKind.File)
            await PutAsync(path, cancellationToken);
        else if (kind == PathKind.Special)
            report.Failed(path, "it is a pipe, a socket or a device");
    }

    /// <summary>Looks for changes that no notice told: files that have gone, and those whose length or time is another.</summary>
    public async Task LookAroundAsync(CancellationToken cancellationToken)
    {
        var files = FileTree.Files(paths.Root, enter).Where(HasNewLook).ToList();
        foreach (var known in _known.Keys.Where(HasGone))
            await DeleteAsync(known, cancellationToken);
        await PutAllAsync(files, cancellationToken);
    }

    private bool HasNewLook(string full) =>
        !_looks.TryGetValue(paths.RelativePath(full), out var look) || look != LookOf(new FileInfo(full));

    private static (long, DateTime) LookOf(FileInfo file) => file.Exists ? (file.Length, file.LastWriteTimeUtc) : default;

    private List<string> Below(string directory)
    {
        try
        {
            return [.. FileTree.Files(directory, enter, StayedOut)];
        }
        catch (DirectoryNotFoundException)
        {
            // It went while it was listed: the notice of that is on its way.
            return [];
        }
        catch (Exception error) when (error is UnauthorizedAccessException or IOException)
        {
            StayedOut(directory, error.Message);
            return [];
        }
    }

    private void StayedOut(string full, string why) => report.Failed(paths.RelativePath(full), why);

    /// <summary>What a path is; behind a link everything is out of the directory, and so missing.</summary>
    private PathKind KindOf(string path) =>
        Ancestors(path).Any(each => FileTree.IsLink(paths.FullPath(each))) ? PathKind.Missing : FileTree.KindOf(paths.FullPath(path));

    /// <summary>Whether a file is surely there no longer; one that merely cannot be seen keeps its key.</summary>
    private bool HasGone(string path) => KindOf(path) is not (PathKind.File or PathKind.Hidden);

    private static IEnumerable<string> Ancestors(string path)
    {
        for (var at = Path.GetDirectoryName(path); !string.IsNullOrEmpty(at); at = Path.GetDirectoryName(at))
            yield return at;
    }

    /// <summary>
    /// Deletes the keys of files that are now directories above a path, whose own notices may come later. False where one of them stays,
    /// so that the path cannot be put.
    /// </summary>
    private async Task<bool> ClearAncestorsAsync(string path, CancellationToken cancellationToken)
    {
        if (!Ancestors(path).Any(_known.ContainsKey))
            return true;
        // One after the other: several files of a new directory have the same ancestor.
        await _clearing.WaitAsync(cancellationToken);
        try
        {
            foreach (var ancestor in Ancestors(path).Where(_known.ContainsKey))
                if (HasGone(ancestor))
                    await DeleteAsync(ancestor, cancellationToken);
        }
        finally
        {
            _clearing.Release();
        }

        return !Ancestors(path).Any(_known.ContainsKey);
    }

    private async Task PutAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            if (await ReadAsync(path, cancellationToken) is not { } value)
                return;
            var digest = Convert.ToHexString(SHA256.HashData(value));
            if (_known.TryGetValue(path, out var known) && known == digest)
                return;
            // Where an ancestor stays, the file that was read is gone again: the notice of that is on its way.
            if (!await ClearAncestorsAsync(path, cancellationToken))
                return;
            var key = paths.KeyOf(path);
            var result = await writer.Put(key, value, cancellationToken);
            _known[path] = digest;
            report.Put(key, value.Length, result.Revision);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or WatchException)
        {
            report.Failed(path, error.Message);
        }
    }

    /// <summary>A file's content; null where the file has gone meanwhile, or stays out.</summary>
    private async Task<byte[]?> ReadAsync(string path, CancellationToken cancellationToken)
    {
        var file = new FileInfo(paths.FullPath(path));
        if (FileTree.KindOf(file.FullName) != PathKind.File)
            return null;
        // Before it is read: what is written meanwhile gives it another look.
        _looks[path] = LookOf(file);
        if (file.Length > FileBytesMax)
        {
            report.Failed(path, $"it has {file.Length} bytes, and no value has more than {FileBytesMax}");
            return null;
        }

        try
        {
            await using var stream = new FileStream(file.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var bytes = new MemoryStream();
            await stream.CopyToAsync(bytes, cancellationToken);
            return bytes.ToArray();
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private async Task DeleteAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            var key = paths.KeyOf(path);
            var result = await writer.Delete(key, cancellationToken);
            _known.TryRemove(path, out _);
            _looks.TryRemove(path, out _);
            report.Deleted(key, result.Revision);
        }
        catch (WatchException error)
        {
            report.Failed(path, error.Message);
        }
    }
}
