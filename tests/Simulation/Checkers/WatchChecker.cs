using System.Text;
using Watch.Core;
using Watch.Simulation.Tests.Workloads;

namespace Watch.Simulation.Tests.Checkers;

/// <summary>
/// What a watch promises, against the agreed log: only what was committed, in order, once, with no revision split; every batch continues
/// where the one before ended; and up to its cursor nothing of its target is missing.
/// </summary>
internal static class WatchChecker
{
    public static string? Check(WatchRecord watch, CommittedHistory committed)
    {
        var cursor = watch.Start;
        var target = committed.Of(watch.Target).SkipWhile(each => each.Revision <= watch.Start.Value).ToList();
        var next = 0;
        foreach (var batch in watch.Batches)
        {
            if (batch.Previous != cursor)
                return $"Watch: the {watch} stands at {cursor} and was handed a batch that continues from {batch.Previous}.";
            if (batch.Revision < cursor)
                return $"Watch: the {watch} went back from {cursor} to {batch.Revision}.";
            foreach (var each in batch.Events.Where(each => each.Type != WatchEventType.Canceled))
            {
                if (next == target.Count)
                    return $"Watch: the {watch} delivered {Describe(each)}, which was never committed.";
                var expected = target[next++];
                if (Describe(each) != Describe(expected))
                    return $"Watch: the {watch} delivered {Describe(each)}; the next that was committed of its target is {Describe(expected)}.";
                if (each.Revision > batch.Revision)
                    return $"Watch: the {watch} delivered revision {each.Revision} in a batch up to {batch.Revision}.";
            }

            cursor = batch.Revision;
            if (next < target.Count && target[next].Revision <= cursor.Value)
                return $"Watch: the {watch} moved to {cursor} and had not delivered {Describe(target[next])}.";
        }

        return null;
    }

    private static string Describe(WatchEvent each) =>
        Describe(new CommittedChange(each.Revision.Value, each.Key.ToString(), each.Type == WatchEventType.Delete ? null : Encoding.UTF8.GetString(each.Value.Span)));

    private static string Describe(CommittedChange change) => $"revision {change.Revision}, {change.Key} = {change.Value ?? "(deleted)"}";
}
