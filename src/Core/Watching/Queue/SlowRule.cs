namespace Watch.Core.Watching;

/// <summary>What a policy did with a live revision that does not fit into the queue, or what its table has to do.</summary>
internal enum SlowOutcome
{
    /// <summary>The queue holds it: the cursor moves over it.</summary>
    Kept = 0,

    /// <summary>The subscription ends: what waits stays, and the notice takes the slot that was kept for it.</summary>
    Cancel = 1,

    /// <summary>The subscription gives up its queue and reads history once its consumer asks for more.</summary>
    Park = 2,

    /// <summary>The queue counts it as dropped: the cursor moves over it.</summary>
    Dropped = 3,
}

/// <summary>What happens to a subscription when a live change does not fit into its queue. It never slows anyone else down.</summary>
/// <remarks>
/// A policy changes nothing but the queue, under the subscription's lock; <see cref="WatchTable"/> acts on the outcome. Replayed
/// history is never put to a policy: replay waits for room, since its length says nothing about the consumer's speed.
/// </remarks>
public abstract class SlowRule
{
    private protected SlowRule()
    {
    }

    /// <summary>
    /// What waits is given up, and read again from history once the consumer asks for more: nothing is lost while history lasts,
    /// and a consumer that has stopped costs no memory. The default.
    /// </summary>
    public static SlowRule Park { get; } = new ParkRule();

    /// <summary>End the subscription with <see cref="EndReason.Slow"/> and the cursor to resume from.</summary>
    public static SlowRule Cancel { get; } = new CancelRule();

    /// <summary>Drop whole revisions, the oldest first, and say how many events: the newest stay.</summary>
    public static SlowRule DropOldest { get; } = new DropOldestRule();

    /// <summary>Drop what does not fit, and say how many events: the oldest stay.</summary>
    public static SlowRule DropNewest { get; } = new DropNewestRule();

    /// <summary>Keep the newest change of each key, and say how many events were overtaken.</summary>
    public static SlowRule Latest { get; } = new LatestRule();

    internal abstract SlowOutcome DoesNotFit(SubscriptionQueue queue, SharedCommit commit);

    /// <summary>What waits is more than the bounds, since they were made smaller.</summary>
    internal abstract SlowOutcome IsTooMuch(SubscriptionQueue queue);

    /// <summary>Adds a replayed revision if there is room for it.</summary>
    internal virtual bool TryReplay(SubscriptionQueue queue, SharedCommit commit) => queue.TryAdd(commit);

    private sealed class ParkRule : SlowRule
    {
        internal override SlowOutcome DoesNotFit(SubscriptionQueue queue, SharedCommit commit) => SlowOutcome.Park;

        internal override SlowOutcome IsTooMuch(SubscriptionQueue queue) => SlowOutcome.Park;

        public override string ToString() => "park";
    }

    private sealed class CancelRule : SlowRule
    {
        internal override SlowOutcome DoesNotFit(SubscriptionQueue queue, SharedCommit commit) => SlowOutcome.Cancel;

        internal override SlowOutcome IsTooMuch(SubscriptionQueue queue) => SlowOutcome.Cancel;

        public override string ToString() => "cancel";
    }

    private sealed class DropOldestRule : SlowRule
    {
        internal override SlowOutcome DoesNotFit(SubscriptionQueue queue, SharedCommit commit)
        {
            while (!queue.TryAdd(commit))
                if (!queue.TryDropOldest())
                {
                    // What is left are keys of a snapshot, or a revision that was taken in part: they have to come first.
                    queue.Drop(commit);
                    return SlowOutcome.Dropped;
                }

            return SlowOutcome.Kept;
        }

        internal override SlowOutcome IsTooMuch(SubscriptionQueue queue)
        {
            while (queue.IsTooFull && queue.TryDropOldest())
            {
            }

            return SlowOutcome.Kept;
        }

        public override string ToString() => "drop oldest";
    }

    private sealed class DropNewestRule : SlowRule
    {
        internal override SlowOutcome DoesNotFit(SubscriptionQueue queue, SharedCommit commit)
        {
            queue.Drop(commit);
            return SlowOutcome.Dropped;
        }

        internal override SlowOutcome IsTooMuch(SubscriptionQueue queue)
        {
            queue.DropNewest();
            return SlowOutcome.Kept;
        }

        public override string ToString() => "drop newest";
    }

    private sealed class LatestRule : SlowRule
    {
        // More keys than fit: they are read again when the consumer asks for more, and overtake each other on the way.
        internal override SlowOutcome DoesNotFit(SubscriptionQueue queue, SharedCommit commit) =>
            queue.TryCoalesce(commit) ? SlowOutcome.Kept : SlowOutcome.Park;

        internal override SlowOutcome IsTooMuch(SubscriptionQueue queue)
        {
            queue.Coalesce();
            return queue.IsTooFull ? SlowOutcome.Park : SlowOutcome.Kept;
        }

        internal override bool TryReplay(SubscriptionQueue queue, SharedCommit commit) => queue.TryAdd(commit) || queue.TryCoalesce(commit);

        public override string ToString() => "latest";
    }
}
