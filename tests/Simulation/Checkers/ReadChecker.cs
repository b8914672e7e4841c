using Watch.Core;
using Watch.Simulation.Tests.Workloads;

namespace Watch.Simulation.Tests.Checkers;

/// <summary>
/// Every answer names a revision, whatever freshness was asked for, and is true of it: a read shows what the key was then, a write what
/// the key was before. Who asked for a revision or later got no earlier one.
/// </summary>
internal static class ReadChecker
{
    public static string? Check(IEnumerable<Operation> operations, CommittedHistory committed)
    {
        foreach (var operation in operations.Where(each => each.Effect is Effect.Done or Effect.ConditionFailed))
        {
            if (operation.Policy.Kind == ReadKind.AtLeast && operation.Revision < operation.Policy.Revision)
                return $"Read: {operation} is older than revision {operation.Policy.Revision}, which was asked for.";
            if (operation.Revision.Value > committed.Revision)
                return $"Read: {operation} names a revision that was never committed; the last one is {committed.Revision}.";
            var changedIt = operation.IsWrite && operation.Effect == Effect.Done && !(operation.Kind == OperationKind.Delete && operation.Seen is null);
            var then = committed.ValueAt(operation.Key, operation.Revision.Value - (changedIt ? 1 : 0));
            if (operation.Seen != then && !operation.IsBlind)
                return $"Read: {operation}, but {operation.Key} was {then ?? "nothing"} then.";
        }

        return null;
    }
}
