using System.Collections.Immutable;
using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Grains.Watching;

/// <summary>What a watch takes from its queue, as readers of this process get it.</summary>
internal static class LocalEvents
{
    /// <summary>The batch of one take.</summary>
    /// <param name="items">What was taken.</param>
    /// <param name="registration">The watch's.</param>
    /// <param name="number">The batch's number.</param>
    public static WatchBatch ToBatch(WatchItems items, WatchRegistration registration, long number)
    {
        var previous = items.Previous ?? registration.Start;
        if (items.End is { } end)
            return new WatchBatch(registration.SubscriptionId, previous, end.Cursor ?? previous, [ToEvent(end, previous)], Number: number);

        var events = ImmutableArray.CreateBuilder<WatchEvent>();
        foreach (var commit in items.Commits)
            foreach (var change in commit.Changes)
                events.Add(ToEvent(change, items.PreviousOf(change)));
        return new WatchBatch(registration.SubscriptionId, previous, items.Commits[^1].Revision, events.DrainToImmutable(), Number: number);
    }

    private static WatchEvent ToEvent(Change change, PreviousValue previous) => new()
    {
        Type = change.Kind == ChangeKind.Put ? WatchEventType.Put : WatchEventType.Delete,
        Key = change.Key,
        Value = change.Value,
        PreviousState = (Watch.PreviousState)(int)previous.State,
        PreviousValue = previous.Value,
        Revision = change.Revision,
        CreateRevision = change.CreateRevision,
        Version = change.Version,
        CommitTimeMs = change.CommitTimeMs,
        Cause = change.Kind == ChangeKind.Put ? WatchEventCause.Put : WatchEventCause.Delete,
    };

    private static WatchEvent ToEvent(EndNotice end, Revision previous) => new()
    {
        Type = WatchEventType.Canceled,
        Key = end.Key,
        Revision = end.Cursor ?? previous,
        Reason = (WatchEndReason)(int)end.Reason,
        Message = end.Message,
        FirstAvailable = end.FirstAvailable ?? default,
    };
}
