namespace Watch.Core.Keyspace;

/// <summary>
/// Every key and segment that the state remembers. A key knows its deepest segment and a segment the one around it, so a write to
/// a known key finds all its scopes by one look-up and a walk up; only a new key looks for segments, by the bytes of its own
/// key, and only a new segment gets bytes of its own.
/// </summary>
internal sealed class ScopeTable
{
    private readonly Dictionary<Key, KeyEntry> _keys = new(KeyComparer.Instance);
    private readonly Dictionary<Key, KeyEntry>.AlternateLookup<ReadOnlySpan<byte>> _keysByBytes;
    private readonly Dictionary<Key, Segment> _segments = new(KeyComparer.Instance);
    private readonly Dictionary<Key, Segment>.AlternateLookup<ReadOnlySpan<byte>> _segmentsByBytes;
    private readonly KeyIndex _ordered = new();

    public ScopeTable()
    {
        _keysByBytes = _keys.GetAlternateLookup<ReadOnlySpan<byte>>();
        _segmentsByBytes = _segments.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    /// <summary>The whole bucket; it is never forgotten.</summary>
    public Segment Bucket { get; } = new(Key.Empty, null, Revision.None);

    /// <summary>How many keys are remembered.</summary>
    public int KeyCount => _ordered.Count;

    /// <summary>How many segments are remembered beside the whole bucket.</summary>
    public int SegmentCount => _segments.Count;

    public KeyEntry? FindKey(Key key) => FindKey(key.Span);

    public KeyEntry? FindKey(ReadOnlySpan<byte> key) => _keysByBytes.TryGetValue(key, out var entry) ? entry : null;

    public ScopeEntry? Find(Scope scope)
    {
        if (scope.Kind == ScopeKind.Key)
            return FindKey(scope.Text);
        return scope.Text.IsEmpty ? Bucket : FindSegment(scope.Text.Span);
    }

    /// <summary>Adds a key that is not known, and those of its segments that are not.</summary>
    /// <param name="key">The key.</param>
    /// <param name="head">What an unknown scope's last change counts as.</param>
    public KeyEntry AddKey(Key key, Revision head)
    {
        var segment = SegmentOf(key.Span[..Scope.DeepestSegment(key.Span)], head);
        var entry = new KeyEntry(key, segment, head);
        _keys.Add(key, entry);
        _ordered.Add(entry);
        return entry;
    }

    public void Forget(ScopeEntry entry)
    {
        if (entry is KeyEntry key)
        {
            _keys.Remove(key.Text);
            _ordered.Remove(key);
        }
        else
        {
            _segments.Remove(entry.Text);
        }
    }

    /// <summary>The known keys of a range in order; some may not exist at the revision that the caller means.</summary>
    public IEnumerable<KeyEntry> Walk(KeyRange range) => _ordered.Walk(range);

    /// <summary>The known segments but the whole bucket, in no order that means anything.</summary>
    public IEnumerable<Segment> Segments => _segments.Values;

    /// <summary>The known segments but the whole bucket, in byte order.</summary>
    public IEnumerable<Segment> SegmentsInOrder() => _segments.Values.OrderBy(segment => segment.Text);

    private Segment? FindSegment(ReadOnlySpan<byte> text) => _segmentsByBytes.TryGetValue(text, out var segment) ? segment : null;

    private Segment SegmentOf(ReadOnlySpan<byte> text, Revision head)
    {
        if (text.IsEmpty)
            return Bucket;
        if (FindSegment(text) is { } known)
            return known;

        var parent = SegmentOf(text[..Scope.DeepestSegment(text[..^1])], head);
        var segment = new Segment(Key.Of(text), parent, head);
        _segments.Add(segment.Text, segment);
        return segment;
    }
}

/// <summary>Compares keys by their bytes, and lets bytes that are no key yet look one up.</summary>
internal sealed class KeyComparer : IEqualityComparer<Key>, IAlternateEqualityComparer<ReadOnlySpan<byte>, Key>
{
    public static readonly KeyComparer Instance = new();

    public bool Equals(Key a, Key b) => a.Equals(b);

    public int GetHashCode(Key key) => GetHashCode(key.Span);

    public bool Equals(ReadOnlySpan<byte> bytes, Key key) => bytes.SequenceEqual(key.Span);

    // Seeded per process: nobody can choose keys that collide. Nothing enumerates by hash, so no answer depends on it.
    public int GetHashCode(ReadOnlySpan<byte> bytes)
    {
        var hash = default(HashCode);
        hash.AddBytes(bytes);
        return hash.ToHashCode();
    }

    public Key Create(ReadOnlySpan<byte> bytes) => Key.Of(bytes);
}
