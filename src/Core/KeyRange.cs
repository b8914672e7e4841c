namespace Watch.Core;

/// <summary>A half-open range of keys in byte order: from <see cref="Start"/>, up to but not including <see cref="End"/>.</summary>
/// <param name="Start">The first key that can be in the range.</param>
/// <param name="End">The first key behind the range; null where the range has no end.</param>
public readonly record struct KeyRange(Key Start, Key? End)
{
    /// <summary>Every key.</summary>
    public static readonly KeyRange All = new(Key.Empty, null);

    /// <summary>Just this key.</summary>
    public static KeyRange Single(Key key) => new(key, Key.Wrap([.. key.Span, 0]));

    /// <summary>Every key that begins with these bytes.</summary>
    public static KeyRange Prefix(Key prefix)
    {
        // The successor of a prefix is the prefix with its last byte below 0xFF counted up and all behind it cut;
        // a prefix of nothing but 0xFF has no successor, and its range no end.
        var length = prefix.Length;
        while (length > 0 && prefix.Span[length - 1] == 0xFF)
            length--;
        if (length == 0)
            return new KeyRange(prefix, null);

        var end = prefix.Span[..length].ToArray();
        end[^1]++;
        return new KeyRange(prefix, Key.Wrap(end));
    }

    /// <summary>Whether the key lies in the range.</summary>
    public bool Contains(Key key) => key >= Start && (End is not { } end || key < end);
}
