using System.Buffers.Binary;
using System.Text;

namespace Watch.Core.Storage;

/// <summary>Who a node is: the name that an operator gave it and the number drawn when its data folder was created.</summary>
/// <param name="Name">The name, 1 to <see cref="NameBytesMax"/> bytes of UTF-8.</param>
/// <param name="Id">The number.</param>
public sealed record NodeIdentity(string Name, NodeId Id)
{
    /// <summary>The longest name, in bytes of UTF-8.</summary>
    public const int NameBytesMax = 255;

    private const byte Version = 1;
    private const int HeaderBytes = 36;
    private static ReadOnlySpan<byte> Magic => "WATCHNOD"u8;

    /// <inheritdoc/>
    public override string ToString() => $"{Name} ({Id})";

    /// <summary>A new identity under this name.</summary>
    public static NodeIdentity Draw(string name, Random random)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(random);
        if (Encoding.UTF8.GetByteCount(name) > NameBytesMax)
            throw new ArgumentException($"A node's name has 1 to {NameBytesMax} bytes; '{name}' is longer.", nameof(name));

        Span<byte> bytes = stackalloc byte[16];
        UInt128 value = 0;
        while (value == 0)
        {
            random.NextBytes(bytes);
            value = BinaryPrimitives.ReadUInt128LittleEndian(bytes);
        }
        return new NodeIdentity(name, new NodeId(value));
    }

    /// <summary>The bytes of the identity file (docs/disk-format.md).</summary>
    internal byte[] Encode()
    {
        var name = Encoding.UTF8.GetBytes(Name);
        var bytes = new byte[HeaderBytes + name.Length];
        Magic.CopyTo(bytes);
        bytes[12] = Version;
        BinaryPrimitives.WriteUInt128LittleEndian(bytes.AsSpan(16), Id.Value);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(32), name.Length);
        name.CopyTo(bytes, HeaderBytes);
        LogFormat.WriteChecksum(bytes, 0);
        return bytes;
    }

    /// <summary>Reads the bytes of an identity file.</summary>
    internal static NodeIdentity Decode(string file, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderBytes || !bytes.StartsWith(Magic) || LogFormat.Checksum(0, bytes) != LogFormat.ChecksumOf(bytes))
            throw new LogDamagedException(file, 0, "the identity is not what was written.");
        if (bytes[12] > Version)
            throw new NewerFormatException(file, 12, bytes[12], Version);
        if (BinaryPrimitives.ReadInt32LittleEndian(bytes[32..]) != bytes.Length - HeaderBytes)
            throw new LogDamagedException(file, 32, "the length of the name is not that of the file.");
        return new NodeIdentity(
            Encoding.UTF8.GetString(bytes[HeaderBytes..]), new NodeId(BinaryPrimitives.ReadUInt128LittleEndian(bytes[16..])));
    }
}
