using System.Text;
using Watch.Core;

namespace Watch.Simulation.Tests.Watches;

/// <summary>
/// What a watch promises, against all changes that were ever committed: only those, in order, once, with no revision split; every batch
/// continues where the one before ended; and up to its cursor nothing that it asked for is missing but what a marker counts.
/// </summary>
/// <remarks>
/// It reads one watch from its start to its end, batch by batch, and keeps the place of the next change that has to come. A snapshot sets
/// that place, a change of targets changes what belongs from there on, a marker of lost events moves over exactly as many.
/// </remarks>
internal sealed class WatchJudge
{
    /// <summary>How many batches a complaint tells of.</summary>
    private const int BatchesTold = 8;

    private readonly WatchWish _wish;
    private readonly IReadOnlyList<CommittedChange> _changes;
    private readonly WatchRecord _watch;
    private readonly Dictionary<string, string> _gathered = new(StringComparer.Ordinal);
    private readonly List<CommittedChange> _skipped = [];
    private readonly HashSet<CommittedChange> _delivered = [];
    private Pattern _target;
    private Revision _cursor;
    private Revision? _snapshot;
    private long _lagged;

    // The batch that is looked at.
    private int _at;

    // The next change that has not been delivered, filtered out or counted.
    private int _next;

    private WatchJudge(WatchRecord watch, IReadOnlyList<CommittedChange> changes)
    {
        (_wish, _changes, _watch, _cursor) = (watch.Wish, changes, watch, watch.Start);
        _target = watch.Wish.Target;
        GoTo(watch.Start.Value);
    }

    /// <summary>What is wrong; null where nothing is.</summary>
    public static string? Check(WatchRecord watch, IReadOnlyList<CommittedChange> changes)
    {
        var judge = new WatchJudge(watch, changes);
        for (var at = 0; at < watch.Batches.Count; at++)
            if (judge.Take(watch.Batches[at], at) is { } wrong)
                return $"Watch: the {watch} {wrong}.{Environment.NewLine}{string.Join(Environment.NewLine, watch.Batches.Take(at + 1).TakeLast(BatchesTold).Select(Tell))}";
        return judge.Close() is { } missing ? $"Watch: the {watch} {missing}." : null;
    }

    private bool IsCounted => _wish.WhenSlow is SlowPolicy.DropOldest or SlowPolicy.DropNewest or SlowPolicy.Latest;

    private string? Take(WatchBatch batch, int at)
    {
        _at = at;
        if (_watch.BegunWith(at) is { } target)
        {
            _target = target;
            GoTo(_cursor.Value);
        }

        if (batch.Previous != _cursor)
            return $"stands at {_cursor} and was handed a batch that continues from {batch.Previous}";
        if (batch.Revision < _cursor)
            return $"went back from {_cursor} to {batch.Revision}";
        foreach (var each in batch.Events)
            if (Take(each, batch.Revision) is { } wrong)
                return wrong;

        _cursor = batch.Revision;
        if (_snapshot is not null)
            return null;
        if (_wish.WhenSlow == SlowPolicy.Latest)
            SkipTo(_cursor.Value);
        else if (Missing(_cursor.Value) is { } missing)
            return $"moved to {_cursor} and had not delivered {missing}";
        return _wish.WhenSlow == SlowPolicy.Latest && _skipped.Count != _lagged
            ? $"moved to {_cursor} without {_skipped.Count} changes and told of {_lagged}"
            : null;
    }

    private string? Take(WatchEvent each, Revision upTo) => each.Type switch
    {
        WatchEventType.Put when each.Cause == WatchEventCause.Snapshot => Gather(each),
        WatchEventType.Put or WatchEventType.Delete => Deliver(each, upTo),
        WatchEventType.Progress => Progress(each),
        WatchEventType.Lagged => Lag(each),
        WatchEventType.SnapshotBegins => Begin(each),
        WatchEventType.Synced => Sync(each),
        WatchEventType.TargetsChanged => Retarget(each),
        WatchEventType.Stale or WatchEventType.Canceled => null,
        _ => $"said something of the unknown kind {each.Type}",
    };

    private string? Deliver(WatchEvent each, Revision upTo)
    {
        if (_snapshot is { } at)
            return $"delivered {Describe(each)} amid the snapshot of {at}";
        if (each.Revision > upTo)
            return $"delivered {Describe(each)} in a batch up to {upTo}";
        if (_wish.WhenSlow == SlowPolicy.Latest)
            SkipTo(each.Revision.Value - 1, each.Key.ToString());
        if (Next() is not { } expected)
            return $"delivered {Describe(each)}, which was never committed or has been told";
        if (!IsEqual(each, expected))
            return $"delivered {Describe(each)}; the next one that it asked for is {expected}{(expected.Before is null ? "" : $" after {expected.Before}")}";
        _delivered.Add(expected);
        _next++;
        return null;
    }

    private bool IsEqual(WatchEvent each, CommittedChange change) =>
        each.Revision.Value == change.Revision && each.Key.ToString() == change.Key && (each.Type == WatchEventType.Delete) == (change.Value is null)
        && (Text(each.Value) == (_wish.Filter.HasFlag(EventFilter.KeysOnly) ? "" : change.Value ?? ""))
        && (!_wish.PreviousValues
            || (each.PreviousState == (change.Before is null ? PreviousState.Absent : PreviousState.Value)
                && (_wish.Filter.HasFlag(EventFilter.KeysOnly) || Text(each.PreviousValue) == (change.Before ?? ""))));

    private string? Progress(WatchEvent each)
    {
        if (_snapshot is { } at)
            return $"told progress to {each.Revision} amid the snapshot of {at}";
        if (each.Revision.Value > (_changes.Count == 0 ? 0 : _changes[^1].Revision))
            return $"told progress to {each.Revision}, which nothing has reached";
        return !IsCounted && Missing(each.Revision.Value) is { } missing ? $"told progress to {each.Revision} and had not delivered {missing}" : null;
    }

    private string? Lag(WatchEvent each)
    {
        if (!IsCounted)
            return $"told of {each.Count} lost events, which its policy never loses";
        _lagged += each.Count;
        if (_wish.WhenSlow == SlowPolicy.Latest)
            return null;
        for (var left = each.Count; left > 0; left--)
        {
            if (Next() is not { } lost || lost.Revision > each.Revision.Value)
                return $"told of {each.Count} lost events up to {each.Revision}, which are {left} too many";
            _next++;
        }

        return Missing(each.Revision.Value) is { } uncounted ? $"told of {each.Count} lost events up to {each.Revision} and did not count {uncounted}" : null;
    }

    private string? Begin(WatchEvent each)
    {
        if (!_wish.Snapshot)
            return $"began a snapshot at {each.Revision} that nobody had asked for";
        if (each.Revision < _cursor)
            return $"stands at {_cursor} and began a snapshot of {each.Revision}";
        _snapshot = each.Revision;
        _gathered.Clear();
        return null;
    }

    private string? Gather(WatchEvent each)
    {
        if (_snapshot is not { } at)
            return $"delivered {Describe(each)} of a snapshot outside of one";
        return each.Revision > at || !_gathered.TryAdd(each.Key.ToString(), Text(each.Value)) ? $"delivered {Describe(each)} in the snapshot of {at}, where it does not belong or was already" : null;
    }

    private string? Sync(WatchEvent each)
    {
        if (_snapshot != each.Revision)
            return $"was synced at {each.Revision}, and its snapshot was of {_snapshot?.ToString() ?? "nothing"}";
        var state = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var change in _changes.TakeWhile(change => change.Revision <= each.Revision.Value).Where(change => _target.Has(change.Key)))
            if (change.Value is null)
                state.Remove(change.Key);
            else
                state[change.Key] = _wish.Filter.HasFlag(EventFilter.KeysOnly) ? "" : change.Value;
        if (state.Count != _gathered.Count || state.Any(key => _gathered.GetValueOrDefault(key.Key) != key.Value))
            return $"got a snapshot of {each.Revision} with [{Text(_gathered)}], and the store had [{Text(state)}]";
        _snapshot = null;
        GoTo(each.Revision.Value);
        _skipped.Clear();
        _lagged = 0;
        return null;
    }

    private string? Retarget(WatchEvent each)
    {
        var left = _snapshot is null && !IsCounted ? Missing(each.Revision.Value) : null;
        _target = _watch.TargetOf(_at, each.Count);
        GoTo(each.Revision.Value);
        // One with a snapshot is given what its new target has, wherever that begins.
        if (!_wish.Snapshot && _watch.AnswerTo(_at, each.Count) is { } answered && answered != each.Revision)
            return $"changed its targets at {each.Revision}, and {answered} had been answered";
        return left is null ? null : $"changed its targets at {each.Revision} and had not delivered {left}";
    }

    /// <summary>Of each key the newest must have come, but where a newer one was still on its way.</summary>
    private string? Close()
    {
        if (_wish.WhenSlow != SlowPolicy.Latest)
            return null;
        var final = _skipped.Where(each => !_changes.Any(later => later.Key == each.Key && later.Revision > each.Revision && (later.Revision > _cursor.Value || _delivered.Contains(later)) && _wish.Wants(later))).FirstOrDefault();
        return final is null ? null : $"never delivered {final}, nor anything newer of that key";
    }

    private CommittedChange? Next()
    {
        while (_next < _changes.Count && !(_target.Has(_changes[_next].Key) && _wish.Wants(_changes[_next])))
            _next++;
        return _next < _changes.Count ? _changes[_next] : null;
    }

    private CommittedChange? Missing(long upTo) => Next() is { } next && next.Revision <= upTo ? next : null;

    private void SkipTo(long upTo, string? key = null)
    {
        while (Next() is { } next && (next.Revision <= upTo || (next.Revision == upTo + 1 && key is not null && next.Key != key)))
        {
            _skipped.Add(next);
            _next++;
        }
    }

    private void GoTo(long revision)
    {
        _next = 0;
        while (_next < _changes.Count && _changes[_next].Revision <= revision)
            _next++;
    }

    private static string Describe(WatchEvent each) => $"revision {each.Revision}, {each.Key} = {(each.Type == WatchEventType.Delete ? "(deleted)" : Text(each.Value))}{(each.PreviousState == PreviousState.Value ? $" after {Text(each.PreviousValue)}" : "")}";

    private static string Tell(WatchBatch batch) =>
        $"    batch {batch.Number} of {batch.SubscriptionId}: {batch.Previous} to {batch.Revision}: {string.Join("; ", batch.Events.Select(each => each.IsChange ? $"{each.Cause} {Describe(each)}" : $"{each.Type} {each.Revision} {each.Count} {each.Reason}"))}";

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    private static string Text(Dictionary<string, string> state) => string.Join(", ", state.OrderBy(each => each.Key, StringComparer.Ordinal).Select(each => $"{each.Key}={each.Value}"));
}
