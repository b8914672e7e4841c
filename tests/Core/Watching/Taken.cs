using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>What tests ask of a take.</summary>
internal static class Taken
{
    /// <summary>The whole revisions of a take that has nothing else.</summary>
    public static IReadOnlyList<SharedCommit> Commits(this WatchItems items) => [.. items.Parts.Cast<WatchPart.Events>().Select(part => part.Commit)];
}
