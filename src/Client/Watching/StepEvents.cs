using Watch.Core;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>The parts of a step that tell of no key, as events.</summary>
internal static class StepEvents
{
    /// <summary>The event.</summary>
    /// <param name="part">The part.</param>
    /// <param name="cursor">The watch's cursor after the step.</param>
    /// <exception cref="FormatException">The kind is not known here.</exception>
    public static WatchEvent Of(StepPart part, Revision cursor) => part.Kind switch
    {
        StepKind.Lagged => new WatchEvent { Type = WatchEventType.Lagged, Count = part.A, Revision = new Revision(part.B) },
        StepKind.SnapshotBegins => new WatchEvent { Type = WatchEventType.SnapshotBegins, Revision = new Revision(part.A), Cause = part.B == 1 ? WatchEventCause.Resync : WatchEventCause.Snapshot },
        StepKind.Synced => new WatchEvent { Type = WatchEventType.Synced, Revision = new Revision(part.A) },
        StepKind.TargetsChanged => new WatchEvent { Type = WatchEventType.TargetsChanged, Revision = new Revision(part.A), Count = part.B },
        StepKind.Progress => new WatchEvent { Type = WatchEventType.Progress, Revision = new Revision(part.A), ConfirmedTimeMs = part.B },
        StepKind.Stale => new WatchEvent { Type = WatchEventType.Stale, Count = part.A, Revision = cursor },
        StepKind.End when part.End is { } end => new WatchEvent
        {
            Type = WatchEventType.Canceled,
            Key = end.Key,
            Revision = cursor,
            Reason = end.Reason,
            Message = end.Message,
            FirstAvailable = end.FirstAvailable,
        },
        _ => throw new FormatException($"A step of kind {(int)part.Kind} is not known."),
    };
}
