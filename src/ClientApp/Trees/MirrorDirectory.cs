using Watch.ClientApp.CommandLine;
using Watch.Core;

namespace Watch.ClientApp.Trees;

/// <summary>The mirrored directory: puts and deletes of keys, as files. A file is replaced in one step; a directory lives while it holds something.</summary>
internal sealed class MirrorDirectory(TreePaths paths)
{
    /// <summary>Makes the directory, and takes away what an earlier mirror was writing when it was killed.</summary>
    public void Prepare()
    {
        Directory.CreateDirectory(paths.Root);
        foreach (var left in Directory.EnumerateFiles(paths.Root, TreePaths.TemporaryPrefix + "*"))
            File.Delete(left);
    }

    public bool IsEmpty => !Directory.EnumerateFileSystemEntries(paths.Root).Any();

    /// <summary>Makes the directory hold just these keys.</summary>
    public void Replace(IReadOnlyCollection<KeyValue> entries)
    {
        // All names are checked before the first file is touched.
        var wanted = entries.ToDictionary(each => paths.PathOf(each.Key), StringComparer.Ordinal);
        CheckConflicts(wanted);
        // A pipe or a socket that somebody put there goes, too.
        var others = new List<string>();
        var files = FileTree.Files(paths.Root, stayedOut: (path, _) => others.Add(path)).ToList();
        foreach (var file in files.Concat(others).Select(paths.RelativePath))
            if (!wanted.ContainsKey(file))
                Remove(file);
        foreach (var (path, entry) in wanted)
            if (!HasContent(path, entry.Value.Span))
                Write(path, entry.Key, entry.Value.Span);
    }

    public void Put(Key key, ReadOnlySpan<byte> value) => Write(paths.PathOf(key), key, value);

    public void Delete(Key key) => Remove(paths.PathOf(key));

    private static void CheckConflicts(Dictionary<string, KeyValue> wanted)
    {
        foreach (var (path, entry) in wanted)
            for (var parent = Path.GetDirectoryName(path); !string.IsNullOrEmpty(parent); parent = Path.GetDirectoryName(parent))
                if (wanted.TryGetValue(parent, out var file))
                    throw Conflict(entry.Key, file.Key.ToString());
    }

    private void Write(string path, Key key, ReadOnlySpan<byte> value)
    {
        MakeParents(path, key);
        var full = paths.FullPath(path);
        if (Directory.Exists(full))
        {
            if (FileTree.IsLink(full) || Directory.EnumerateFileSystemEntries(full).Any())
                throw Conflict(key, full);
            Directory.Delete(full);
        }

        AtomicFile.Write(full, Path.Combine(paths.Root, TreePaths.TemporaryPrefix + Environment.ProcessId), value);
    }

    private void MakeParents(string path, Key key)
    {
        foreach (var at in ParentsOf(path))
        {
            // A link that somebody put there would lead the file out of the directory.
            if (FileTree.IsLink(at))
                throw new CommandFailedException($"key {key} can be no file of the mirror: '{at}' is a link");
            if (File.Exists(at))
                throw Conflict(key, at);
        }

        Directory.CreateDirectory(Path.GetDirectoryName(paths.FullPath(path))!);
    }

    /// <summary>The full paths of the directories between the mirror's own and a file, outermost first.</summary>
    private IEnumerable<string> ParentsOf(string path)
    {
        var at = paths.Root;
        foreach (var name in path.Split(Path.DirectorySeparatorChar)[..^1])
            yield return at = Path.Combine(at, name);
    }

    private void Remove(string path)
    {
        if (ParentsOf(path).Any(at => FileTree.IsLink(at) || !Directory.Exists(at)))
            return;
        File.Delete(paths.FullPath(path));
        for (var parent = Path.GetDirectoryName(path); !string.IsNullOrEmpty(parent); parent = Path.GetDirectoryName(parent))
        {
            var full = paths.FullPath(parent);
            if (!Directory.Exists(full) || Directory.EnumerateFileSystemEntries(full).Any())
                return;
            Directory.Delete(full);
        }
    }

    private bool HasContent(string path, ReadOnlySpan<byte> value)
    {
        var file = new FileInfo(paths.FullPath(path));
        return FileTree.KindOf(file.FullName) == PathKind.File && file.Length == value.Length && File.ReadAllBytes(file.FullName).AsSpan().SequenceEqual(value);
    }

    private static MirrorConflictException Conflict(Key key, string other) =>
        new($"key {key} and '{other}' cannot both be in the mirror: a name is either a file or a directory");
}

/// <summary>Two keys that no directory can hold at once: a name is either a file or a directory.</summary>
internal sealed class MirrorConflictException(string message) : CommandFailedException(message);
