// The name of a stream: a namespace and a key. As in Orleans, two ids are equal when namespace and
// key, written one after the other, are: where the one ends and the other begins does not count.
namespace Orleans.Runtime;

[Immutable]
public readonly struct StreamId : IEquatable<StreamId>, IComparable<StreamId>
{
    private readonly string? _namespace;
    private readonly IdSpan _full;

    private StreamId(string? ns, string key)
    {
        _namespace = ns;
        _full = IdSpan.Create(ns + key);
    }

    public ReadOnlyMemory<byte> FullKey => _full.Value;

    public ReadOnlyMemory<byte> Key => System.Text.Encoding.UTF8.GetBytes(GetKeyAsString());

    public ReadOnlyMemory<byte> Namespace => System.Text.Encoding.UTF8.GetBytes(_namespace ?? "");

    public static StreamId Create(string? ns, string key) => new(ns, key);

    public static StreamId Create(string? ns, Guid key) => new(ns, key.ToString("N"));

    public static StreamId Create(string? ns, long key) =>
        new(ns, key.ToString("X", System.Globalization.CultureInfo.InvariantCulture));

    public string GetKeyAsString() => _full.ToString()[(_namespace?.Length ?? 0)..];

    public string? GetNamespace() => _namespace;

    public bool Equals(StreamId other) => _full.Equals(other._full);

    public override bool Equals(object? obj) => obj is StreamId other && Equals(other);

    public override int GetHashCode() => _full.GetHashCode();

    public int CompareTo(StreamId other) => _full.CompareTo(other._full);

    public override string ToString() => _namespace is null ? GetKeyAsString() : $"{_namespace}/{GetKeyAsString()}";

    public static bool operator ==(StreamId s1, StreamId s2) => s1.Equals(s2);

    public static bool operator !=(StreamId s1, StreamId s2) => !s1.Equals(s2);
}
