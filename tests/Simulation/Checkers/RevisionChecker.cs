using Watch.Simulation.Tests.Workloads;

namespace Watch.Simulation.Tests.Checkers;

/// <summary>
/// Time seen through revisions, over all keys: an operation that began after another one had ended names no smaller revision, and a
/// write that took effect a greater one. A stale read shows here, whatever it read. Eventual reads, and reads of a revision or later, may
/// be behind, but what they have shown no later fresh read may be behind of.
/// </summary>
internal static class RevisionChecker
{
    public static string? Check(IReadOnlyList<Operation> operations)
    {
        var ended = operations.Where(HasEnded).OrderBy(each => each.Returned).ToList();
        Operation? newest = null;
        var at = 0;
        foreach (var operation in operations.Where(IsKnown).OrderBy(each => each.Invoked))
        {
            for (; at < ended.Count && ended[at].Returned < operation.Invoked; at++)
                newest = newest is null || ended[at].Revision > newest.Revision ? ended[at] : newest;
            if (newest is not null && operation.Revision < newest.Revision)
                return $"Stale: {operation}{Environment.NewLine}began after the end of{Environment.NewLine}{newest}";
            if (newest is not null && operation is { Effect: Effect.Done, Kind: OperationKind.Put or OperationKind.Swap } && operation.Revision == newest.Revision)
                return $"Stale: {operation}{Environment.NewLine}took effect in the revision that the earlier one had named:{Environment.NewLine}{newest}";
        }

        return null;
    }

    private static bool HasEnded(Operation operation) => operation.Effect is Effect.Done or Effect.ConditionFailed;

    private static bool IsKnown(Operation operation) => operation.IsFresh && HasEnded(operation);
}
