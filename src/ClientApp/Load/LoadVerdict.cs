using System.Globalization;

namespace Watch.ClientApp.Load;

/// <summary>
/// The judgement over a record, from its lines alone. Every value was written once, so:
///   V1  What was acknowledged was seen by the watcher, with that revision.
///   V2  No value was seen twice, and nobody saw what nobody wrote, or what was certainly refused.
///   V3  The watcher saw revisions in order.
///   V4  How the keys stand at the end is what was seen of each last.
///   V5  The watch did not end by itself.
/// </summary>
internal sealed class LoadVerdict
{
    private const int FailuresMax = 20;

    private readonly Dictionary<(string Key, string Value), long> _acknowledged = [];
    private readonly HashSet<(string Key, string Value)> _unknown = [];
    private readonly Dictionary<(string Key, string Value), long> _seen = [];
    private readonly Dictionary<string, (string Value, long Revision)> _last = [];
    private readonly Dictionary<string, (string Value, long Revision)> _stands = [];
    private long _lastRevision;
    private long? _acknowledgedAt;

    private LoadVerdict()
    {
    }

    public List<string> Failures { get; } = [];

    public int Acknowledged => _acknowledged.Count;

    public int Unknown => _unknown.Count;

    public int UnknownApplied => _unknown.Count(_seen.ContainsKey);

    public int Seen => _seen.Count;

    /// <summary>The longest time without an acknowledgement.</summary>
    public long LongestGapMs { get; private set; }

    public static LoadVerdict Of(IEnumerable<string> lines)
    {
        var verdict = new LoadVerdict();
        foreach (var line in lines)
            verdict.Read(line.Split(' '));
        verdict.Judge();
        return verdict;
    }

    private void Read(string[] fields)
    {
        switch (fields[0])
        {
            case "a":
                var at = Number(fields[1]);
                LongestGapMs = Math.Max(LongestGapMs, at - (_acknowledgedAt ?? at));
                _acknowledgedAt = at;
                _acknowledged[(fields[3], fields[4])] = Number(fields[5]);
                break;
            case "u":
                _unknown.Add((fields[3], fields[4]));
                break;
            case "e":
                See(fields[2], fields[3], Number(fields[4]));
                break;
            case "s":
                _stands[fields[1]] = (fields[2], Number(fields[3]));
                break;
            case "x":
                Fail($"V5: the watch ended by itself: {string.Join(' ', fields[1..])}");
                break;
        }
    }

    private void See(string key, string value, long revision)
    {
        if (revision <= _lastRevision)
            Fail($"V3: revision {revision} was seen after {_lastRevision}");
        if (!_seen.TryAdd((key, value), revision))
            Fail($"V2: {key} = {value} was seen at revision {_seen[(key, value)]} and again at {revision}");
        _lastRevision = revision;
        _last[key] = (value, revision);
    }

    private void Judge()
    {
        foreach (var (write, revision) in _acknowledged)
        {
            if (!_seen.TryGetValue(write, out var seen))
                Fail($"V1: {write.Key} = {write.Value} was acknowledged at revision {revision} and never seen");
            else if (seen != revision)
                Fail($"V1: {write.Key} = {write.Value} was acknowledged at revision {revision} and seen at {seen}");
        }

        foreach (var (write, revision) in _seen)
        {
            if (!_acknowledged.ContainsKey(write) && !_unknown.Contains(write))
                Fail($"V2: {write.Key} = {write.Value} was seen at revision {revision}, and nobody wrote it, or it was refused");
        }

        foreach (var key in _last.Keys.Union(_stands.Keys))
        {
            var (last, stands) = (_last.GetValueOrDefault(key), _stands.GetValueOrDefault(key));
            if (last != stands)
                Fail($"V4: {key} stands at {stands}, and the last that was seen of it is {last}");
        }
    }

    private void Fail(string what)
    {
        if (Failures.Count < FailuresMax)
            Failures.Add(what);
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
