using System.Buffers;
using System.Globalization;
using System.Text;

namespace Watch.Core;

/// <summary>
/// The one-to-one mapping between a key's bytes and text, for grain keys, stream keys and messages to people. Valid UTF-8
/// stands for itself, except that <c>%</c> and control characters are written <c>%XX</c>; so is every byte that is no UTF-8.
/// A text that <see cref="Encode"/> would not have written is refused: two grain keys would otherwise be the same key.
/// </summary>
public static class KeyText
{
    /// <summary>The text of these bytes.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes)
    {
        if (IsPlain(bytes))
            return Encoding.ASCII.GetString(bytes);

        var text = new StringBuilder(bytes.Length + 16);
        while (!bytes.IsEmpty)
        {
            var valid = Rune.DecodeFromUtf8(bytes, out var rune, out var consumed) == OperationStatus.Done;
            if (valid && rune.Value != '%' && !Rune.IsControl(rune))
                text.Append(rune.ToString());
            else
                foreach (var each in bytes[..consumed])
                    text.Append('%').Append(each.ToString("X2", CultureInfo.InvariantCulture));
            bytes = bytes[consumed..];
        }

        return text.ToString();
    }

    /// <summary>The bytes of a text made by <see cref="Encode"/>.</summary>
    /// <exception cref="FormatException">
    /// The text has a <c>%</c> without two hexadecimal digits behind it, or is not what its bytes are written as.
    /// </exception>
    public static byte[] Decode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var bytes = Unescape(text);
        var written = Encode(bytes);
        return string.Equals(written, text, StringComparison.Ordinal) ? bytes
            : throw new FormatException($"'{text}' is not how a key is written; its bytes would be '{written}'.");
    }

    private static byte[] Unescape(string text)
    {
        var bytes = new ArrayBufferWriter<byte>(text.Length + 1);
        for (var at = 0; at < text.Length;)
        {
            var escape = text.IndexOf('%', at);
            var end = escape < 0 ? text.Length : escape;
            bytes.Write(Encoding.UTF8.GetBytes(text[at..end]));
            at = end;
            if (escape < 0)
                continue;
            if (escape + 3 > text.Length || !byte.TryParse(text.AsSpan(escape + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
                throw new FormatException($"'%' at position {escape} of '{text}' is not followed by two hexadecimal digits.");
            bytes.Write([value]);
            at = escape + 3;
        }

        return bytes.WrittenSpan.ToArray();
    }

    private static bool IsPlain(ReadOnlySpan<byte> bytes)
    {
        foreach (var each in bytes)
            if (each is < 0x20 or >= 0x7F or (byte)'%')
                return false;
        return true;
    }
}
