namespace Watch.Core.Storage;

/// <summary>The end of the log that a crash left unfinished, and that recovery cut off. Nothing in it was ever acknowledged.</summary>
/// <param name="File">The file.</param>
/// <param name="Offset">Where it was cut: the offset in the file of the first byte that is gone.</param>
/// <param name="Bytes">How many bytes were cut, up to the last one that was not zero.</param>
public sealed record TornTail(string File, long Offset, long Bytes)
{
    /// <inheritdoc/>
    public override string ToString() =>
        $"torn tail: {Bytes} bytes cut from '{File}' at offset {Offset}; nothing in them was ever acknowledged";
}

/// <summary>What opening a log found.</summary>
/// <param name="Segments">Number of segments.</param>
/// <param name="Batches">Number of batches, empty ones included.</param>
/// <param name="Records">Number of entries and hard states.</param>
/// <param name="End">Where the log ends.</param>
/// <param name="Sealed">Everything before this place was recorded as durable before the log was opened.</param>
/// <param name="Torn">What was cut off; null where the log ended cleanly.</param>
public sealed record LogRecovery(int Segments, long Batches, long Records, LogPosition End, LogPosition Sealed, TornTail? Torn);

/// <summary>Receives a log's records in order while it is opened.</summary>
/// <remarks>If opening fails, for damage that lies further on, what was received is void.</remarks>
public interface ILogReader
{
    /// <summary>An entry; one at or below the last index of its group replaces what stood there and everything behind it.</summary>
    void OnEntry(GroupId group, Entry entry);

    /// <summary>A group's term and vote; the last one counts.</summary>
    void OnHardState(GroupId group, HardState state);

    /// <summary>A group's newest snapshot, open for as long as the call lasts. All of them come before the first record.</summary>
    void OnSnapshot(SnapshotReader snapshot);

    /// <summary>A snapshot stands for a group's log up to an index; where that snapshot does not keep them, what was handed over of the group's entries is void.</summary>
    void OnBase(GroupId group, LogBase start);

    /// <summary>That was all, and nothing on the disk was changed yet: the moment to refuse what does not fit together.</summary>
    void OnEnd();
}
