using Watch.Core;

namespace Watch.Client;

/// <summary>
/// The changes of target that a watch was asked for and its reader has not met yet, in order. Up to where the reader meets one the target
/// before it holds.
/// </summary>
/// <remarks>
/// Where a change takes effect is decided once: by the server's answer, or, where a watch is resumed before there is one, by the reader's
/// cursor. Whoever decides second is told what was decided. An answer decides only while the feed that gave it is the one that is read: one
/// that comes later, of a session that was lost, would name a revision that the reader may have passed with the old target. A feed that
/// does not know of a change which was promised is told of none: the next one takes effect where that one does. Its server would name a
/// revision of its own, perhaps an earlier one, and the change that was promised would be skipped. Thread-safe.
/// </remarks>
internal sealed class TargetChanges
{
    private readonly Lock _gate = new();
    private readonly List<TargetChange> _open = [];
    private long _version;
    private long _feeds;
    private bool _owes;

    /// <summary>The last one, if there is any.</summary>
    public TargetChange? Last
    {
        get
        {
            lock (_gate)
                return _open.Count == 0 ? null : _open[^1];
        }
    }

    /// <summary>One more. It is noted before the server is told, since its reader may meet it before the answer is here.</summary>
    public TargetChange Tell(WatchTarget target)
    {
        lock (_gate)
        {
            var change = new TargetChange(++_version, target);
            _open.Add(change);
            return change;
        }
    }

    /// <summary>Another feed is about to be read. Answers whether it owes a change: one that was promised, and of which its server knows nothing.</summary>
    public bool Resumed()
    {
        lock (_gate)
        {
            _feeds++;
            return _owes = _open is [{ From: not null }, ..];
        }
    }

    /// <summary>Up to where the feed that is read is good: where a change that it owes takes effect. Null where it owes none.</summary>
    public Revision? GoodUpTo
    {
        get
        {
            lock (_gate)
                return _owes && _open.Count > 0 ? _open[0].From : null;
        }
    }

    /// <summary>Whether a change takes effect at the reader's cursor that the feed will not tell of.</summary>
    public bool IsDueAt(Revision cursor)
    {
        lock (_gate)
            return _open.Count > 0 && (_open[0].From is { } from ? _owes && from <= cursor : _open[0].IsGivenUp);
    }

    /// <summary>
    /// The number of the feed that is to be told of a change, for <see cref="Taken"/>: of one that was read both before and after this call.
    /// Null where none is: what a change before owes decides this one, too, or will when it is decided itself.
    /// </summary>
    /// <param name="change">The change.</param>
    /// <param name="decided">Where it takes effect, if that is decided.</param>
    public long? FeedToTell(TargetChange change, out Revision? decided)
    {
        lock (_gate)
        {
            var feed = FeedToTell(change);
            decided = change.From;
            return feed;
        }
    }

    /// <summary>The server of a feed has taken it. Answers with where it takes effect; null where another feed is read by now.</summary>
    public Revision? Taken(TargetChange change, long feed, Revision from, ulong filterHash)
    {
        lock (_gate)
        {
            if (change.From is null && feed == _feeds)
                (change.From, change.FilterHash, change.Feed) = (from, filterHash, feed);
            return change.From;
        }
    }

    /// <summary>
    /// Nobody waits for its answer any more: it takes effect where the reader is, unless that is decided. Answers with what is decided.
    /// </summary>
    public Revision? GiveUp(TargetChange change)
    {
        lock (_gate)
        {
            FeedToTell(change);
            change.IsGivenUp = true;
            return change.From;
        }
    }

    /// <summary>A server refused it: it is forgotten, unless it was decided before, since its reader was told of it or is about to be.</summary>
    public void Refused(TargetChange change)
    {
        lock (_gate)
        {
            if (change.From is null)
                _open.Remove(change);
        }
    }

    /// <summary>
    /// The change that takes effect where a reader goes on: the first one, if it was promised for no later revision. One of which nothing was
    /// promised takes effect right there.
    /// </summary>
    /// <param name="cursor">The reader's cursor.</param>
    /// <param name="beginsAnew">Whether the watch begins a snapshot, which makes up for every revision that was promised.</param>
    public TargetChange? DueAt(Revision cursor, bool beginsAnew)
    {
        lock (_gate)
        {
            if (_open.Count == 0 || (_open[0].From > cursor && !beginsAnew))
                return null;
            _open[0].From ??= cursor;
            return _open[0];
        }
    }

    /// <summary>The reader met one, and with it those before. Null where it is not known here.</summary>
    public TargetChange? Met(long version, Revision from)
    {
        lock (_gate)
        {
            var at = _open.FindIndex(each => each.Version == version);
            if (at < 0)
                return null;
            var met = _open[at];
            for (var each = 0; each <= at; each++)
                _open[each].From ??= from;
            _open.RemoveRange(0, at + 1);
            return met;
        }
    }

    // The gate is held.
    private long? FeedToTell(TargetChange change)
    {
        var at = _open.IndexOf(change);
        if (at <= 0)
            return _feeds;
        var before = _open[at - 1];
        if (before.From is not null && before.Feed == _feeds)
            return _feeds;
        change.From ??= before.From;
        return null;
    }
}

/// <summary>A change of a watch's target.</summary>
internal sealed class TargetChange(long version, WatchTarget target)
{
    /// <summary>1, 2, 3 … of the watch.</summary>
    public long Version => version;

    /// <summary>What is followed from there on.</summary>
    public WatchTarget Target => target;

    /// <summary>The revision after which changes are of the new target; null while that is not decided. Read and written under the gate of its watch's changes.</summary>
    public Revision? From { get; set; }

    /// <summary>Whether nobody waits for its answer any more.</summary>
    public bool IsGivenUp { get; set; }

    /// <summary>The feed whose server decided that.</summary>
    public long Feed { get; set; } = -1;

    /// <summary>What a cursor is of from there on; 0 where that is not known.</summary>
    public ulong FilterHash { get; set; }
}
