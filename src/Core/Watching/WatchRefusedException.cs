namespace Watch.Core.Watching;

/// <summary>Why a watch was refused before it began. The numbers are stable: they travel and are documented.</summary>
public enum WatchRefusal
{
    /// <summary>The key to watch has no bytes.</summary>
    EmptyKey = 1,

    /// <summary>The key or prefix to watch is longer than <see cref="WatchSpec.KeyBytesMax"/> bytes.</summary>
    KeyTooLong = 2,

    /// <summary>The prefix does not both begin and end with <c>/</c>.</summary>
    MalformedPrefix = 3,

    /// <summary>The prefix has more than <see cref="Scope.DepthMax"/> segments.</summary>
    PrefixTooDeep = 4,

    /// <summary>The queue's size in events or bytes is outside what is allowed.</summary>
    QueueSizeOutOfRange = 5,

    /// <summary>This silo serves as many watchers as it may. Not the caller's mistake: try another silo, or later.</summary>
    WatcherLimitReached = 6,

    /// <summary>Watching is switched off by configuration.</summary>
    WatchDisabled = 7,

    /// <summary>This silo is stopping. Try another one.</summary>
    ShuttingDown = 8,

    /// <summary>The range holds no key.</summary>
    MalformedRange = 9,

    /// <summary>The glob is empty, too long, or not well formed.</summary>
    MalformedGlob = 10,

    /// <summary>Several targets were asked for, but none was named.</summary>
    NoTargets = 11,

    /// <summary>More than <see cref="TargetFilter.TargetsMax"/> targets were named.</summary>
    TooManyTargets = 12,

    /// <summary>An option, or a combination of options, is not allowed.</summary>
    OptionOutOfRange = 13,

    /// <summary>The cursor belongs to a watch of other keys.</summary>
    CursorOfAnotherFilter = 14,

    /// <summary>The cursor belongs to a watch of another bucket.</summary>
    CursorOfAnotherBucket = 15,
}

/// <summary>A watch was refused before it began. Nothing was registered.</summary>
/// <param name="code">Why.</param>
/// <param name="message">Names the thing, its value and what is allowed.</param>
public sealed class WatchRefusedException(WatchRefusal code, string message) : Exception(message)
{
    /// <summary>Why.</summary>
    public WatchRefusal Code { get; } = code;
}
