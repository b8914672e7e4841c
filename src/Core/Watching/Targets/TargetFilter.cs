namespace Watch.Core.Watching;

/// <summary>
/// What a target means: the keys that it matches, and the one scope that has all of them. Immutable, and equal to any other that
/// matches the same keys in the same way, however it was written.
/// </summary>
/// <remarks>
/// A watch is served by one scope: messages come per scope, and a chain of messages exists per scope only. Where the target is
/// less than its scope, each change is tested. F1: every key that matches is contained in the scope. F2: where
/// <see cref="IsWholeScope"/>, every key of the scope matches.
/// </remarks>
public sealed class TargetFilter : IEquatable<TargetFilter>
{
    /// <summary>How many targets one watch can have.</summary>
    public const int TargetsMax = 256;

    // Of a whole scope both are null: a silo may serve a million of them.
    private readonly KeyRange[]? _exact;
    private readonly Glob[]? _globs;

    private TargetFilter(Scope scope, KeyRange[]? exact = null, Glob[]? globs = null) => (Scope, _exact, _globs) = (scope, exact, globs);

    /// <summary>The deepest scope that has every matching key; that of a key only where no other key can match.</summary>
    public Scope Scope { get; }

    /// <summary>Whether all keys of the scope match, so that nothing need be tested.</summary>
    public bool IsWholeScope => _exact is null;

    /// <summary>Sorted, disjoint ranges that hold every key that matches, and perhaps others: what a snapshot reads.</summary>
    public IReadOnlyList<KeyRange> Ranges => IsWholeScope
        ? [Scope.Range]
        : _globs!.Length == 0 ? _exact! : RangeSet.Merge([.. _exact!, .. _globs.Select(glob => KeyRange.Prefix(glob.Head))]);

    /// <summary>
    /// 64 bits that two filters share if they are equal, and hardly ever else: by FNV-1a over its ranges and patterns, the same
    /// in every process. A cursor carries it, so that it is not used with another filter.
    /// </summary>
    public ulong Hash
    {
        get
        {
            var hash = Fnv.Basis;
            foreach (var range in _exact ?? [Scope.Range])
                hash = Fnv.Add(Fnv.Add(Fnv.Add(hash, 1), range.Start.Span), range.End is { } end ? end.Span : default);
            foreach (var glob in _globs ?? [])
                hash = Fnv.Add(Fnv.Add(hash, 2), glob.Pattern.Span);
            return hash;
        }
    }

    /// <summary>Every key of a scope.</summary>
    internal static TargetFilter Whole(Scope scope) => new(scope);

    /// <summary>What a target means.</summary>
    /// <exception cref="WatchRefusedException">The target is not valid.</exception>
    public static TargetFilter Of(WatchTarget target)
    {
        ArgumentNullException.ThrowIfNull(target);
        switch (target.Kind)
        {
            case TargetKind.Key:
                return new TargetFilter(Scope.OfKey(KeyIn(target)));
            case TargetKind.Prefix:
                return new TargetFilter(Scope.OfPrefix(PrefixIn(target)));
            case TargetKind.Bucket:
                return new TargetFilter(Scope.Bucket);
            case TargetKind.Several:
                return Join(PartsOf(target));
            default:
                return Join([target]);
        }
    }

    /// <summary>Whether a change of this key is a change of the target.</summary>
    public bool Matches(Key key)
    {
        if (IsWholeScope)
            return Scope.Contains(key);
        if (RangeSet.Contains(_exact!, key))
            return true;
        foreach (var glob in _globs!)
            if (glob.Matches(key))
                return true;
        return false;
    }

    /// <inheritdoc/>
    public bool Equals(TargetFilter? other)
    {
        if (ReferenceEquals(this, other))
            return true;
        if (other is null || Scope != other.Scope || IsWholeScope != other.IsWholeScope)
            return false;
        return IsWholeScope || (_exact.AsSpan().SequenceEqual(other._exact) && _globs.AsSpan().SequenceEqual(other._globs));
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TargetFilter);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Scope, _exact?.Length, _globs?.Length);

    /// <summary>For people: the scope, and how much of it.</summary>
    public override string ToString() => IsWholeScope ? Scope.ToString() : $"{Scope}, of it {_exact!.Length} ranges and {_globs!.Length} patterns";

    private static TargetFilter Join(IReadOnlyList<WatchTarget> parts)
    {
        var ranges = new List<KeyRange>();
        var globs = new List<Glob>();
        foreach (var part in parts)
        {
            if (part.Kind != TargetKind.Glob)
                ranges.Add(RangeOf(part));
            else if (Glob.Parse(part.Text) is { IsPlain: false, IsPrefix: false } glob)
                globs.Add(glob);
            else
                ranges.Add(Plain(Glob.Parse(part.Text)));
        }

        var exact = RangeSet.Merge(ranges);
        var common = exact.Select(RangeSet.CommonPrefix).Concat(globs.Select(glob => glob.Head)).Aggregate(RangeSet.CommonPrefix);
        var scope = globs.Count == 0 && exact.Length == 1 && RangeSet.OnlyKey(exact[0]) is { } only ? Scope.OfKey(only) : Scope.Covering(common);
        return exact is [var whole] && whole == scope.Range
            ? new TargetFilter(scope)
            : new TargetFilter(scope, exact, [.. globs.DistinctBy(glob => glob.Pattern).OrderBy(glob => glob.Pattern)]);
    }

    private static KeyRange Plain(Glob glob) => glob.IsPlain ? KeyRange.Single(glob.Head) : KeyRange.Prefix(glob.Head);

    private static KeyRange RangeOf(WatchTarget part) => part.Kind switch
    {
        TargetKind.Key => KeyRange.Single(KeyIn(part)),
        TargetKind.Prefix => KeyRange.Prefix(PrefixIn(part)),
        TargetKind.AnyPrefix => KeyRange.Prefix(Short(part, part.Text)),
        TargetKind.Range => RangeIn(part),
        TargetKind.Bucket => KeyRange.All,
        _ => throw new WatchRefusedException(WatchRefusal.OptionOutOfRange, $"A target of kind {part.Kind} cannot be one of several."),
    };

    private static IReadOnlyList<WatchTarget> PartsOf(WatchTarget target) => target.Parts.Count switch
    {
        0 => throw new WatchRefusedException(WatchRefusal.NoTargets, $"The watch has no targets: 1 to {TargetsMax} are allowed."),
        > TargetsMax => throw new WatchRefusedException(WatchRefusal.TooManyTargets, $"The watch has {target.Parts.Count} targets: 1 to {TargetsMax} are allowed."),
        _ => target.Parts,
    };

    private static Key KeyIn(WatchTarget target) => Short(target, target.Text).IsEmpty
        ? throw new WatchRefusedException(WatchRefusal.EmptyKey, $"The key to watch is empty: 1 to {WatchSpec.KeyBytesMax} bytes are allowed.")
        : target.Text;

    private static Key PrefixIn(WatchTarget target)
    {
        var text = Short(target, target.Text);
        if (text.IsEmpty || text.Span[0] != (byte)'/' || text.Span[^1] != (byte)'/')
            throw new WatchRefusedException(WatchRefusal.MalformedPrefix, $"The prefix '{text}' is malformed: it must begin and end with '/', like '/config/'.");
        var depth = text.Span.Count((byte)'/');
        return depth <= Scope.DepthMax
            ? text
            : throw new WatchRefusedException(WatchRefusal.PrefixTooDeep, $"The prefix '{text}' has {depth} segments: at most {Scope.DepthMax} are allowed.");
    }

    private static KeyRange RangeIn(WatchTarget target)
    {
        var start = Short(target, target.Text);
        if (target.End is not { } end)
            return new KeyRange(start, null);
        return Short(target, end) > start
            ? new KeyRange(start, end)
            : throw new WatchRefusedException(WatchRefusal.MalformedRange, $"The range from '{start}' to '{end}' holds no key: its end must lie behind its start.");
    }

    private static Key Short(WatchTarget target, Key text) => text.Length <= WatchSpec.KeyBytesMax
        ? text
        : throw new WatchRefusedException(WatchRefusal.KeyTooLong, $"The {target.Kind.ToString().ToLowerInvariant()} to watch has {text.Length} bytes: at most {WatchSpec.KeyBytesMax} are allowed.");
}

/// <summary>FNV-1a, 64 bits: a hash that is the same in every process, as one that travels has to be.</summary>
internal static class Fnv
{
    public const ulong Basis = 14695981039346656037;

    public static ulong Add(ulong hash, byte value) => (hash ^ value) * 1099511628211;

    /// <summary>Adds the bytes and their number, so that what follows cannot be taken for a part of them.</summary>
    public static ulong Add(ulong hash, ReadOnlySpan<byte> bytes)
    {
        for (var shift = 0; shift < 32; shift += 8)
            hash = Add(hash, (byte)(bytes.Length >> shift));
        foreach (var each in bytes)
            hash = Add(hash, each);
        return hash;
    }
}
