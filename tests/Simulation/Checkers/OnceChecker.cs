using Watch.Simulation.Tests.Watches;
using Watch.Simulation.Tests.Workloads;

namespace Watch.Simulation.Tests.Checkers;

/// <summary>
/// Compares what clients were told of their writes with what the agreed log says: what was acknowledged is there, once, in the revision
/// that was named; what may have happened is there at most once; what certainly did not happen is not there. Values are unique, so
/// each tells whose write it was; a delete is told by its key and revision, and of a key there are no more deletes than were asked for.
/// </summary>
internal static class OnceChecker
{
    public static string? Check(IReadOnlyList<Operation> operations, CommittedHistory committed)
    {
        // What was written for the watchers' sake has values that are not unique.
        var told = committed.Changes.Where(each => !FlurryActor.Writes(each.Key)).ToList();
        return CheckValues(operations, told) ?? CheckDeletes(operations, told);
    }

    private static string? CheckDeletes(IReadOnlyList<Operation> operations, IReadOnlyList<CommittedChange> committed)
    {
        var unclaimed = committed.Where(each => each.Value is null).Select(each => (each.Key, each.Revision)).ToHashSet();
        var deletes = operations.Where(each => each.Kind == OperationKind.Delete).ToList();
        // What found nothing to delete changed nothing.
        foreach (var delete in deletes.Where(each => each.Effect == Effect.Done && each.Seen is not null))
        {
            if (!unclaimed.Remove((delete.Key, delete.Revision.Value)))
                return $"Exactly once: {delete} was acknowledged in revision {delete.Revision}, and the log has no delete of the key there, or one that another was told of.";
        }

        var open = deletes.Where(each => each.Effect == Effect.Unknown || each.IsBlind).CountBy(each => each.Key).ToDictionary();
        return unclaimed.GroupBy(each => each.Key).FirstOrDefault(each => each.Count() > open.GetValueOrDefault(each.Key)) is { } tooMany
            ? $"Exactly once: {tooMany.Key} was deleted in {string.Join(", ", tooMany.Select(each => each.Revision))} beside what was acknowledged, and only {open.GetValueOrDefault(tooMany.Key)} deletes are unknown." : null;
    }

    private static string? CheckValues(IEnumerable<Operation> operations, IReadOnlyList<CommittedChange> committed)
    {
        var changes = committed.Where(each => each.Value is not null).ToLookup(each => each.Value!, StringComparer.Ordinal);
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

        return committed.FirstOrDefault(each => each.Value is not null && !written.Contains(each.Value)) is { } stranger
            ? $"Exactly once: the log has {stranger}, which nobody wrote." : null;
    }
}
