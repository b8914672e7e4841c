namespace Watch.Core.Watching;

/// <summary>One thing that a consumer takes; the parts of a watch come in order. Whoever reads them has to know every kind.</summary>
public abstract record WatchPart
{
    private WatchPart()
    {
    }

    /// <summary>A whole revision in this watch's form.</summary>
    /// <param name="Commit">The revision.</param>
    public sealed record Events(SharedCommit Commit) : WatchPart;

    /// <summary>
    /// Some changes of a revision that is too large for one take. All of a revision's fragments come one after the other, from the
    /// first change on, with nothing between them; only the last one moves the cursor.
    /// </summary>
    /// <param name="Commit">The whole revision.</param>
    /// <param name="First">The place of the first of these changes in it.</param>
    /// <param name="Count">How many of its changes.</param>
    /// <param name="IsLast">Whether the revision is complete with these.</param>
    public sealed record Fragment(SharedCommit Commit, int First, int Count, bool IsLast) : WatchPart;

    /// <summary>Events of this watch were dropped, or overtaken by later ones of their keys, as its policy says.</summary>
    /// <param name="Count">How many, since the part before.</param>
    /// <param name="UpTo">The revision up to which every event of the watch was delivered before this part or is counted in one.</param>
    public sealed record Lagged(long Count, Revision UpTo) : WatchPart;

    /// <summary>A snapshot begins: what was gathered of an earlier one that was not completed is void.</summary>
    /// <param name="At">The revision of which it shows the keys.</param>
    /// <param name="IsResync">Whether it stands for changes that cannot be had any more: keys that it lacks are gone.</param>
    public sealed record SnapshotBegins(Revision At, bool IsResync) : WatchPart;

    /// <summary>Some keys of the snapshot.</summary>
    /// <param name="Page">The keys.</param>
    public sealed record SnapshotItems(SharedPage Page) : WatchPart;

    /// <summary>The snapshot is complete; every later change follows.</summary>
    /// <param name="At">The revision of the snapshot.</param>
    public sealed record Synced(Revision At) : WatchPart;

    /// <summary>The watch has other targets from here on.</summary>
    /// <param name="From">Every change up to and including this revision went through the old targets, every later one through the new.</param>
    /// <param name="Version">The number that the change of targets was given.</param>
    public sealed record TargetsChanged(Revision From, long Version) : WatchPart;

    /// <summary>Every event up to this revision was delivered before this part.</summary>
    /// <param name="Revision">The revision.</param>
    /// <param name="ConfirmedWallMs">The leader's wall clock, in milliseconds since 1970-01-01 UTC, at the read that confirmed it: for people.</param>
    public sealed record Progress(Revision Revision, long ConfirmedWallMs) : WatchPart;

    /// <summary>For longer than the watch allows nobody has confirmed that nothing is missing. The next <see cref="Progress"/> ends that.</summary>
    /// <param name="SilentMs">For how long, in milliseconds.</param>
    public sealed record Stale(long SilentMs) : WatchPart;

    /// <summary>In a queue only: what is left of a revision, and how many of its events were overtaken. It is taken as <see cref="Events"/> and <see cref="Lagged"/>.</summary>
    internal sealed record Thinned(SharedCommit Commit, long Overtaken) : WatchPart;
}
