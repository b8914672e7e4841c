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

    /// <summary>The files that there are now.</summary>
    public IReadOnlyList<string> List() => [.. FileTree.Files(paths.Root, enter)];

    /// <summary>Puts these files, given by full path.</summary>
    public Task PutAllAsync(IEnumerable<string> files, CancellationToken cancellationToken) =>
        Parallel.ForEachAsync(
            files,
            new ParallelOptions { MaxDegreeOfParallelism = PutsMax, CancellationToken = cancellationToken },
            async (file, token) => await PutAsync(paths.RelativePath(file), token));

    /// <summary>Brings the keys of a path and of everything below it up to date; the empty path stands for the whole directory.</summary>
    public async Task ReconcileAsync(string path, CancellationToken cancellationToken)
    {
        var full = path.Length == 0 ? paths.Root : paths.FullPath(path);
        if (FileTree.IsLink(full))
            return;
        if (Directory.Exists(full))
            await PutAllAsync(Below(full), cancellationToken);
        else if (File.Exists(full))
            await PutAsync(path, cancellationToken);

        var below = path.Length == 0 ? "" : path + Path.DirectorySeparatorChar;
        foreach (var known in _known.Keys.Where(each => each == path || each.StartsWith(below, StringComparison.Ordinal)))
            if (!File.Exists(paths.FullPath(known)))
                await DeleteAsync(known, cancellationToken);
    }

    private List<string> Below(string directory)
    {
        try
        {
            return [.. FileTree.Files(directory, enter)];
        }
        catch (DirectoryNotFoundException)
        {
            // It went while it was listed: the notice of that is on its way.
            return [];
        }
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
        if (!file.Exists)
            return null;
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
            report.Deleted(key, result.Revision);
        }
        catch (WatchException error)
        {
            report.Failed(path, error.Message);
        }
    }
}
