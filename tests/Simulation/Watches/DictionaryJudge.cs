namespace Watch.Simulation.Tests.Watches;

/// <summary>
/// What a dictionary promises, against all changes that were ever committed: every view is what the store had at its revision, which never
/// goes back; and the changes that it tells lead from one view to the other.
/// </summary>
internal static class DictionaryJudge
{
    /// <summary>What is wrong; null where nothing is.</summary>
    public static string? Check(DictionaryRecord dictionary, IReadOnlyList<CommittedChange> changes) =>
        CheckSights(dictionary, changes) ?? CheckChanges(dictionary);

    private static string? CheckSights(DictionaryRecord dictionary, IReadOnlyList<CommittedChange> changes)
    {
        var (state, next, last) = (new Dictionary<string, string>(StringComparer.Ordinal), 0, -1L);
        foreach (var sight in dictionary.Sights)
        {
            if (sight.Revision < last)
                return $"Dictionary: the {dictionary} went back from {last} to {sight.Revision}.";
            last = sight.Revision;
            for (; next < changes.Count && changes[next].Revision <= sight.Revision; next++)
                if (!dictionary.Target.Has(changes[next].Key))
                    continue;
                else if (changes[next].Value is { } value)
                    state[changes[next].Key] = value;
                else
                    state.Remove(changes[next].Key);
            if (!Equal(state, sight.Items))
                return $"Dictionary: the {dictionary} had [{Text(sight.Items)}] at {sight.Revision}, and the store [{Text(state)}].";
        }

        return null;
    }

    private static string? CheckChanges(DictionaryRecord dictionary)
    {
        if (dictionary.Sights.Count == 0)
            return null;
        var state = new Dictionary<string, string>(dictionary.Sights[0].Items, StringComparer.Ordinal);
        foreach (var (revision, key, before, after) in dictionary.Changes.Where(each => each.Revision > dictionary.Sights[0].Revision))
        {
            if (state.GetValueOrDefault(key) != before)
                return $"Dictionary: the {dictionary} told at {revision} that {key} changed from {before ?? "nothing"}, and it was {state.GetValueOrDefault(key) ?? "nothing"}.";
            if (after is null)
                state.Remove(key);
            else
                state[key] = after;
        }

        var final = dictionary.Sights[^1];
        return dictionary.Changes.Count > 0 && dictionary.Changes[^1].Revision == final.Revision && !Equal(state, final.Items)
            ? $"Dictionary: the changes that the {dictionary} told lead to [{Text(state)}], and it has [{Text(final.Items)}]." : null;
    }

    private static bool Equal(IReadOnlyDictionary<string, string> one, IReadOnlyDictionary<string, string> other) =>
        one.Count == other.Count && one.All(each => other.TryGetValue(each.Key, out var value) && value == each.Value);

    private static string Text(IReadOnlyDictionary<string, string> state) => string.Join(", ", state.OrderBy(each => each.Key, StringComparer.Ordinal).Select(each => $"{each.Key}={each.Value}"));
}
