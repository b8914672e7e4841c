namespace Watch.Core.Watching;

// For people: which watches there are, and how they stand.
public sealed partial class WatchTable
{
    /// <summary>
    /// Describes those of some subscriptions that a question is about, in the order given; those that have ended are left out. Under
    /// whatever serializes the table's calls: whoever asks about many comes with a slice of them at a time, so that events have their
    /// turn in between.
    /// </summary>
    /// <param name="subscriptions">Of <see cref="Subscriptions"/>, now or before.</param>
    /// <param name="question">Which of them.</param>
    public static IReadOnlyList<WatchDescription> Describe(ReadOnlySpan<Subscription> subscriptions, WatchQuestion question)
    {
        ArgumentNullException.ThrowIfNull(question);
        var described = new List<WatchDescription>();
        foreach (var each in subscriptions)
            if (IsAsked(each, question))
                described.Add(Describe(each));
        return described;
    }

    /// <summary>By how many revisions of its bucket, at the last confirmation, a subscription is behind with what its consumer has taken.</summary>
    public static long LagOf(Subscription subscription)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        return LagOf(subscription, subscription.Look().Taken);
    }

    private static bool IsAsked(Subscription subscription, WatchQuestion question) =>
        subscription.State != SubscriptionState.Ended
        && (question.Bucket is not { } bucket || bucket == subscription.Terms.Bucket)
        && (question.Client is not { } client || string.Equals(client, subscription.Terms.Client, StringComparison.Ordinal))
        && (question.Key is not { } key || subscription.Group.Form.Filter.Matches(key))
        && (!question.OnlyLagging || LagOf(subscription, subscription.Look().Taken) > 0);

    private static WatchDescription Describe(Subscription subscription)
    {
        var (spec, feed, form, look) = (subscription.Terms, subscription.Feed, subscription.Group.Form, subscription.Look());
        var confirmedWallMs = feed.Siblings.ConfirmedWallMs;
        return new WatchDescription
        {
            Id = subscription.Id,
            Bucket = spec.Bucket,
            Client = spec.Client,
            Session = spec.Session,
            Target = subscription.Target,
            Filter = form.Events,
            PreviousValues = form.PreviousValues,
            Snapshot = spec.Snapshot,
            State = subscription.State,
            Why = WhyOf(subscription, look),
            Taken = look.Taken,
            Cursor = subscription.EffectiveCursor,
            Head = feed.LastChange,
            LagRevisions = LagOf(subscription, look.Taken),
            LagMs = look.OldestWallMs is { } oldest ? Math.Max(0, confirmedWallMs - oldest) : 0,
            QueuedEvents = look.Events,
            QueuedBytes = look.Bytes,
            QueueEventsMax = subscription.QueueEventsMax,
            QueueBytesMax = subscription.QueueBytesMax,
            WhenSlow = subscription.WhenSlow,
            BegunMs = subscription.BegunMs,
            TakenMs = look.TakenMs,
            Dropped = subscription.Dropped,
        };
    }

    // One that is live and has nothing waiting has all that there is for it, however long ago it took the last change.
    private static long LagOf(Subscription subscription, Revision? taken)
    {
        if (taken is not { } at)
            return 0;
        var has = subscription is { State: SubscriptionState.Live, QueuedEvents: 0 } ? subscription.EffectiveCursor!.Value : at;
        return Math.Max(0, subscription.Feed.Siblings.Confirmed.Value - has.Value);
    }

    private static string WhyOf(Subscription subscription, QueueLook look) => subscription.State switch
    {
        SubscriptionState.Registering => subscription.Retry is { Failures: > 0 and var failures }
            ? $"the leader has not answered its registration: {failures} attempts failed"
            : "the leader has not answered its registration yet",
        SubscriptionState.CatchingUp when look.WaitsForRoom => $"it reads history up to {subscription.Feed.LastChange} at the pace of its consumer, for which {look.Events} events wait",
        SubscriptionState.CatchingUp => $"it reads history up to {subscription.Feed.LastChange}",
        SubscriptionState.Snapshotting => "it reads a snapshot",
        SubscriptionState.Live when subscription.Feed.HasGap => $"it is given every change as it comes; those up to {subscription.Feed.Wanted} are missing and are read from history",
        SubscriptionState.Live => "it is given every change as it comes",
        SubscriptionState.Parked => $"it was too slow; it reads history behind {subscription.Cursor} once its consumer asks for more",
        _ => "it has ended",
    };
}
