using Watch.Simulation.Tests.Workloads;

namespace Watch.Simulation.Tests.Checkers;

/// <summary>
/// Compares what clients were told of their writes with what the agreed log says: what was acknowledged is there, once, in the revision
/// that was named; what may have happened is there at most once; what certainly did not happen is not there. Values are unique, so
/// each tells whose write it was.
/// </summary>
internal static class OnceChecker
{
    public static string? Check(IEnumerable<Operation> operations, CommittedHistory committed)
    {
        var changes = committed.Changes.Where(each => each.Value is not null).ToLookup(each => each.Value!, StringComparer.Ordinal);
        var written = new HashSet<string>(StringComparer.Ordinal);
        foreach (var write in operations.Where(each => each.IsWrite && each.Value is not null))
        {
            written.Add(write.Value!);
            var found = changes[write.Value!].ToList();
            var wrong = (write.Effect, found.Count) switch
            {
                (Effect.Done, 0) => "was acknowledged and is not in the log",
                (Effect.Done, 1) when found[0].Revision != write.Revision.Value => $"was acknowledged in revision {write.Revision} and stands in {found[0].Revision}",
                (Effect.ConditionFailed, > 0) => "was refused for its condition and took effect",
                (Effect.NotDone, > 0) => "certainly did not happen, its client was told, and took effect",
                (_, > 1) => $"took effect {found.Count} times, in revisions {string.Join(", ", found.Select(each => each.Revision))}",
                _ => null,
            };
            if (wrong is not null)
                return $"Exactly once: {write} {wrong}.";
        }

        return committed.Changes.FirstOrDefault(each => each.Value is not null && !written.Contains(each.Value)) is { } stranger
            ? $"Exactly once: the log has {stranger}, which nobody wrote." : null;
    }
}
