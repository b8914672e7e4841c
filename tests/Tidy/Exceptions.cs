namespace Watch.Tidy;

/// <summary>
/// The list of exceptions, exceptions.txt. It only shrinks: an entry that allows more than there is,
/// or something that is no longer there, fails the tests just like a finding without an entry.
/// </summary>
internal sealed class Exceptions
{
    private readonly Dictionary<(string Rule, string Where), int> _allowed = [];

    public Exceptions(string text)
    {
        foreach (var line in text.Split('\n').Select(line => line.Split('#')[0].Trim()).Where(line => line.Length > 0))
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 3 || !int.TryParse(words[^1], out var count) || count <= 0)
                throw new FormatException($"exceptions.txt: '{line}' is not 'rule where number'");
            _allowed.Add((words[0], string.Join(' ', words[1..^1])), count);
        }
    }

    public static Exceptions Load() => new(Sources.Read("tests/Tidy/exceptions.txt"));

    /// <summary>What is wrong, given the real numbers of one rule: too much, or an entry too generous.</summary>
    public IEnumerable<string> Judge(string rule, IReadOnlyDictionary<string, (int Number, string What)> real)
    {
        foreach (var (where, (number, what)) in real.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            if (!_allowed.TryGetValue((rule, where), out var allowed) || number > allowed)
                yield return what;
        }
        foreach (var ((_, where), allowed) in _allowed.Where(entry => entry.Key.Rule == rule))
        {
            var number = real.TryGetValue(where, out var found) ? found.Number : 0;
            if (number < allowed)
                yield return $"exceptions.txt: '{rule} {where} {allowed}' is more than the {number} there are; lower or remove it";
        }
    }

    public IEnumerable<string> Rules => _allowed.Keys.Select(key => key.Rule).Distinct();
}
