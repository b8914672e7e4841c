namespace Watch.Client;

/// <summary>
/// The changes of target that a watch was told and its reader has not met yet. Up to where the reader meets one the old target holds: a watch
/// that is lost before is resumed with the old target, and told the change again. Thread-safe.
/// </summary>
internal sealed class TargetChanges
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<long, (WatchTarget Target, ulong FilterHash)> _told = [];
    private long _version;

    /// <summary>The number of the next change.</summary>
    public long NextVersion() => Interlocked.Increment(ref _version);

    /// <summary>The last one, if there is any.</summary>
    public (long Version, WatchTarget Target)? Last
    {
        get
        {
            lock (_gate)
                return _told.Count == 0 ? null : (_told.Keys.Last(), _told.Values.Last().Target);
        }
    }

    /// <summary>The server is told one.</summary>
    public void Tell(long version, WatchTarget target)
    {
        lock (_gate)
            _told[version] = (target, 0);
    }

    /// <summary>The server has taken it.</summary>
    public void Taken(long version, ulong filterHash)
    {
        lock (_gate)
        {
            if (_told.TryGetValue(version, out var told))
                _told[version] = told with { FilterHash = filterHash };
        }
    }

    /// <summary>The server refused it.</summary>
    public void Refused(long version)
    {
        lock (_gate)
            _told.Remove(version);
    }

    /// <summary>The reader met one: what is followed from here on. Null where it is not known here.</summary>
    public (WatchTarget Target, ulong FilterHash)? Met(long version)
    {
        lock (_gate)
        {
            if (!_told.TryGetValue(version, out var met))
                return null;
            foreach (var each in _told.Keys.Where(each => each <= version).ToList())
                _told.Remove(each);
            return met;
        }
    }
}
