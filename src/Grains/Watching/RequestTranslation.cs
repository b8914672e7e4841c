using Watch.Core;
using Watch.Core.Watching;
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
    public static CoreTarget ToTarget(WatchTarget target, WatchSiloOptions options)
    {
        EnsureShort(target, target.Text, options);
        if (target.End is { } end)
            EnsureShort(target, end, options);
        EnsureOfItsKind(target);
        return target.Kind switch
        {
            WatchTargetKind.Key => CoreTarget.Key(target.Text),
            WatchTargetKind.Prefix => CoreTarget.Prefix(target.Text),
            WatchTargetKind.AnyPrefix => CoreTarget.AnyPrefix(target.Text),
            WatchTargetKind.Range => CoreTarget.Range(target.Text, target.End),
            WatchTargetKind.Glob => CoreTarget.Glob(target.Text),
            WatchTargetKind.Bucket => CoreTarget.Bucket,
            WatchTargetKind.Several => CoreTarget.Several([.. (target.Parts.IsDefault ? [] : target.Parts).Select(part => ToPart(part, options))]),
            _ => throw Invalid($"The target is of kind {(int)target.Kind}: 0 to 6 are allowed."),
        };
    }

    /// <summary>What a cursor of a watch is of: the keys that its target has, and what it leaves out.</summary>
    public static ulong HashOf(WatchSpec spec)
    {
        var hash = TargetFilter.Of(spec.Target).Hash;
        return (hash ^ (ulong)(spec.Filter & ~Core.Watching.EventFilter.KeysOnly)) * 0x100000001B3;
    }

    /// <summary>The code of a refusal.</summary>
    public static WatchErrorCode CodeOf(WatchRefusal refusal) => refusal switch
    {
        WatchRefusal.EmptyKey or WatchRefusal.KeyTooLong => WatchErrorCode.InvalidKey,
        WatchRefusal.MalformedPrefix or WatchRefusal.PrefixTooDeep => WatchErrorCode.InvalidPrefix,
        WatchRefusal.MalformedRange or WatchRefusal.MalformedGlob or WatchRefusal.NoTargets or WatchRefusal.TooManyTargets => WatchErrorCode.InvalidTarget,
        WatchRefusal.CursorOfAnotherFilter or WatchRefusal.CursorOfAnotherBucket => WatchErrorCode.InvalidCursor,
        WatchRefusal.WatcherLimitReached => WatchErrorCode.WatcherLimit,
        WatchRefusal.WatchDisabled => WatchErrorCode.WatchDisabled,
        WatchRefusal.ShuttingDown => WatchErrorCode.ShuttingDown,
        _ => WatchErrorCode.InvalidOption,
    };

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

    private static CoreTarget ToPart(WatchTarget? part, WatchSiloOptions options) => part switch
    {
        null => throw Invalid("One of several targets is missing."),
        { Kind: WatchTargetKind.Several } => throw Invalid($"One of several targets is several itself ({part}): put its parts beside the others."),
        _ => ToTarget(part, options),
    };

    private static void EnsureShort(WatchTarget target, Key text, WatchSiloOptions options)
    {
        if (text.Length > options.KeyBytesMax)
            throw new WatchException(WatchErrorCode.InvalidKey, $"The {NameOf(target.Kind)} to watch has {text.Length} bytes; at most {options.KeyBytesMax} are allowed.");
    }

    // What is said and would not be heeded is a mistake, and its author is told.
    private static void EnsureOfItsKind(WatchTarget target)
    {
        if (target.End is not null && target.Kind != WatchTargetKind.Range)
            throw Invalid($"A {NameOf(target.Kind)} to watch has no end; only a range has.");
        if (!target.Parts.IsDefaultOrEmpty && target.Kind != WatchTargetKind.Several)
            throw Invalid($"A {NameOf(target.Kind)} to watch has no parts; only several targets have.");
        if (!target.Text.IsEmpty && target.Kind is WatchTargetKind.Bucket or WatchTargetKind.Several)
            throw Invalid($"Watching {(target.Kind == WatchTargetKind.Bucket ? "a whole bucket" : "several targets")} takes no text; there is '{target.Text}'.");
    }

    private static string NameOf(WatchTargetKind kind) => kind.ToString().ToLowerInvariant();

    private static WatchException Invalid(string message) => new(WatchErrorCode.InvalidTarget, message);
}
