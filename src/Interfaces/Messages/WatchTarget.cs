using System.Collections.Immutable;
using Orleans;
using Watch.Core;

namespace Watch;

/// <summary>What kind of target a watch has. Numbers never change.</summary>
[GenerateSerializer, Alias("watch.TargetKind")]
public enum WatchTargetKind
{
    /// <summary>One key.</summary>
    Key = 0,

    /// <summary>Every key below a prefix that begins and ends with <c>/</c>.</summary>
    Prefix = 1,

    /// <summary>Every key that begins with these bytes, whatever they are.</summary>
    AnyPrefix = 2,

    /// <summary>Every key from a first one up to, but not including, another.</summary>
    Range = 3,

    /// <summary>Every key that a pattern matches.</summary>
    Glob = 4,

    /// <summary>Every key of the bucket.</summary>
    Bucket = 5,

    /// <summary>Every key of one of several targets.</summary>
    Several = 6,
}

/// <summary>What a watch leaves out. Flags; numbers never change.</summary>
[Flags, GenerateSerializer, Alias("watch.EventFilter")]
public enum EventFilter
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Puts.</summary>
    NoPuts = 1,

    /// <summary>Deletes.</summary>
    NoDeletes = 2,

    /// <summary>Values: events have keys only.</summary>
    KeysOnly = 4,

    /// <summary>Puts of the value that the key had already.</summary>
    OnlyChangedValue = 8,
}

/// <summary>What happens to a watch whose reader is slower than its target changes. It never slows anyone else down. Numbers never change.</summary>
[GenerateSerializer, Alias("watch.SlowPolicy")]
public enum SlowPolicy
{
    /// <summary>Its queue is given up, and what comes is read from history when the reader takes again. Nothing is lost while history has it.</summary>
    Park = 0,

    /// <summary>It ends with <see cref="WatchEndReason.Slow"/> and the cursor to resume from.</summary>
    Cancel = 1,

    /// <summary>Of each key only the newest change waits; <see cref="WatchEventType.Lagged"/> says how many were overtaken.</summary>
    Latest = 2,

    /// <summary>The oldest revisions that wait make room; <see cref="WatchEventType.Lagged"/> says how many events that were.</summary>
    DropOldest = 3,

    /// <summary>What comes is left out until there is room; <see cref="WatchEventType.Lagged"/> says how many events that were.</summary>
    DropNewest = 4,
}

/// <summary>What a watch follows.</summary>
/// <param name="Kind">The kind of target.</param>
/// <param name="Text">The key, the prefix, the first key of the range, or the pattern; empty for a bucket and for several.</param>
/// <param name="End">Of a range, the first key behind it; null where it has no end.</param>
/// <param name="Parts">Of several, the targets: 1 to <see cref="PartsMax"/>, none of them several.</param>
[GenerateSerializer, Immutable, Alias("watch.Target")]
public sealed record WatchTarget(
    [property: Id(0)] WatchTargetKind Kind,
    [property: Id(1)] Key Text,
    [property: Id(2)] Key? End = null,
    [property: Id(3)] ImmutableArray<WatchTarget> Parts = default)
{
    /// <summary>How many targets one watch has at most.</summary>
    public const int PartsMax = 256;

    /// <summary>Follows one key.</summary>
    public static WatchTarget Key(Key key) => new(WatchTargetKind.Key, key);

    /// <summary>Follows one key.</summary>
    public static WatchTarget Key(string key) => Key(Core.Key.Of(key));

    /// <summary>Follows every key below a prefix, which begins and ends with <c>/</c>.</summary>
    public static WatchTarget Prefix(Key prefix) => new(WatchTargetKind.Prefix, prefix);

    /// <summary>Follows every key below a prefix, which begins and ends with <c>/</c>.</summary>
    public static WatchTarget Prefix(string prefix) => Prefix(Core.Key.Of(prefix));

    /// <summary>Follows every key that begins with these bytes.</summary>
    public static WatchTarget AnyPrefix(Key prefix) => new(WatchTargetKind.AnyPrefix, prefix);

    /// <summary>Follows every key that begins with this text.</summary>
    public static WatchTarget AnyPrefix(string prefix) => AnyPrefix(Core.Key.Of(prefix));

    /// <summary>Follows every key from <paramref name="start"/> up to, but not including, <paramref name="end"/>; without an end, every key from there.</summary>
    public static WatchTarget Range(Key start, Key? end) => new(WatchTargetKind.Range, start, end);

    /// <summary>Follows every key from <paramref name="start"/> up to, but not including, <paramref name="end"/>; without an end, every key from there.</summary>
    public static WatchTarget Range(string start, string? end) => Range(Core.Key.Of(start), end is null ? null : Core.Key.Of(end));

    /// <summary>
    /// Follows every key that the pattern matches: <c>*</c> any run without <c>/</c>, <c>**</c> any run, <c>?</c> one byte but <c>/</c>,
    /// <c>[a-c]</c> and <c>[!a-c]</c> one byte, <c>\x</c> just that byte. At most 1,024 bytes.
    /// </summary>
    public static WatchTarget Glob(string pattern) => new(WatchTargetKind.Glob, Core.Key.Of(pattern));

    /// <summary>Follows every key of the bucket.</summary>
    public static WatchTarget Bucket { get; } = new(WatchTargetKind.Bucket, Core.Key.Empty);

    /// <summary>Follows every key of one of these targets, at most <see cref="PartsMax"/>. A key that is in two of them changes once.</summary>
    public static WatchTarget Several(params ReadOnlySpan<WatchTarget> targets) => new(WatchTargetKind.Several, Core.Key.Empty, null, [.. targets]);

    /// <summary>This target and another.</summary>
    public WatchTarget With(WatchTarget other)
    {
        ArgumentNullException.ThrowIfNull(other);
        var parts = AsParts().AddRange(other.AsParts().Where(each => !AsParts().Contains(each)));
        return parts.Length == 1 ? parts[0] : Several(parts.AsSpan());
    }

    /// <summary>This target without another, which has to be one of its parts; null where nothing is left.</summary>
    public WatchTarget? Without(WatchTarget other)
    {
        ArgumentNullException.ThrowIfNull(other);
        var parts = AsParts().RemoveAll(other.AsParts().Contains);
        return parts.Length switch
        {
            0 => null,
            1 => parts[0],
            _ => Several(parts.AsSpan()),
        };
    }

    /// <inheritdoc/>
    public bool Equals(WatchTarget? other) =>
        other is not null && Kind == other.Kind && Text == other.Text && End == other.End && AsSpan(Parts).SequenceEqual(AsSpan(other.Parts));

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Kind, Text, End, Parts.IsDefault ? 0 : Parts.Length);

    /// <inheritdoc/>
    public override string ToString() => Kind switch
    {
        WatchTargetKind.Key => $"key {Text}",
        WatchTargetKind.Prefix => $"prefix {Text}",
        WatchTargetKind.AnyPrefix => $"keys that begin with {Text}",
        WatchTargetKind.Range => End is { } end ? $"keys from {Text} up to {end}" : $"keys from {Text} on",
        WatchTargetKind.Glob => $"keys like {Text}",
        WatchTargetKind.Bucket => "every key",
        WatchTargetKind.Several => string.Join(", ", AsParts()),
        _ => Kind.ToString(),
    };

    private ImmutableArray<WatchTarget> AsParts() => Kind == WatchTargetKind.Several ? (Parts.IsDefault ? [] : Parts) : [this];

    private static ReadOnlySpan<WatchTarget> AsSpan(ImmutableArray<WatchTarget> parts) => parts.IsDefault ? [] : parts.AsSpan();
}
