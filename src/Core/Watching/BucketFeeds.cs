namespace Watch.Core.Watching;

/// <summary>
/// The watched scopes of one bucket, and how far its leader has confirmed that those it did not name have not changed. A scope is
/// moved by that when it is looked at, never by walking all of them (I-P4: see <see cref="ScopeFeed.Cursor"/>).
/// </summary>
internal sealed class BucketFeeds(BucketId bucket, WatchRules rules, Action<SubscriptionId> roomAvailable)
{
    public BucketId Bucket => bucket;

    public WatchRules Rules => rules;

    /// <summary>Tells the table that a replay can go on.</summary>
    public Action<SubscriptionId> RoomAvailable => roomAvailable;

    public Dictionary<Scope, ScopeFeed> Scopes { get; } = [];

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
