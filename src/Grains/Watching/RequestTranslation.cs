using Watch.Core;
using Watch.Core.Watching;
using Watch.Interfaces;
using CoreTarget = Watch.Core.Watching.WatchTarget;

namespace Watch.Grains.Watching;

/// <summary>
/// What a client asks, as the core's own types: the one place that knows both. What the core does not do yet is refused here, with what it
/// is called, and nothing that was asked for is left out silently.
/// </summary>
internal static class RequestTranslation
{
    /// <summary>What the core is to do for a request.</summary>
    /// <exception cref="WatchException">Something of it is out of its limits, or is not served.</exception>
    public static WatchSpec ToSpec(WatchRequest request, WatchSiloOptions options)
    {
        if (request.Target.Text.Length > options.KeyBytesMax)
            throw new WatchException(WatchErrorCode.InvalidKey, $"The {request.Target.Kind.ToString().ToLowerInvariant()} to watch has {request.Target.Text.Length} bytes; at most {options.KeyBytesMax} are allowed.");
        RefuseUnserved(request);
        return new WatchSpec
        {
            Bucket = request.Bucket,
            Target = ToTarget(request.Target),
            StartAt = request.StartAt,
            PreviousValues = request.PreviousValues,
            QueueEventsMax = request.QueueEventsMax ?? options.QueueEventsDefault,
            QueueBytesMax = request.QueueBytesMax ?? options.QueueBytesMax,
        };
    }

    /// <summary>The code of a refusal.</summary>
    public static WatchErrorCode CodeOf(WatchRefusal refusal) => refusal switch
    {
        WatchRefusal.EmptyKey or WatchRefusal.KeyTooLong => WatchErrorCode.InvalidKey,
        WatchRefusal.MalformedPrefix or WatchRefusal.PrefixTooDeep => WatchErrorCode.InvalidPrefix,
        WatchRefusal.WatcherLimitReached => WatchErrorCode.WatcherLimit,
        WatchRefusal.WatchDisabled => WatchErrorCode.WatchDisabled,
        WatchRefusal.ShuttingDown => WatchErrorCode.ShuttingDown,
        _ => WatchErrorCode.InvalidOption,
    };

    private static CoreTarget ToTarget(WatchTarget target) => target.Kind switch
    {
        WatchTargetKind.Key => CoreTarget.Key(target.Text),
        WatchTargetKind.Prefix => CoreTarget.Prefix(target.Text),
        _ => throw new WatchException(WatchErrorCode.InvalidTarget, $"A watch of {target} is not served by this version."),
    };

    private static void RefuseUnserved(WatchRequest request)
    {
        if (request.Snapshot)
            throw NotServed.Yet("A watch that begins with a snapshot");
        if (request.Filter != EventFilter.None)
            throw NotServed.Yet($"A watch with the filter {request.Filter}");
        if (request.WhenSlow != SlowPolicy.Cancel)
            throw NotServed.Yet($"The policy {request.WhenSlow} for slow readers");
        if (request.ProgressInterval is not null)
            throw NotServed.Yet("A watch that says how far it is");
        if (request.StaleAfter is not null)
            throw NotServed.Yet("A watch that says that it is stale");
    }
}
