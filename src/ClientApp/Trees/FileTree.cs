namespace Watch.ClientApp.Trees;

/// <summary>The files of a directory tree. Links are not followed: what they point to may lie anywhere, or go in circles.</summary>
internal static class FileTree
{
    private static readonly EnumerationOptions s_here = new() { AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = false };

    /// <summary>The full paths of all files below a directory, each directory's in order of their names.</summary>
    /// <param name="directory">Where to begin.</param>
    /// <param name="enter">Whether a directory, named by its full path, is looked into; null for all.</param>
    public static IEnumerable<string> Files(string directory, Func<string, bool>? enter = null)
    {
        foreach (var file in Directory.GetFiles(directory, "*", s_here).Order(StringComparer.Ordinal))
            yield return file;
        foreach (var below in Directory.GetDirectories(directory, "*", s_here).Order(StringComparer.Ordinal))
            if (enter is null || enter(below))
                foreach (var file in Files(below, enter))
                    yield return file;
    }

    /// <summary>Whether something is a link, whether or not what it points to exists.</summary>
    public static bool IsLink(string path) => new FileInfo(path).Attributes is var attributes && (int)attributes != -1 && attributes.HasFlag(FileAttributes.ReparsePoint);
}
