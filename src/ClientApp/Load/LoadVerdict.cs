using System.Globalization;

namespace Watch.ClientApp.Load;

/// <summary>
/// The judgement over a record, from its lines alone. Every value was written once, so:
///   V1  What was acknowledged was seen by the watcher, with that revision.
///   V2  No value was seen twice, and nobody saw what nobody wrote, or what was certainly refused.
///   V3  The watcher saw revisions in order.
///   V4  How the keys stand at the end is what was seen of each last.
///   V5  The watch did not end by itself.
///   V6  A linearizable or a lease read is not older than what was acknowledged of its key before it began; one of a revision or later
///       not older than what was acknowledged of its key up to that revision.
///   V7  Whatever the policy, a read answers with a value that was seen, and with the revision in which it was.
/// </summary>
internal sealed class LoadVerdict
{
    private const int FailuresMax = 20;

    private readonly Dictionary<(string Key, string Value), long> _acknowledged = [];
    private readonly HashSet<(string Key, string Value)> _unknown = [];
    private readonly Dictionary<(string Key, string Value), long> _seen = [];
    private readonly Dictionary<string, (string Value, long Revision)> _last = [];
    private readonly Dictionary<string, (string Value, long Revision)> _stands = [];
    private readonly Dictionary<string, List<long>> _acknowledgedOf = [];
    private readonly Dictionary<string, (string Kind, string Key, long Floor)> _asked = [];
    private readonly HashSet<(string Key, string Value, long Revision)> _read = [];
    private readonly SortedDictionary<string, int> _reads = [];
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

    /// <summary>How many reads were answered, by policy.</summary>
    public IReadOnlyDictionary<string, int> Reads => _reads;

    public int Unanswered { get; private set; }

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
                RevisionsOf(fields[3]).Add(Number(fields[5]));
                break;
            case "q":
                _asked[fields[2]] = (fields[3], fields[4], FloorOf(fields[3], fields[4], Number(fields[5])));
                break;
            case "r":
                JudgeRead(_asked[fields[2]], fields[3], Number(fields[4]));
                break;
            case "n":
                Unanswered++;
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

    private List<long> RevisionsOf(string key)
    {
        if (!_acknowledgedOf.TryGetValue(key, out var revisions))
            _acknowledgedOf[key] = revisions = [];
        return revisions;
    }

    /// <summary>What a read that begins now has to show at least.</summary>
    private long FloorOf(string kind, string key, long atLeast) => kind switch
    {
        nameof(ReadKind.Linearizable) or nameof(ReadKind.Lease) => RevisionsOf(key).DefaultIfEmpty().Max(),
        nameof(ReadKind.AtLeast) => RevisionsOf(key).Where(revision => revision <= atLeast).DefaultIfEmpty().Max(),
        _ => 0,
    };

    private void JudgeRead((string Kind, string Key, long Floor) asked, string value, long revision)
    {
        _reads[asked.Kind] = _reads.GetValueOrDefault(asked.Kind) + 1;
        if (revision < asked.Floor)
            Fail($"V6: a read ({asked.Kind}) of {asked.Key} answered {value} of revision {revision}; revision {asked.Floor} of it was acknowledged before");
        if (revision > 0)
            _read.Add((asked.Key, value, revision));
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

        foreach (var (key, value, revision) in _read)
        {
            if (_seen.GetValueOrDefault((key, value)) != revision)
                Fail($"V7: a read answered {key} = {value} of revision {revision}, which nobody saw there");
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
