using System.Runtime.CompilerServices;

namespace Watch.Core.Tests.Consensus;

/// <summary>
/// The stories in tests/Core/Transcripts. A line is a command, <c>-></c> and the expected outcome; lines that begin with # explain. With the environment
/// variable WATCH_REWRITE=1 the outcomes are written into the files instead of being compared: read the difference before you keep it.
/// </summary>
public sealed class TranscriptTests
{
    private static string Folder([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "..", "Transcripts");

    public static TheoryData<string> Stories => [.. Directory.GetFiles(Folder(), "*.txt").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Stories))]
    public void The_story_goes_as_it_is_written(string story)
    {
        var path = Path.Combine(Folder(), story);
        var transcript = new RaftTranscript();
        var expected = File.ReadAllLines(path);
        var actual = expected.Select(line => Play(transcript, line)).ToArray();
        if (Environment.GetEnvironmentVariable("WATCH_REWRITE") == "1")
            File.WriteAllText(path, string.Join('\n', actual) + "\n");
        else
            Assert.Equal(string.Join('\n', expected), string.Join('\n', actual));
    }

    private static string Play(RaftTranscript transcript, string line)
    {
        if (line.Length == 0 || line[0] == '#')
            return line;
        var command = line.Split("->", 2, StringSplitOptions.TrimEntries)[0];
        return $"{command,-28} -> {transcript.Run(command)}";
    }
}
