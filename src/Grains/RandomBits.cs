namespace Watch.Grains;

/// <summary>The silo's source of chance in the form that Core asks for.</summary>
internal sealed class RandomBits(IWatchRandom source) : Random
{
    public override void NextBytes(Span<byte> buffer)
    {
        Span<byte> bits = stackalloc byte[sizeof(ulong)];
        while (!buffer.IsEmpty)
        {
            BitConverter.TryWriteBytes(bits, source.NextBits());
            var count = Math.Min(bits.Length, buffer.Length);
            bits[..count].CopyTo(buffer);
            buffer = buffer[count..];
        }
    }

    public override void NextBytes(byte[] buffer) => NextBytes(buffer.AsSpan());

    public override long NextInt64() => (long)(source.NextBits() >> 1);

    public override long NextInt64(long maxValue) => NextInt64(0, maxValue);

    public override long NextInt64(long minValue, long maxValue) => minValue + (long)(Sample() * (maxValue - minValue));

    public override int Next() => Next(0, int.MaxValue);

    public override int Next(int maxValue) => Next(0, maxValue);

    public override int Next(int minValue, int maxValue) => (int)NextInt64(minValue, maxValue);

    public override double NextDouble() => Sample();

    protected override double Sample() => source.NextFraction();
}
