using Watch.Core;

namespace Watch.Client;

/// <summary>
/// Which keys a reader of events has, so that a snapshot that comes later, because history no longer had what was missed, can be told as the difference: what is new or changed as puts, what is gone as deletes, then that all is there.
/// </summary>
/// <remarks>
/// I-C3: after <see cref="WatchEventType.Synced"/> a reader who applied every event has exactly the keys of the snapshot, at their revisions.
/// It keeps the keys, not the values. A reader who wants no deletes is told of none here either. One reader.
/// </remarks>
internal sealed class SnapshotKeeper(bool tellsDeletes = true)
{
    private readonly Dictionary<Key, Revision> _had = [];
    private HashSet<Key>? _seen;
    private bool _isComplete;

    /// <summary>What the reader is told of an event.</summary>
    public IEnumerable<WatchEvent> Tell(WatchEvent each)
    {
        switch (each.Type)
        {
            case WatchEventType.SnapshotBegins:
                _seen = [];
                return [_isComplete ? each with { Cause = WatchEventCause.Resync } : each];
            case WatchEventType.Synced when _seen is { } seen:
                _seen = null;
                return [.. Gone(seen, each.Revision), each];
            case WatchEventType.Put when _seen is { } seen && each.Cause == WatchEventCause.Snapshot:
                seen.Add(each.Key);
                var isKnown = _had.TryGetValue(each.Key, out var before) && before == each.Revision;
                _had[each.Key] = each.Revision;
                // Until one was complete each is told in full, for a reader who begins anew with it; what is gone is told all the same.
                if (!_isComplete)
                    return [each];
                return isKnown ? [] : [each with { Cause = WatchEventCause.Resync }];
            case WatchEventType.Put:
                _had[each.Key] = each.Revision;
                return [each];
            case WatchEventType.Delete:
                _had.Remove(each.Key);
                return [each];
            default:
                return [each];
        }
    }

    private List<WatchEvent> Gone(HashSet<Key> seen, Revision at)
    {
        _isComplete = true;
        var gone = _had.Keys.Where(key => !seen.Contains(key)).Order().ToList();
        foreach (var key in gone)
            _had.Remove(key);
        if (!tellsDeletes)
            return [];
        return [.. gone.Select(key => new WatchEvent { Type = WatchEventType.Delete, Key = key, Revision = at, Cause = WatchEventCause.Resync })];
    }
}
