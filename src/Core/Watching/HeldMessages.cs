namespace Watch.Core.Watching;

/// <summary>
/// Early messages of one scope, in the order of their revisions, waiting for the one that is missing. Bounded: what does not
/// fit is dropped, since history has it too.
/// </summary>
internal sealed class HeldMessages(int messagesMax, long bytesMax)
{
    private readonly SortedList<Revision, (ScopeMessage Message, long Bytes)> _held = [];
    private long _bytes;

    public int Count => _held.Count;

    public bool Contains(Revision revision) => _held.ContainsKey(revision);

    public bool TryAdd(ScopeMessage message, CommitSize size)
    {
        var bytes = size.Bytes + size.PreviousBytes;
        if (_held.Count >= messagesMax || _bytes + bytes > bytesMax)
            return false;
        _held.Add(message.Revision, (message, bytes));
        _bytes += bytes;
        return true;
    }

    /// <summary>Takes the earliest message if a receiver that is complete up to this revision can use it, or has it already.</summary>
    public ScopeMessage? TakeNext(Revision complete)
    {
        if (_held.Count == 0)
            return null;
        var (message, bytes) = _held.GetValueAtIndex(0);
        if (message.Previous > complete)
            return null;
        _held.RemoveAt(0);
        _bytes -= bytes;
        return message;
    }
}
