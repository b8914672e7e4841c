namespace Watch.Core.Watching;

/// <summary>When a subscription owes its next word about how far it is, or whether anybody has confirmed that lately. Only those have one that asked for it.</summary>
internal sealed class Freshness(Subscription subscription) : Due
{
    public Subscription Subscription => subscription;

    /// <summary>When it is to be told how far it is; <see cref="Due.Never"/> where it did not ask for that.</summary>
    public long TellMs { get; set; } = Never;

    /// <summary>When it is looked at whether it is stale; <see cref="Due.Never"/> where it did not ask for that.</summary>
    public long LookMs { get; set; } = Never;

    /// <summary>The last time, by the silo's clock, as of which it is known to have been complete (I-P6).</summary>
    public long FreshMs { get; set; }

    /// <summary>The same by the leader's wall clock; 0 until the first confirmation.</summary>
    public long FreshWallMs { get; set; }

    /// <summary>What <see cref="FreshMs"/> was when it was told that it is stale.</summary>
    public long StaleSinceMs { get; set; }

    /// <summary>Whether it was told that it is stale, and nothing else since (I-P8).</summary>
    public bool IsStale { get; set; }

    /// <summary>It is told about the first question with a greater number than this; <see cref="long.MaxValue"/> while it does not ask.</summary>
    public long AskedAt { get; set; } = long.MaxValue;

    /// <summary>The earlier of both times.</summary>
    public long NextMs => Math.Min(TellMs, LookMs);

    /// <summary>Takes in what is known now: whether it is complete as of the last confirmed question.</summary>
    public void Refresh()
    {
        if (subscription.State != SubscriptionState.Live || !subscription.Feed.IsCovered)
            return;
        FreshMs = Math.Max(FreshMs, subscription.Feed.Siblings.ConfirmedMs);
        FreshWallMs = Math.Max(FreshWallMs, subscription.Feed.Siblings.ConfirmedWallMs);
    }
}
