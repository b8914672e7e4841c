using System.Collections.Immutable;
using Watch.Core.Watching;

namespace Watch.Grains.Watching;

/// <summary>What operators see of a silo's watches, and do to them.</summary>
internal sealed partial class WatchDispatcher
{
    private const int DescribedAtOnce = 1_000;

    /// <summary>
    /// This silo's watches in the order of their numbers; one more than asked for where there are more. Each is looked at once, and others
    /// have their turn in between.
    /// </summary>
    public ImmutableArray<WatcherInfo> Describe(WatchersQuestion question)
    {
        Subscription[] all;
        lock (_gate)
            all = [.. _table.Subscriptions];
        Array.Sort(all, static (one, other) => one.Id.Value.CompareTo(other.Id.Value));

        var found = ImmutableArray.CreateBuilder<WatcherInfo>();
        var asked = new WatchQuestion { OnlyLagging = question.Lagging };
        for (var at = 0; at < all.Length && found.Count <= question.Max; at += DescribedAtOnce)
        {
            IReadOnlyList<WatchDescription> slice;
            lock (_gate)
                slice = WatchTable.Describe(all.AsSpan(at, Math.Min(DescribedAtOnce, all.Length - at)), asked);
            var matching = slice.Select(InfoOf).Where(each => question.Target is not { } text || each.Target.Contains(text, StringComparison.Ordinal));
            found.AddRange(matching.Take(question.Max + 1 - found.Count));
        }

        return found.ToImmutable();
    }

    /// <summary>Ends a watch for an operator; false where there is none of that number.</summary>
    public bool EndWatch(long id) => Step(table =>
    {
        _registering.Remove(new SubscriptionId(id));
        return table.Unsubscribe(new SubscriptionId(id), (EndReason)(int)WatchEndReason.Removed, "An operator ended the watch.");
    });

    private WatcherInfo InfoOf(WatchDescription each) => new()
    {
        Silo = _name,
        Id = each.Id.Value,
        Client = each.Client,
        Target = each.Target.ToString(),
        State = System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(each.State.ToString()),
        Why = each.Why,
        Cursor = each.Cursor ?? default,
        QueuedEvents = each.QueuedEvents,
        QueuedBytes = each.QueuedBytes,
        WhenSlow = RequestTranslation.PolicyOf(each.WhenSlow),
        Lagged = each.Dropped,
        LagRevisions = each.LagRevisions,
        LagMs = each.LagMs,
        AgeMs = Math.Max(0, NowMs - each.BegunMs),
        TakenAgoMs = each.TakenMs is { } at ? Math.Max(0, NowMs - at) : null,
        Taken = each.Taken ?? default,
    };
}
