using System.Buffers.Binary;

namespace Watch.Core.Consensus;

/// <summary>
/// The content of a snapshot of the system group: the commands that build the catalogue, each behind its length (4 bytes, little-endian).
/// So whatever a command can say, a snapshot can, and both have one format.
/// </summary>
public static class CatalogueSnapshot
{
    private const int LengthBytes = 4;

    /// <summary>A catalogue as bytes; the same catalogue gives the same bytes on every node.</summary>
    public static byte[] Encode(Catalogue catalogue)
    {
        ArgumentNullException.ThrowIfNull(catalogue);
        using var bytes = new MemoryStream();
        Span<byte> length = stackalloc byte[LengthBytes];
        foreach (var command in catalogue.AsCommands())
        {
            var encoded = command.Encode();
            BinaryPrimitives.WriteInt32LittleEndian(length, encoded.Length);
            bytes.Write(length);
            bytes.Write(encoded);
        }
        return bytes.ToArray();
    }

    /// <summary>Whether these bytes are a catalogue that this program can read; what stands for it elsewhere must not be given up before.</summary>
    public static bool IsOne(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            Decode(bytes, default);
            return true;
        }
        catch (Exception malformed) when (malformed is InvariantViolationException or IOException or FormatException or ArgumentException)
        {
            return false;
        }
    }

    /// <summary>Reads what <see cref="Encode"/> wrote.</summary>
    /// <param name="bytes">The content.</param>
    /// <param name="upTo">The index of the last entry that is in it.</param>
    public static Catalogue Decode(ReadOnlyMemory<byte> bytes, LogIndex upTo)
    {
        var catalogue = new Catalogue();
        while (bytes.Length > 0)
        {
            Invariant.That(bytes.Length >= LengthBytes, "C1: a catalogue's snapshot is a row of commands");
            var length = BinaryPrimitives.ReadInt32LittleEndian(bytes.Span);
            Invariant.That(length > 0 && length <= bytes.Length - LengthBytes, "C1: a catalogue's snapshot is a row of commands");
            catalogue.Apply(CatalogueCommand.Decode(bytes.Slice(LengthBytes, length)), upTo);
            bytes = bytes[(LengthBytes + length)..];
        }
        return catalogue;
    }
}
