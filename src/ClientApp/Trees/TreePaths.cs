using System.Text;
using System.Text.Unicode;
using Watch.ClientApp.CommandLine;
using Watch.Core;

namespace Watch.ClientApp.Trees;

/// <summary>
/// The mapping between the files of a directory and the keys below a prefix: the key is the prefix and the path with <c>/</c> between
/// its names. Every file has a key; not every key can be a file, and none may lead out of the directory.
/// </summary>
internal sealed class TreePaths
{
    /// <summary>What names of files that are just being written begin with; keys must not.</summary>
    public const string TemporaryPrefix = ".watch-mirror~";

    private const int NameBytesMax = 255;
    private static readonly char[] s_forbidden = Path.GetInvalidFileNameChars();

    public TreePaths(string directory, string prefix)
    {
        if (prefix is not (['/', .., '/'] or "/"))
            throw new UsageException($"the prefix '{prefix}' does not begin and end with /; allowed is such as /config/.");
        Root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        Prefix = Key.Of(prefix);
    }

    /// <summary>The directory's full path, without a separator at its end.</summary>
    public string Root { get; }

    public Key Prefix { get; }

    /// <summary>The key of a file, whose path is relative to the directory.</summary>
    public Key KeyOf(string path) => Key.Of([.. Prefix.Span, .. Encoding.UTF8.GetBytes(path.Replace(Path.DirectorySeparatorChar, '/'))]);

    public string FullPath(string path) => Path.Combine(Root, path);

    public string RelativePath(string fullPath) => Path.GetRelativePath(Root, fullPath) is var path && path == "." ? "" : path;

    /// <summary>The path of a key's file, relative to the directory.</summary>
    /// <exception cref="CommandFailedException">No file of the directory can have this key.</exception>
    public string PathOf(Key key)
    {
        var rest = key.Span[Prefix.Length..];
        if (!Utf8.IsValid(rest))
            throw Refused(key, "its bytes are not UTF-8");
        var names = Encoding.UTF8.GetString(rest).Split('/');
        foreach (var name in names)
            CheckName(key, name);

        var path = Path.Combine(names);
        // The names were checked one by one; this holds whatever a platform makes of them.
        var full = Path.GetFullPath(FullPath(path));
        if (!full.StartsWith(Root + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw Refused(key, "it leads out of the directory");
        return path;
    }

    private static void CheckName(Key key, string name)
    {
        if (name.Length == 0)
            throw Refused(key, "it has an empty name between two /, or at its end");
        if (name is "." or "..")
            throw Refused(key, $"the name '{name}' leads out of its place in the directory");
        if (name.IndexOfAny(s_forbidden) >= 0)
            throw Refused(key, "it has a character that no file name can have");
        if (Encoding.UTF8.GetByteCount(name) > NameBytesMax)
            throw Refused(key, $"it has a name of more than {NameBytesMax} bytes");
        if (name.StartsWith(TemporaryPrefix, StringComparison.Ordinal))
            throw Refused(key, $"names that begin with {TemporaryPrefix} are the mirror's own");
    }

    private static CommandFailedException Refused(Key key, string why) => new($"key {key} can be no file of the mirror: {why}");
}
