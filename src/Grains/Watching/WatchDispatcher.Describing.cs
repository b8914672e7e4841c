using System.Collections.Immutable;
using Watch.Core.Watching;

namespace Watch.Grains.Watching;

/// <summary>What operators see of a silo's watches, and do to them.</summary>
internal sealed partial class WatchDispatcher
{
    private const int DescribedAtOnce = 1_000;

    /// <summary>This silo's watches; one more than asked for where there are more.</summary>
    public ImmutableArray<WatcherInfo> Describe(WatchersQuestion question)
    {
        var found = ImmutableArray.CreateBuilder<WatcherInfo>();
        var after = default(SubscriptionId);
        while (found.Count <= question.Max)
        {
            // Not all at once: each step holds the table.
            var page = Step(table => table.Describe(new WatchQuestion { OnlyLagging = question.Lagging, After = after, Max = DescribedAtOnce }));
            var matching = page.Select(InfoOf).Where(each => question.Target is not { } text || each.Target.Contains(text, StringComparison.Ordinal));
            found.AddRange(matching.Take(question.Max + 1 - found.Count));
            if (page.Count < DescribedAtOnce)
                break;
            after = page[^1].Id;
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
