using System.Security.Cryptography;

namespace Watch;

/// <summary>Where chance comes from, so that a simulator can decide it. Thread-safe.</summary>
public interface IWatchRandom
{
    /// <summary>64 random bits.</summary>
    ulong NextBits();
}

/// <summary>Chance from the operating system's generator.</summary>
public sealed class SystemWatchRandom : IWatchRandom
{
    /// <inheritdoc/>
    public ulong NextBits()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(bytes);
        return BitConverter.ToUInt64(bytes);
    }
}

/// <summary>What is made of random bits.</summary>
public static class WatchRandomExtensions
{
    /// <summary>A number in [0, 1).</summary>
    public static double NextFraction(this IWatchRandom random)
    {
        ArgumentNullException.ThrowIfNull(random);
        return (random.NextBits() >> 11) * (1.0 / (1UL << 53));
    }

    /// <summary>32 hexadecimal digits that nobody else has.</summary>
    public static string NextId(this IWatchRandom random)
    {
        ArgumentNullException.ThrowIfNull(random);
        return $"{random.NextBits():x16}{random.NextBits():x16}";
    }
}
