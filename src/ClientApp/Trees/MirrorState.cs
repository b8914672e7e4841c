using System.Text.Json;
using Watch.ClientApp.CommandLine;

namespace Watch.ClientApp.Trees;

/// <summary>How far a mirror has come: everything of the prefix up to this revision is in the directory.</summary>
/// <param name="Prefix">The prefix.</param>
/// <param name="Incarnation">The cluster's incarnation, without which the revision means nothing.</param>
/// <param name="Revision">The revision.</param>
internal sealed record MirrorState(string Prefix, string Incarnation, long Revision)
{
    private const string Suffix = ".watch-mirror";
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web);

    /// <summary>The state is kept beside the directory, which holds the mirrored files and nothing else.</summary>
    public static string FileOf(string directory) => directory + Suffix;

    /// <summary>The state that a mirror left behind; null where there is none.</summary>
    public static MirrorState? Load(string directory)
    {
        var file = FileOf(directory);
        if (!File.Exists(file))
            return null;
        try
        {
            return JsonSerializer.Deserialize<MirrorState>(File.ReadAllText(file), s_json);
        }
        catch (JsonException error)
        {
            throw new CommandFailedException($"the mirror's state '{file}' cannot be read ({error.Message}); delete it, and the mirror starts over with --replace");
        }
    }

    public void Save(string directory) => AtomicFile.Write(FileOf(directory), FileOf(directory) + "~", JsonSerializer.SerializeToUtf8Bytes(this, s_json));
}

/// <summary>Writes files so that nobody ever sees half of one.</summary>
internal static class AtomicFile
{
    public static void Write(string path, string temporary, ReadOnlySpan<byte> content)
    {
        using (var handle = File.OpenHandle(temporary, FileMode.Create, FileAccess.Write))
        {
            RandomAccess.Write(handle, content, 0);
            // The state names a revision only when its files are on the disk.
            RandomAccess.FlushToDisk(handle);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
