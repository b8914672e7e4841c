using System.Text;

namespace Watch.Core;

/// <summary>
/// A key: a string of bytes, ordered and compared as bytes. Text is UTF-8. The bytes are never changed after construction.
/// </summary>
public readonly struct Key : IEquatable<Key>, IComparable<Key>
{
    private readonly byte[]? _bytes;

    private Key(byte[] bytes) => _bytes = bytes;

    /// <summary>The key of no bytes: not valid for storing, but the start of every range and the name of the whole bucket's scope.</summary>
    public static readonly Key Empty;

    /// <summary>The key's bytes.</summary>
    public ReadOnlySpan<byte> Span => _bytes;

    /// <summary>The key's bytes, to hand on; they must not be changed.</summary>
    public ReadOnlyMemory<byte> Memory => _bytes;

    /// <summary>Number of bytes.</summary>
    public int Length => _bytes?.Length ?? 0;

    /// <summary>Whether the key has no bytes.</summary>
    public bool IsEmpty => Length == 0;

    /// <summary>A key from text, as UTF-8.</summary>
    public static Key Of(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new Key(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>A key from bytes, which are copied.</summary>
    public static Key Of(ReadOnlySpan<byte> bytes) => new(bytes.ToArray());

    /// <summary>A key that takes over an array that nobody changes any more.</summary>
    public static Key Wrap(byte[] bytes)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        return new Key(bytes);
    }

    /// <summary>The array behind the key, to hand on without a copy; it must not be changed.</summary>
    public byte[] Unwrap() => _bytes ?? [];

    /// <summary>Whether the key begins with these bytes.</summary>
    public bool StartsWith(Key prefix) => Span.StartsWith(prefix.Span);

    /// <inheritdoc/>
    public bool Equals(Key other) => Span.SequenceEqual(other.Span);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Key other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(Span);
        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public int CompareTo(Key other) => Span.SequenceCompareTo(other.Span);

    /// <summary>The key as text where it is UTF-8, else with an escape as in <see cref="KeyText"/>.</summary>
    public override string ToString() => KeyText.Encode(Span);

    /// <summary>Whether two keys have the same bytes.</summary>
    public static bool operator ==(Key a, Key b) => a.Equals(b);

    /// <summary>Whether two keys differ.</summary>
    public static bool operator !=(Key a, Key b) => !a.Equals(b);

    /// <summary>Byte order.</summary>
    public static bool operator <(Key a, Key b) => a.CompareTo(b) < 0;

    /// <summary>Byte order.</summary>
    public static bool operator >(Key a, Key b) => a.CompareTo(b) > 0;

    /// <summary>Byte order.</summary>
    public static bool operator <=(Key a, Key b) => a.CompareTo(b) <= 0;

    /// <summary>Byte order.</summary>
    public static bool operator >=(Key a, Key b) => a.CompareTo(b) >= 0;
}
