namespace Watch.Core.Watching;

/// <summary>A revision's size in a scope, as the limits of what is held and kept for many count it.</summary>
internal readonly record struct CommitSize(int Events, long Bytes, long PreviousBytes)
{
    /// <summary>What an event counts beside its key and values: about what it takes in memory and on its way.</summary>
    public const long EventBytes = 48;

    public static CommitSize Of(IReadOnlyList<Change> changes)
    {
        long bytes = changes.Count * EventBytes, previousBytes = 0;
        for (var i = 0; i < changes.Count; i++)
        {
            bytes += changes[i].Key.Length + changes[i].Value.Length;
            previousBytes += changes[i].PreviousValue?.Length ?? 0;
        }

        return new CommitSize(changes.Count, bytes, previousBytes);
    }
}
