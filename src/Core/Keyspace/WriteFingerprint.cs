using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Watch.Core.Keyspace;

/// <summary>
/// 64 bits by which a write is told from another one that carries the same id by mistake: of its operation, key, value and condition.
/// They are part of the replicated state and stand in snapshots, so they never change. Two writes that differ by mistake have the same
/// one with a chance of about one in 2^64; who wants two with the same one can make them, and cheats only himself.
/// </summary>
internal static class WriteFingerprint
{
    // 2^64 divided by the golden ratio, odd: multiplying by it loses nothing and spreads low bits upwards; the turn brings them back down.
    private const ulong Factor = 0x9E3779B97F4A7C15;
    private const int Turn = 29;

    public static ulong Of(WriteCommand write)
    {
        var condition = write.Condition;
        var print = Mix(Factor, (ulong)write.Kind | (ulong)(condition?.Kind ?? 0) << 8);
        print = Add(print, write.Key.Span);
        print = Add(print, write.Value.Span);
        print = Mix(print, (ulong)(condition?.Revision ?? Revision.None).Value);
        return Add(print, (condition?.Value ?? default).Span);
    }

    // A length goes before the bytes, so that two neighbours can't trade bytes unnoticed; eight bytes at a time.
    private static ulong Add(ulong print, ReadOnlySpan<byte> bytes)
    {
        print = Mix(print, (ulong)bytes.Length);
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words)
            print = Mix(print, BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word));
        var rest = 0UL;
        for (var at = words.Length * sizeof(ulong); at < bytes.Length; at++)
            rest |= (ulong)bytes[at] << (8 * at);
        return Mix(print, rest);
    }

    private static ulong Mix(ulong print, ulong word) => BitOperations.RotateLeft((print ^ word) * Factor, Turn);
}
