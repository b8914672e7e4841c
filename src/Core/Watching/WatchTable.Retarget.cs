namespace Watch.Core.Watching;

// Other targets for a watch that runs. Exact at a revision, and without asking anybody what that revision is:
//
//   I-T1  The new targets hold from the subscription's own cursor on. Everything up to it went through the old ones, everything after
//         it goes through the new ones, and TargetsChanged(From) stands between them. A write that is acknowledged later has a later
//         revision than any cursor.
//   I-T2  Where the scope has all the new keys, the subscription just goes through another form; the scope is not narrowed.
//   I-T3  Where it has not, the subscription leaves it and registers with one that has, its cursor kept, and replays that one's history.
//   I-T4  A watch that began with a snapshot reads another one: its consumer is given what the new targets have now.
//
// A subscription may go from scope to scope while registrations for the scopes before are under way. So an answer counts only for the
// scope that it was asked for; each registration under way has a number of its own.
public sealed partial class WatchTable
{
    /// <summary>Gives a subscription other targets. A version that is not greater than the last one changes nothing and is answered as that was.</summary>
    /// <param name="id">The subscription.</param>
    /// <param name="target">All its targets from now on.</param>
    /// <param name="version">The number of this change, greater than those before.</param>
    /// <param name="nowMs">The time.</param>
    /// <returns>
    /// The revision up to which the old targets hold: the new ones hold for every later one. Null where the subscription has ended, or
    /// has no start yet: then the new targets hold from its start on.
    /// </returns>
    /// <exception cref="WatchRefusedException">The target is not valid; nothing was changed.</exception>
    public Revision? Retarget(SubscriptionId id, WatchTarget target, long version, long nowMs)
    {
        ArgumentNullException.ThrowIfNull(target);
        if (!_subscriptions.TryGetValue(id, out var subscription))
            return null;
        var form = subscription.Group.Form with { Filter = TargetFilter.Of(target) };
        if (version <= (subscription.Retargeted?.Version ?? subscription.Terms.TargetVersion))
            return subscription.Retargeted is { } last ? last.From : subscription.StartAt?.Previous ?? subscription.RegisteredAt;

        var from = FromOf(subscription);
        subscription.Retargeted = new Retargeted(version, from);
        subscription.Cursor = from;
        if (from is { } at)
            subscription.Add(new WatchPart.TargetsChanged(at, version));
        if (!Contains(subscription.Feed.Scope, form.Filter.Scope))
        {
            Move(subscription, form);
            subscription.Target = target;
        }
        else
        {
            subscription.Feed.ChangeForm(subscription, form);
            subscription.Target = target;
            if (subscription is { Terms.Snapshot: true, State: not SubscriptionState.Registering })
                Snapshot(subscription, from!.Value, isResync: true, nowMs);
        }

        return from;
    }

    private Revision? FromOf(Subscription subscription) =>
        subscription.EffectiveCursor is { } cursor && !_rules.RetargetsAtCursor ? Revision.Max(cursor, subscription.Feed.Wanted) : subscription.EffectiveCursor;

    /// <summary>Another scope serves the subscription from its cursor on (I-T3).</summary>
    private void Move(Subscription subscription, WatchForm form)
    {
        var old = subscription.Feed;
        DueList.CallOff(subscription.Retry);
        Forget(subscription.Reader);
        Forget(subscription.Snapshot);
        (subscription.Retry, subscription.Reader, subscription.Snapshot) = (null, null, null);
        old.Remove(subscription);
        var feed = FeedOrNew(subscription.Terms.Bucket, form.Filter.Scope);
        (subscription.Group, subscription.State) = (feed.GroupOf(form), SubscriptionState.Registering);
        feed.Add(subscription);
        feed.KeepRecent(_options);
        Register(feed, subscription.Id);
        if (old.Subscriptions.Count == 0)
            Remove(old);
    }

    private static bool Contains(Scope scope, Scope other) =>
        scope == other || (scope.Kind == ScopeKind.Prefix && other.Text.StartsWith(scope.Text));
}

/// <summary>The last change of a subscription's targets.</summary>
internal sealed record Retargeted(long Version, Revision? From);
