using System.Buffers.Binary;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Watch.Core;

namespace Watch;

/// <summary>
/// Where a reader of a watch is: everything up to a revision was handed to it. As text (<see cref="ToString"/>, <see cref="Parse"/>) it can be
/// kept, and a later watch goes on from it (<see cref="WatchOptions.From"/>). It notices when it meets another cluster, another bucket or
/// another watch.
/// </summary>
/// <param name="Incarnation">The cluster's: 32 hexadecimal digits.</param>
/// <param name="Bucket">The bucket.</param>
/// <param name="Revision">The revision.</param>
/// <param name="FilterHash">Of the watch's target and of what it leaves out.</param>
public sealed record WatchCursor(string Incarnation, BucketId Bucket, Revision Revision, ulong FilterHash)
{
    private const string Head = "w1.";
    private const int Size = 16 + 4 + 8 + 8;

    /// <summary>The cursor that a text tells.</summary>
    /// <exception cref="WatchException"><see cref="WatchErrorCode.InvalidCursor"/>: it tells none.</exception>
    public static WatchCursor Parse(string text) => TryParse(text, out var cursor)
        ? cursor
        : throw new WatchException(WatchErrorCode.InvalidCursor, $"'{text}' is no cursor: one begins with '{Head}' and has {Head.Length + 48} characters.");

    /// <summary>The cursor that a text tells, if it tells one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out WatchCursor? cursor)
    {
        cursor = null;
        Span<byte> bytes = stackalloc byte[Size];
        if (text is null || !text.StartsWith(Head, StringComparison.Ordinal) || text.Length != Head.Length + 48
            || !Base64Url.IsValid(text.AsSpan(Head.Length)) || !Base64Url.TryDecodeFromChars(text.AsSpan(Head.Length), bytes, out var written) || written != Size)
            return false;
        var revision = BinaryPrimitives.ReadInt64BigEndian(bytes[20..]);
        var bucket = BinaryPrimitives.ReadInt32BigEndian(bytes[16..]);
        if (revision < 0 || bucket < 0)
            return false;
        cursor = new WatchCursor(Convert.ToHexStringLower(bytes[..16]), new BucketId(bucket), new Revision(revision), BinaryPrimitives.ReadUInt64BigEndian(bytes[28..]));
        return true;
    }

    /// <summary>The cursor as text: 51 characters that need no escaping in addresses and file names.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, UInt128.Parse(Incarnation, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        BinaryPrimitives.WriteInt32BigEndian(bytes[16..], Bucket.Value);
        BinaryPrimitives.WriteInt64BigEndian(bytes[20..], Revision.Value);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[28..], FilterHash);
        return Head + Base64Url.EncodeToString(bytes);
    }
}
