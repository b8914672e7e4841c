namespace Watch.Core.Watching;

/// <summary>What a policy decided about a live revision that does not fit into the queue.</summary>
public enum SlowOutcome
{
    /// <summary>The subscription ends: what waits stays, and the notice takes the slot that was kept for it.</summary>
    Cancel = 0,
}

/// <summary>What happens to a subscription when a live change does not fit into its queue. It never slows anyone else down.</summary>
/// <remarks>
/// A policy only decides; <see cref="WatchTable"/> acts on the outcome. It is asked under the subscription's lock. Replayed
/// history is never put to a policy: replay waits for room, since its length says nothing about the consumer's speed.
/// </remarks>
public abstract class SlowPolicy
{
    private SlowPolicy()
    {
    }

    /// <summary>End the subscription with <see cref="EndReason.Slow"/> and the cursor to resume from.</summary>
    public static SlowPolicy Cancel { get; } = new CancelPolicy();

    internal abstract SlowOutcome DoesNotFit(SubscriptionQueue queue, in QueuedCommit commit);

    private sealed class CancelPolicy : SlowPolicy
    {
        internal override SlowOutcome DoesNotFit(SubscriptionQueue queue, in QueuedCommit commit) => SlowOutcome.Cancel;

        public override string ToString() => "cancel";
    }
}
