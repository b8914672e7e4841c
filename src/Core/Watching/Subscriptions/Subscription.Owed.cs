namespace Watch.Core.Watching;

// What a subscription owes its consumer beside what waits in its queue: one word about how far it is, made when it is taken, so that
// it never uses up the queue and never waits there twice.
public sealed partial class Subscription
{
    private WatchPart.Progress? _progress;
    private WatchPart.Stale? _stale;

    /// <summary>What it is told about how far it is; null where nobody asked.</summary>
    internal Freshness? Freshness { get; set; }

    private bool IsReady => _queue.IsReady || _progress is not null || _stale is not null;

    /// <summary>Owes how far it is: everything up to that revision is queued or taken. A word that it owes already is replaced.</summary>
    internal void Owe(WatchPart.Progress progress)
    {
        bool wasReady;
        lock (_lock)
        {
            wasReady = IsReady;
            _progress = progress;
            _stale = null;
        }

        Tell(!wasReady);
    }

    /// <summary>Owes the word that it is stale.</summary>
    internal void Owe(WatchPart.Stale stale)
    {
        bool wasReady;
        lock (_lock)
        {
            wasReady = IsReady;
            _stale = stale;
        }

        Tell(!wasReady);
    }

    private WatchPart[] TakeOwed()
    {
        // What was queued and taken since lies behind the revision that was owed: then everything up to there was delivered (I-P7).
        var progress = _progress is { } owed && _queue.Taken is { } taken ? owed with { Revision = Revision.Max(owed.Revision, taken) } : _progress;
        WatchPart?[] parts = [progress, _stale];
        if (progress is not null)
            _queue.Taken = progress.Revision;
        (_progress, _stale) = (null, null);
        return [.. parts.OfType<WatchPart>()];
    }

    // What is given up is no longer delivered before what was owed: the word counts back to where the queue ends now.
    private void OweNoMoreThan(Revision cursor)
    {
        if (_progress is { } progress && progress.Revision > cursor)
            _progress = progress with { Revision = cursor };
    }
}
