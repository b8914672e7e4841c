using System.Buffers.Binary;
using System.Numerics;

namespace Watch.Core.Storage;

/// <summary>
/// CRC-32C (Castagnoli), as in iSCSI and ext4: finds every single-bit error and every burst of up to 32 bits.
/// <see cref="BitOperations"/> uses the processor's instruction where there is one.
/// </summary>
public static class Crc32C
{
    /// <summary>The checksum of some bytes, continuing from the checksum of what came before them (0 for nothing).</summary>
    public static uint Append(uint before, ReadOnlySpan<byte> bytes)
    {
        var crc = ~before;
        while (bytes.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }
        foreach (var value in bytes)
            crc = BitOperations.Crc32C(crc, value);
        return ~crc;
    }
}
