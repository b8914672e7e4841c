using System.Text;

namespace Watch.Core.Keyspace;

/// <summary>How a writer names itself: 1 to 64 bytes of UTF-8, for people who read events; nothing is decided by it.</summary>
public static class WriterName
{
    /// <summary>The longest name, in bytes of UTF-8.</summary>
    public const int BytesMax = 64;

    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Whether it can be one.</summary>
    public static bool IsValid(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        // No character takes less than a byte: a long text is refused without being looked at.
        if (name.Length is 0 or > BytesMax)
            return false;
        try
        {
            return s_strict.GetByteCount(name) <= BytesMax;
        }
        catch (EncoderFallbackException)
        {
            return false;
        }
    }

    /// <summary>Its bytes; none for no name.</summary>
    internal static byte[] BytesOf(string? name) => name is null ? [] : s_strict.GetBytes(name);

    /// <summary>The name of these bytes, null for none; false where they are none.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> bytes, out string? name)
    {
        name = null;
        if (bytes.Length > BytesMax)
            return false;
        try
        {
            name = bytes.IsEmpty ? null : s_strict.GetString(bytes);
            return true;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }
}

/// <summary>The names that a state has seen, so that its changes share them. Beyond <see cref="NamesMax"/> each change keeps its own.</summary>
internal sealed class WriterNames
{
    private const int NamesMax = 4096;

    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);

    public string? Shared(string? name)
    {
        if (name is null)
            return null;
        if (_names.TryGetValue(name, out var known))
            return known;
        if (_names.Count < NamesMax)
            _names.Add(name, name);
        return name;
    }
}
