using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Grains.Watching;

/// <summary>What a watch takes from its queue, as readers of this process get it.</summary>
internal static class LocalEvents
{
    /// <summary>The batch of one take.</summary>
    /// <param name="items">What was taken.</param>
    /// <param name="id">The watch's number.</param>
    /// <param name="start">Its start.</param>
    public static WatchBatch ToBatch(WatchItems items, long id, Revision start)
    {
        var previous = items.Previous ?? start;
        if (items.End is { } end)
            return new WatchBatch(id, previous, end.Cursor ?? previous, [ToEvent(end, previous)], Number: items.Number);

        // What is most often taken, one revision, is made once for all its watches.
        if (items.Parts is [WatchPart.Events { Commit: var single }])
            return new WatchBatch(id, previous, items.Revision ?? previous, Of(single), Number: items.Number);

        var events = ImmutableArray.CreateBuilder<WatchEvent>();
        foreach (var part in items.Parts)
        {
            if (part is WatchPart.Events { Commit: var commit })
                events.AddRange(Of(commit));
            else if (part is WatchPart.SnapshotItems { Page: var page })
                events.AddRange(Of(page));
            else
                events.Add(MarkerOf(part, items.Revision ?? previous));
        }

        return new WatchBatch(id, previous, items.Revision ?? previous, events.DrainToImmutable(), Number: items.Number);
    }

    private static ImmutableArray<WatchEvent> Of(SharedCommit commit) => ImmutableCollectionsMarshal.AsImmutableArray(commit.Local(static shared =>
    {
        var events = new WatchEvent[shared.Events];
        for (var at = 0; at < events.Length; at++)
            events[at] = ToEvent(shared.Changes[at], shared.Form);
        return events;
    }));

    private static ImmutableArray<WatchEvent> Of(SharedPage page) => ImmutableCollectionsMarshal.AsImmutableArray(page.Local(static shared =>
    {
        var events = new WatchEvent[shared.Items.Count];
        for (var at = 0; at < events.Length; at++)
            events[at] = ToEvent(shared.Items[at], shared.ValueOf(shared.Items[at]));
        return events;
    }));

    private static WatchEvent ToEvent(Change change, WatchForm form)
    {
        var previous = form.PreviousOf(change);
        return new WatchEvent
        {
            Type = change.Kind == ChangeKind.Put ? WatchEventType.Put : WatchEventType.Delete,
            Key = change.Key,
            Value = form.ValueOf(change),
            PreviousState = (Watch.PreviousState)(int)previous.State,
            PreviousValue = previous.Value,
            Revision = change.Revision,
            CreateRevision = change.CreateRevision,
            Version = change.Version,
            CommitTimeMs = change.CommitTimeMs,
            Cause = (WatchEventCause)change.Cause,
            Position = change.Position,
            Writer = change.Writer,
        };
    }

    private static WatchEvent ToEvent(KeyValue item, ReadOnlyMemory<byte> value) => new()
    {
        Type = WatchEventType.Put,
        Key = item.Key,
        Value = value,
        Revision = item.ModRevision,
        CreateRevision = item.CreateRevision,
        Version = item.Version,
        Cause = WatchEventCause.Snapshot,
    };

    private static WatchEvent MarkerOf(WatchPart part, Revision cursor) => part switch
    {
        WatchPart.Lagged lagged => new WatchEvent { Type = WatchEventType.Lagged, Count = lagged.Count, Revision = lagged.UpTo },
        WatchPart.SnapshotBegins begins => new WatchEvent { Type = WatchEventType.SnapshotBegins, Revision = begins.At, Cause = begins.IsResync ? WatchEventCause.Resync : WatchEventCause.Snapshot },
        WatchPart.Synced synced => new WatchEvent { Type = WatchEventType.Synced, Revision = synced.At },
        WatchPart.TargetsChanged changed => new WatchEvent { Type = WatchEventType.TargetsChanged, Revision = changed.From, Count = changed.Version },
        WatchPart.Progress progress => new WatchEvent { Type = WatchEventType.Progress, Revision = progress.Revision, ConfirmedTimeMs = progress.ConfirmedWallMs },
        WatchPart.Stale stale => new WatchEvent { Type = WatchEventType.Stale, Count = stale.SilentMs, Revision = cursor },
        _ => throw new InvariantViolationException($"{part.GetType().Name} was taken, which a reader without bounds in bytes never is given."),
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
