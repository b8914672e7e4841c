using Watch.ClientApp.Trees;
using Watch.Core;

namespace Watch.ClientApp.Demo;

/// <summary>Compares what everybody saw with what was acknowledged. It knows nothing of how Watch works.</summary>
internal static class Verifier
{
    /// <summary>What differs between two trees; empty when they are equal, byte for byte.</summary>
    public static IEnumerable<string> CompareTrees(string expected, string actual)
    {
        var left = FileTree.Files(expected).Select(file => Path.GetRelativePath(expected, file)).ToHashSet(StringComparer.Ordinal);
        var right = FileTree.Files(actual).Select(file => Path.GetRelativePath(actual, file)).ToHashSet(StringComparer.Ordinal);
        foreach (var missing in left.Except(right).Order(StringComparer.Ordinal))
            yield return $"the mirror lacks the file {missing}";
        foreach (var extra in right.Except(left).Order(StringComparer.Ordinal))
            yield return $"the mirror has the file {extra}, which is gone from the source";
        foreach (var both in left.Intersect(right).Order(StringComparer.Ordinal))
            if (!File.ReadAllBytes(Path.Combine(expected, both)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(actual, both))))
                yield return $"the file {both} differs from its source";
    }

    /// <summary>Whether the acknowledged revisions are all there are, one after the other.</summary>
    public static IEnumerable<string> CheckLedger(IReadOnlyList<Acknowledged> ledger, Revision last)
    {
        if (ledger.Count != last.Value || (ledger.Count > 0 && ledger[^1].Revision != last))
            yield return $"{ledger.Count} changes were acknowledged, the last as revision {(ledger.Count == 0 ? 0 : ledger[^1].Revision.Value)}, but the server is at revision {last}";
    }

    /// <summary>What the server holds that was not the last acknowledged, or does not hold that was.</summary>
    public static IEnumerable<string> CheckState(IReadOnlyCollection<KeyValue> entries, IReadOnlyList<Acknowledged> ledger)
    {
        var expected = new Dictionary<Key, Acknowledged>();
        foreach (var each in ledger)
            expected[each.Key] = each;
        foreach (var entry in entries)
            if (!expected.Remove(entry.Key, out var last) || !last.IsPut)
                yield return $"the server holds {entry.Key}, which was deleted or never written";
            else if (entry.ModRevision != last.Revision || !entry.Value.Span.SequenceEqual(last.Value!.Value.Span))
                yield return $"the server holds {entry.Key} of revision {entry.ModRevision}, but {Text(last)} was its last acknowledged change, or has another value";
        foreach (var missing in expected.Values.Where(each => each.IsPut))
            yield return $"the server lost {Text(missing)}";
    }

    /// <summary>What a watcher saw that was not so, or did not see that was: in order, once, nothing left out, from its start to its end.</summary>
    public static IEnumerable<string> CheckWitness(Witness witness, IReadOnlyList<Acknowledged> ledger)
    {
        var scope = witness.Scope;
        var until = witness.End?.Revision ?? new Revision(long.MaxValue);
        var expected = ledger.Where(each => scope.Contains(each.Key) && each.Revision > witness.Start && each.Revision <= until).ToList();
        var seen = witness.Seen;
        var before = Before(ledger, witness.Start);
        for (var i = 0; i < Math.Max(expected.Count, seen.Count); i++)
        {
            if (i >= expected.Count || i >= seen.Count || !IsSame(expected[i], seen[i].Event))
            {
                yield return $"{witness.Name}: event {i + 1} should be {Text(i < expected.Count ? expected[i] : null)}, but is {Text(i < seen.Count ? seen[i].Event : null)}";
                yield break;
            }

            before.TryGetValue(expected[i].Key, out var previous);
            if (witness.PreviousValues && !HasPrevious(seen[i].Event, previous))
            {
                yield return $"{witness.Name}: the value before revision {expected[i].Revision} of {expected[i].Key} is not the one that was written";
                yield break;
            }

            before[expected[i].Key] = expected[i].Value;
        }
    }

    private static Dictionary<Key, ReadOnlyMemory<byte>?> Before(IReadOnlyList<Acknowledged> ledger, Revision start)
    {
        var values = new Dictionary<Key, ReadOnlyMemory<byte>?>();
        foreach (var each in ledger.TakeWhile(each => each.Revision <= start))
            values[each.Key] = each.Value;
        return values;
    }

    private static bool IsSame(Acknowledged expected, WatchEvent seen) =>
        seen.Revision == expected.Revision && seen.Key == expected.Key
        && (seen.Type == WatchEventType.Put) == expected.IsPut
        && (!expected.IsPut || seen.Value.Span.SequenceEqual(expected.Value!.Value.Span));

    private static bool HasPrevious(WatchEvent seen, ReadOnlyMemory<byte>? previous) => previous is { } value
        ? seen.PreviousState == PreviousState.Value && seen.PreviousValue.Span.SequenceEqual(value.Span)
        : seen.PreviousState == PreviousState.Absent;

    private static string Text(Acknowledged? change) => change is null ? "nothing" : $"{(change.IsPut ? "put" : "delete")} {change.Key} at revision {change.Revision}";

    private static string Text(WatchEvent? each) => each is null ? "missing" : $"{each.Type} {each.Key} at revision {each.Revision}";
}
