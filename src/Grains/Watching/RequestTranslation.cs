using Watch.Core;
using Watch.Core.Watching;
using Watch.Interfaces;
using CoreTarget = Watch.Core.Watching.WatchTarget;

namespace Watch.Grains.Watching;

/// <summary>
/// What a client asks, as the core's own types: the one place that knows both. Nothing that was asked for is left out; what the core does
/// not do it refuses itself.
/// </summary>
internal static class RequestTranslation
{
    /// <summary>What the core is to do for a request.</summary>
    /// <exception cref="WatchException">Something of it is out of its limits, or is not served.</exception>
    public static WatchSpec ToSpec(WatchRequest request, WatchOwner owner, WatchSiloOptions options)
    {
        return new WatchSpec
        {
            Bucket = request.Bucket,
            Target = ToTarget(request.Target, options),
            StartAt = request.StartAt,
            PreviousValues = request.PreviousValues,
            Filter = (Core.Watching.EventFilter)(int)request.Filter,
            WhenSlow = ToRule(request.WhenSlow),
            QueueEventsMax = request.QueueEventsMax ?? options.QueueEventsDefault,
            QueueBytesMax = request.QueueBytesMax ?? options.QueueBytesMax,
            Snapshot = request.Snapshot,
            ProgressIntervalMs = (long?)request.ProgressInterval?.TotalMilliseconds,
            StaleAfterMs = (long?)request.StaleAfter?.TotalMilliseconds,
            TargetVersion = request.TargetVersion,
            Client = owner.Client,
            Session = owner.Session,
        };
    }

    /// <summary>The core's target.</summary>
    /// <exception cref="WatchException">Something of it is longer than allowed, it is of no kind that there is, or says what its kind does not have.</exception>
    public static CoreTarget ToTarget(WatchTarget target, WatchSiloOptions options) => TargetTranslation.ToTarget(target, options.KeyBytesMax);

    /// <summary>What a cursor of a watch is of: the keys that its target has, and what it leaves out.</summary>
    public static ulong HashOf(WatchSpec spec)
    {
        var hash = TargetFilter.Of(spec.Target).Hash;
        return (hash ^ (ulong)(spec.Filter & ~Core.Watching.EventFilter.KeysOnly)) * 0x100000001B3;
    }

    /// <summary>The code of a refusal.</summary>
    public static WatchErrorCode CodeOf(WatchRefusal refusal) => TargetTranslation.CodeOf(refusal);

    /// <summary>The policy of a core's rule.</summary>
    public static SlowPolicy PolicyOf(SlowRule rule) => Enum.GetValues<SlowPolicy>().First(policy => ToRule(policy) == rule);

    /// <summary>The core's rule of a policy.</summary>
    /// <exception cref="WatchException">There is no such policy.</exception>
    public static SlowRule ToRule(SlowPolicy policy) => policy switch
    {
        SlowPolicy.Park => SlowRule.Park,
        SlowPolicy.Cancel => SlowRule.Cancel,
        SlowPolicy.Latest => SlowRule.Latest,
        SlowPolicy.DropOldest => SlowRule.DropOldest,
        SlowPolicy.DropNewest => SlowRule.DropNewest,
        _ => throw new WatchException(WatchErrorCode.InvalidOption, $"The policy for slow readers is {(int)policy}: 0 to 4 are allowed."),
    };
}
