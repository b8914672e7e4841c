namespace Watch.Core.Watching;

/// <summary>What kind of target a watch has. The numbers are stable: they travel and are part of a cursor's hash.</summary>
public enum TargetKind : byte
{
    /// <summary>One key, byte for byte.</summary>
    Key = 0,

    /// <summary>Every key below a prefix that begins and ends with <c>/</c>.</summary>
    Prefix = 1,

    /// <summary>Every key that begins with these bytes, wherever they end.</summary>
    AnyPrefix = 2,

    /// <summary>Every key of a half-open range in byte order.</summary>
    Range = 3,

    /// <summary>Every key that a glob pattern matches: see <see cref="Glob"/>.</summary>
    Glob = 4,

    /// <summary>Every key of the bucket.</summary>
    Bucket = 5,

    /// <summary>Every key that one of several targets matches; a change of a key that two of them match is one event.</summary>
    Several = 6,
}

/// <summary>What a watch is about, as it was asked for. <see cref="TargetFilter.Of"/> says whether it is valid and what it means.</summary>
public sealed record WatchTarget
{
    private WatchTarget(TargetKind kind, Key text, Key? end = null, IReadOnlyList<WatchTarget>? parts = null) =>
        (Kind, Text, End, Parts) = (kind, text, end, parts ?? []);

    /// <summary>Which kind it is.</summary>
    public TargetKind Kind { get; }

    /// <summary>The key, the prefix, the pattern, or where the range begins; empty for the other kinds.</summary>
    public Key Text { get; }

    /// <summary>Of a range: the first key behind it, or null where it has no end.</summary>
    public Key? End { get; }

    /// <summary>Of several: the targets; else empty.</summary>
    public IReadOnlyList<WatchTarget> Parts { get; }

    /// <summary>Every key of the bucket.</summary>
    public static WatchTarget Bucket { get; } = new(TargetKind.Bucket, Core.Key.Empty);

    /// <summary>One key, byte for byte.</summary>
    public static WatchTarget Key(Key key) => new(TargetKind.Key, key);

    /// <summary>Every key that begins with this prefix, the key equal to it included. It must begin and end with <c>/</c>.</summary>
    public static WatchTarget Prefix(Key prefix) => new(TargetKind.Prefix, prefix);

    /// <summary>Every key that begins with these bytes, the key equal to them included; all keys where there are none.</summary>
    public static WatchTarget AnyPrefix(Key prefix) => new(TargetKind.AnyPrefix, prefix);

    /// <summary>Every key from <paramref name="start"/> on, up to but not including <paramref name="end"/>; null for no end.</summary>
    public static WatchTarget Range(Key start, Key? end) => new(TargetKind.Range, start, end);

    /// <summary>Every key that the pattern matches: see <see cref="Glob"/>.</summary>
    public static WatchTarget Glob(Key pattern) => new(TargetKind.Glob, pattern);

    /// <summary>Every key that one of these matches: 1 to <see cref="TargetFilter.TargetsMax"/>, none of them several itself.</summary>
    public static WatchTarget Several(IReadOnlyList<WatchTarget> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return new WatchTarget(TargetKind.Several, Core.Key.Empty, parts: [.. parts]);
    }

    /// <summary>The target that is a whole scope.</summary>
    internal static WatchTarget Of(Scope scope) => scope.Kind == ScopeKind.Key ? Key(scope.Text) : scope.Text.IsEmpty ? Bucket : Prefix(scope.Text);

    /// <inheritdoc/>
    public bool Equals(WatchTarget? other) =>
        other is not null && Kind == other.Kind && Text == other.Text && Nullable.Equals(End, other.End) && Parts.SequenceEqual(other.Parts);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Kind, Text, End, Parts.Count);

    /// <summary>For people: the kind and its text, like <c>prefix '/config/'</c>.</summary>
    public override string ToString() => Kind switch
    {
        TargetKind.Key => $"key '{Text}'",
        TargetKind.Prefix => $"prefix '{Text}'",
        TargetKind.AnyPrefix => $"any prefix '{Text}'",
        TargetKind.Range => End is { } end ? $"range '{Text}' to '{end}'" : $"range from '{Text}'",
        TargetKind.Glob => $"glob '{Text}'",
        TargetKind.Bucket => "the whole bucket",
        _ => string.Join(" and ", Parts.Take(3)) + (Parts.Count > 3 ? $" and {Parts.Count - 3} more" : ""),
    };
}
