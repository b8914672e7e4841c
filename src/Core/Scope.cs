namespace Watch.Core;

/// <summary>What a scope is about.</summary>
public enum ScopeKind : byte
{
    /// <summary>One key.</summary>
    Key = 0,

    /// <summary>Every key below a prefix segment.</summary>
    Prefix = 1,
}

/// <summary>
/// What a stream of changes is about, inside one bucket: a key, or a prefix segment. The key <c>/config/db/host</c> has the scopes
/// key <c>/config/db/host</c> and prefixes <c></c> (the whole bucket), <c>/</c>, <c>/config/</c>, <c>/config/db/</c>. Segments end
/// at every <c>/</c>, whether or not the key begins with one, at most <see cref="DepthMax"/> deep.
/// </summary>
/// <param name="Kind">Key or prefix segment.</param>
/// <param name="Text">The key, or the segment: empty or ending in <c>/</c>.</param>
public readonly record struct Scope(ScopeKind Kind, Key Text)
{
    /// <summary>How many segments of one key are scopes; deeper ones are served by the deepest of these.</summary>
    public const int DepthMax = 32;

    /// <summary>The scope that every key of a bucket belongs to.</summary>
    public static readonly Scope Bucket = new(ScopeKind.Prefix, Key.Empty);

    /// <summary>The scope of one key.</summary>
    public static Scope OfKey(Key key) => new(ScopeKind.Key, key);

    /// <summary>The scope of a prefix segment, which is empty or ends in <c>/</c>.</summary>
    /// <exception cref="ArgumentException">The text does not end in <c>/</c>, or is more than <see cref="DepthMax"/> segments deep.</exception>
    public static Scope OfPrefix(Key prefix)
    {
        if (!prefix.IsEmpty && prefix.Span[^1] != (byte)'/')
            throw new ArgumentException($"'{prefix}' is no prefix segment: it does not end in '/'.", nameof(prefix));
        if (DeepestSegment(prefix.Span) != prefix.Length)
            throw new ArgumentException($"'{prefix}' is no prefix segment: it is more than {DepthMax} deep.", nameof(prefix));
        return new Scope(ScopeKind.Prefix, prefix);
    }

    /// <summary>The deepest scope that holds every key beginning with these bytes: what serves a watch of just any prefix, with a filter.</summary>
    public static Scope Covering(Key prefix) => new(ScopeKind.Prefix, Key.Of(prefix.Span[..DeepestSegment(prefix.Span)]));

    /// <summary>Whether a change of this key is a change of this scope.</summary>
    public bool Contains(Key key) => Kind == ScopeKind.Key ? Text == key : key.StartsWith(Text);

    /// <summary>The keys this scope is about.</summary>
    public KeyRange Range => Kind == ScopeKind.Key ? KeyRange.Single(Text) : KeyRange.Prefix(Text);

    /// <summary>All scopes of a key, its own first, then the whole bucket, then the segments from the shallowest to the deepest.</summary>
    public static ScopeEnumerator Of(Key key) => new(key);

    /// <summary>The length of the deepest segment in these bytes that is a scope; 0 where only the whole bucket is.</summary>
    internal static int DeepestSegment(ReadOnlySpan<byte> key)
    {
        var end = 0;
        for (var depth = 0; depth < DepthMax && NextSegment(key, end) is var next and > 0; depth++)
            end = next;
        return end;
    }

    /// <summary>The end of the segment after the one that ends here; 0 where there is none.</summary>
    internal static int NextSegment(ReadOnlySpan<byte> key, int end)
    {
        var slash = key[end..].IndexOf((byte)'/');
        return slash < 0 ? 0 : end + slash + 1;
    }

    /// <inheritdoc/>
    public override string ToString() => Kind == ScopeKind.Key ? $"key {Text}" : $"prefix {Text}";
}

/// <summary>Walks the scopes of a key without allocating a list of them.</summary>
public struct ScopeEnumerator
{
    private readonly Key _key;
    private int _position;
    private int _segments;

    internal ScopeEnumerator(Key key)
    {
        _key = key;
        _position = -2;
        _segments = 0;
        Current = default;
    }

    /// <summary>The scope just reached.</summary>
    public Scope Current { get; private set; }

    /// <summary>Returns this, so that <c>foreach</c> can walk it.</summary>
    public readonly ScopeEnumerator GetEnumerator() => this;

    /// <summary>Goes to the next scope.</summary>
    public bool MoveNext()
    {
        if (_position == -2)
            return Reach(-1, Scope.OfKey(_key));
        if (_position == -1)
            return Reach(0, Scope.Bucket);
        if (_segments == Scope.DepthMax)
            return false;

        var end = Scope.NextSegment(_key.Span, _position);
        if (end == 0)
            return false;
        _segments++;
        return Reach(end, new Scope(ScopeKind.Prefix, Key.Of(_key.Span[..end])));
    }

    private bool Reach(int position, Scope scope)
    {
        _position = position;
        Current = scope;
        return true;
    }
}
