namespace Watch.Core;

/// <summary>Who sent a write: 128 random bits, drawn once per client and never used by another.</summary>
/// <param name="Value">The bits.</param>
public readonly record struct ClientId(UInt128 Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value.ToString("x32", System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>
/// What makes a write the same write however often it is sent: it takes effect once, and every sending gets the same answer. All
/// sendings of a write carry the same id, the same operation, key, value and condition; another write with the id is refused.
/// </summary>
/// <param name="Client">Whose write it is.</param>
/// <param name="Number">Its number among the client's writes, 1 or more; several may be under way at once.</param>
/// <param name="Seen">
/// An index of the group's log that the client had seen before it sent the write for the first time. By it a write is told that was
/// sent before the group forgot the outcomes of its time: such a one is refused, so a client with an old index asks for a new one
/// before a first sending.
/// </param>
/// <param name="OldestOpen">
/// The lowest of the client's numbers that it may still send: at least 1, at most <paramref name="Number"/>. Every lower one is
/// answered or given up, so the group forgets their outcomes at once, and refuses what of them arrives late.
/// </param>
public readonly record struct WriteId(ClientId Client, long Number, LogIndex Seen, long OldestOpen)
{
    /// <summary>The id of a write that is the only one of its client: for a caller that keeps it and may send the write again from elsewhere.</summary>
    /// <param name="client">Freshly drawn, for this write alone.</param>
    /// <param name="seen">A fresh index of the log.</param>
    public static WriteId Single(ClientId client, LogIndex seen) => new(client, 1, seen, 1);

    /// <summary>Whether the numbers are in their ranges.</summary>
    public bool IsValid => OldestOpen >= 1 && Number >= OldestOpen && Seen >= LogIndex.None;

    /// <inheritdoc/>
    public override string ToString() => $"{Client}/{Number}";
}
