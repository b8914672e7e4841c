using System.Runtime.CompilerServices;
using Watch.Core.Consensus;

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

    /// <summary>The story of the leader with a slow disk tells the rule from its breach.</summary>
    [Fact]
    public void A_leader_that_tells_what_its_own_disk_does_not_have_lets_followers_show_more_than_itself()
    {
        Assert.Contains("n2 Follower 2 2/3", WithLeadersDiskStuck(SafetyRules.Raft), StringComparison.Ordinal);
        Assert.Contains("n2 Follower 2 3/3", WithLeadersDiskStuck(new TellsAllThatIsCommitted()), StringComparison.Ordinal);
    }

    private static string WithLeadersDiskStuck(SafetyRules rules)
    {
        var transcript = new RaftTranscript(rules);
        foreach (var line in new[] { "nodes 3", "pass 111", "disk n1 stuck", "propose n1 10" })
            transcript.Run(line);
        return transcript.Run("state");
    }

    private sealed class TellsAllThatIsCommitted : SafetyRules
    {
        internal override LogIndex Told(LogIndex committed, LogIndex handedOut) => committed;
    }

    private static string Play(RaftTranscript transcript, string line)
    {
        if (line.Length == 0 || line[0] == '#')
            return line;
        var command = line.Split("->", 2, StringSplitOptions.TrimEntries)[0];
        return $"{command,-28} -> {transcript.Run(command)}";
    }
}
