using System.Text;
using Watch.ClientApp.Trees;

namespace Watch.ClientApp.Demo;

/// <summary>The files that the demonstration works on: a copy of a real tree, without what a build makes, that it may change as it likes.</summary>
internal sealed class DemoTree(string root, Random random)
{
    public const long FileBytesMax = 256 << 10;
    private const int FilesMax = 1500;
    private static readonly HashSet<string> s_skipped = ["bin", "obj", "artifacts", ".git", "node_modules"];
    private int _changes;

    public string Root { get; } = root;

    /// <summary>Copies a tree; answers with the number of files.</summary>
    public int CopyFrom(string source)
    {
        var count = 0;
        foreach (var file in FileTree.Files(source, below => !s_skipped.Contains(Path.GetFileName(below))).Take(FilesMax))
        {
            if (new FileInfo(file).Length > FileBytesMax)
                continue;
            var target = Path.Combine(Root, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
            count++;
        }

        return count;
    }

    public IReadOnlyList<string> Paths() => [.. FileTree.Files(Root).Select(file => Path.GetRelativePath(Root, file))];

    /// <summary>Changes a file so that its content is one that was never there before; answers with its path.</summary>
    public string Edit(string path)
    {
        File.AppendAllText(Path.Combine(Root, path), $"\nchange {++_changes}\n");
        return path;
    }

    /// <summary>Edits, adds or deletes some file other than a spared one; answers with its path.</summary>
    public string Change(string spared)
    {
        var all = Paths().Where(each => each != spared).ToList();
        var some = all.Count == 0 ? null : all[random.Next(all.Count)];
        switch (random.Next(4))
        {
            case 0 when some is not null && all.Count > 3:
                File.Delete(Path.Combine(Root, some));
                return some;
            case 1 or 0:
                return Add();
            default:
                return some is null ? Add() : Edit(some);
        }
    }

    private string Add()
    {
        var path = Path.Combine("added", $"directory {random.Next(5)}", $"file {++_changes}.txt");
        var full = Path.Combine(Root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, $"added as change {_changes}\n", Encoding.UTF8);
        return path;
    }
}
