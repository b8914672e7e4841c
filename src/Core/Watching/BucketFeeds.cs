namespace Watch.Core.Watching;

/// <summary>
/// The watched scopes of one bucket, and how far its leader has confirmed that those it did not name have not changed. A scope is
/// moved by that when it is looked at, never by walking all of them (I-P4: see <see cref="ScopeFeed.Cursor"/>).
/// </summary>
internal sealed class BucketFeeds(BucketId bucket, WatchRules rules, Action<SubscriptionId> roomAvailable)
{
    private Dictionary<Scope, UnknownScope>? _unknown;

    public BucketId Bucket => bucket;

    public WatchRules Rules => rules;

    /// <summary>Tells the table that a replay can go on.</summary>
    public Action<SubscriptionId> RoomAvailable => roomAvailable;

    public Dictionary<Scope, ScopeFeed> Scopes { get; } = [];

    /// <summary>Whether there are scopes that have begun and that the leader is known to lack.</summary>
    public bool HasUnknown => _unknown is { Count: > 0 };

    /// <summary>The registering of a scope again, of which the leader is known to lack it; else null.</summary>
    public UnknownScope? Unknown(Scope scope) => _unknown?.GetValueOrDefault(scope);

    /// <summary>The leader lacks a scope that has begun.</summary>
    public UnknownScope Lacks(ScopeFeed feed)
    {
        var unknown = new UnknownScope(feed);
        (_unknown ??= []).Add(feed.Scope, unknown);
        return unknown;
    }

    /// <summary>The leader has a scope, or nobody watches it any more.</summary>
    public void KnowsOf(Scope scope)
    {
        if (_unknown?.Remove(scope, out var unknown) != true)
            return;
        DueList.CallOff(unknown);
        if (_unknown.Count == 0)
            _unknown = null;
    }

    /// <summary>The last question whose answer confirmed all scopes that it did not name; 0 for none yet.</summary>
    public long ConfirmedQuestion { get; private set; }

    /// <summary>The bucket's revision in that answer.</summary>
    public Revision Confirmed { get; private set; }

    /// <summary>When that question was sent, by the silo's clock: nothing was missing then (I-P6).</summary>
    public long ConfirmedMs { get; private set; }

    /// <summary>The leader's wall clock in that answer: for people.</summary>
    public long ConfirmedWallMs { get; private set; }

    /// <summary>
    /// The answer to a question says that it named every scope of this silo that had changed since the answer before it (I-P4).
    /// Call it after its heads were wanted.
    /// </summary>
    public void Confirm(long question, Revision revision, long sentMs, long wallMs)
    {
        if (question <= ConfirmedQuestion)
            return;
        (ConfirmedQuestion, ConfirmedMs, ConfirmedWallMs) = (question, sentMs, wallMs);
        Confirmed = Revision.Max(Confirmed, revision);
    }
}
