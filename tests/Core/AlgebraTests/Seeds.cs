using Xunit.Abstractions;

namespace Watch.Core.Tests;

/// <summary>
/// The seed of a random test: a new one in every run, or the one in the environment variable WATCH_TEST_SEED. It is printed
/// with the test's output, and so with its failure.
/// </summary>
internal static class Seeds
{
    public static Random Start(ITestOutputHelper output, out int seed)
    {
        seed = int.TryParse(Environment.GetEnvironmentVariable("WATCH_TEST_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"WATCH_TEST_SEED={seed}");
        return new Random(seed);
    }

    /// <summary>Bytes from a small alphabet full of trouble: slashes, escapes, zero, 0xFF, pieces of UTF-8, surrogates' bytes.</summary>
    public static byte[] TroublesomeBytes(this Random random, int lengthMax)
    {
        ReadOnlySpan<byte> alphabet =
            [0x00, 0x01, 0x1F, (byte)' ', (byte)'%', (byte)'/', (byte)'2', (byte)'F', (byte)'a', 0x7F, 0x80, 0x85, 0x9F, 0xA0, 0xAC, 0xBF, 0xC2, 0xE2, 0x82, 0xED, 0xEF, 0xBD, 0xF0, 0x9F, 0xFE, 0xFF];
        var bytes = new byte[random.Next(lengthMax + 1)];
        for (var each = 0; each < bytes.Length; each++)
            bytes[each] = random.Next(8) == 0 ? (byte)random.Next(256) : alphabet[random.Next(alphabet.Length)];
        return bytes;
    }
}
