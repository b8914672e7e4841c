namespace Watch.Core.Watching;

// What a subscription owes its consumer beside what waits in its queue: one word about how far it is, made when it is taken, so that
// it never uses up the queue and never waits there twice.
public sealed partial class Subscription
{
    private bool IsReady => _queue is { IsReady: true } || OwesAny;

    private bool OwesAny => _rare is { Progress: not null } or { Stale: not null };

    /// <summary>Owes how far it is: everything up to that revision is queued or taken. A word that it owes already is replaced.</summary>
    internal void Owe(WatchPart.Progress progress)
    {
        bool wasReady;
        lock (Gate)
        {
            wasReady = IsReady;
            (Rare.Progress, Rare.Stale) = (progress, null);
        }

        Tell(!wasReady);
    }

    /// <summary>Owes the word that it is stale.</summary>
    internal void Owe(WatchPart.Stale stale)
    {
        bool wasReady;
        lock (Gate)
        {
            wasReady = IsReady;
            Rare.Stale = stale;
        }

        Tell(!wasReady);
    }

    /// <summary>Whether nothing can have been delivered up to there: it begins behind it.</summary>
    internal bool IsBeforeStart(Revision cursor) => StartAt > cursor;

    private WatchPart[] TakeOwed()
    {
        var (owed, stale) = (Rare.Progress, Rare.Stale);
        // What was queued and taken since lies behind the revision that was owed: then everything up to there was delivered (I-P7).
        var progress = owed is not null && Taken is { } taken && !IsBeforeStart(taken) ? owed with { Revision = Revision.Max(owed.Revision, taken) } : owed;
        WatchPart?[] parts = [progress, stale];
        if (progress is not null)
            Queue.Taken = Taken is { } before ? Revision.Max(before, progress.Revision) : progress.Revision;
        OweNothing();
        return [.. parts.OfType<WatchPart>()];
    }

    private void OweNothing()
    {
        if (_rare is { } rare)
            (rare.Progress, rare.Stale) = (null, null);
    }

    // Amid a snapshot nothing is complete up to any revision: what was owed before it began is owed of the revision at which it ends.
    private void WithholdAmidSnapshot(WatchPart part)
    {
        if (_rare is not { } rare)
            return;
        if (part is WatchPart.SnapshotBegins && rare.Progress is { } owed)
            (rare.Withheld, rare.Progress) = (owed, null);
        else if (part is WatchPart.Synced { At: var at } && rare.Withheld is { } withheld)
            (rare.Withheld, rare.Progress) = (null, withheld with { Revision = Revision.Max(withheld.Revision, at) });
    }

    // What is given up is no longer delivered before what was owed: the word counts back to where the queue ends now.
    private void OweNoMoreThan(Revision cursor)
    {
        if (_rare is { Progress: { } progress } rare && progress.Revision > cursor)
            rare.Progress = progress with { Revision = cursor };
    }
}
