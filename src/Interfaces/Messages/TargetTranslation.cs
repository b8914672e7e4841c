using Watch.Core;
using Watch.Core.Watching;
using CoreTarget = Watch.Core.Watching.WatchTarget;

namespace Watch.Interfaces;

/// <summary>What a client names as a watch's target, as the core's own type; what the core does not do is refused.</summary>
internal static class TargetTranslation
{
    /// <summary>Sees to it that a target is one that some server may follow; a server may be set to allow shorter keys than that.</summary>
    /// <exception cref="WatchException">It is not valid.</exception>
    public static void EnsureValid(WatchTarget target)
    {
        try
        {
            TargetFilter.Of(ToTarget(target, WatchSpec.KeyBytesMax));
        }
        catch (WatchRefusedException refused)
        {
            throw new WatchException(CodeOf(refused.Code), refused.Message);
        }
    }

    /// <summary>The core's target.</summary>
    /// <param name="target">What the client names.</param>
    /// <param name="keyBytesMax">How many bytes each of its texts may have.</param>
    /// <exception cref="WatchException">Something of it is longer than allowed, it is of no kind that there is, or says what its kind does not have.</exception>
    public static CoreTarget ToTarget(WatchTarget target, int keyBytesMax)
    {
        EnsureShort(target, target.Text, keyBytesMax);
        if (target.End is { } end)
            EnsureShort(target, end, keyBytesMax);
        EnsureOfItsKind(target);
        return target.Kind switch
        {
            WatchTargetKind.Key => CoreTarget.Key(target.Text),
            WatchTargetKind.Prefix => CoreTarget.Prefix(target.Text),
            WatchTargetKind.AnyPrefix => CoreTarget.AnyPrefix(target.Text),
            WatchTargetKind.Range => CoreTarget.Range(target.Text, target.End),
            WatchTargetKind.Glob => CoreTarget.Glob(target.Text),
            WatchTargetKind.Bucket => CoreTarget.Bucket,
            WatchTargetKind.Several => CoreTarget.Several([.. (target.Parts.IsDefault ? [] : target.Parts).Select(part => ToPart(part, keyBytesMax))]),
            _ => throw Invalid($"The target is of kind {(int)target.Kind}: 0 to 6 are allowed."),
        };
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

    private static CoreTarget ToPart(WatchTarget? part, int keyBytesMax) => part switch
    {
        null => throw Invalid("One of several targets is missing."),
        { Kind: WatchTargetKind.Several } => throw Invalid($"One of several targets is several itself ({part}): put its parts beside the others."),
        _ => ToTarget(part, keyBytesMax),
    };

    private static void EnsureShort(WatchTarget target, Key text, int keyBytesMax)
    {
        if (text.Length > keyBytesMax)
            throw new WatchException(WatchErrorCode.InvalidKey, $"The {NameOf(target.Kind)} to watch has {text.Length} bytes; at most {keyBytesMax} are allowed.");
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
