namespace Watch.Core.Keyspace;

/// <summary>A 64-bit FNV-1a checksum: the same on every machine, for telling states apart, not for keeping secrets.</summary>
internal struct StateDigest
{
    private const ulong Basis = 14695981039346656037;
    private const ulong Prime = 1099511628211;

    public StateDigest() => Value = Basis;

    public ulong Value { get; private set; }

    // A length goes before the bytes, so that two neighbours can't trade bytes unnoticed.
    public void Add(ReadOnlySpan<byte> bytes)
    {
        Add(bytes.Length);
        foreach (var each in bytes)
            AddByte(each);
    }

    public void Add(long number)
    {
        for (var shift = 0; shift < 64; shift += 8)
            AddByte((byte)(number >> shift));
    }

    public void Add(UInt128 number)
    {
        Add((long)(ulong)(number >> 64));
        Add((long)(ulong)number);
    }

    public void Add(Change change)
    {
        Add(change.Key.Span);
        Add((long)change.Kind);
        Add(change.Value.Span);
        Add(change.Revision.Value);
        Add(change.CreateRevision.Value);
        Add(change.Version);
        Add(change.CommitTimeMs);
        Add((long)change.Cause);
        Add(change.Position);
        Add(WriterName.BytesOf(change.Writer));
        Add(change.PreviousValue is { } previous ? previous.Length : -1);
        if (change.PreviousValue is { } bytes)
            Add(bytes.Span);
    }

    private void AddByte(byte value) => Value = (Value ^ value) * Prime;
}
