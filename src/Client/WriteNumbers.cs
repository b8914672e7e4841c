using Watch.Core;

namespace Watch.Client;

/// <summary>
/// Numbers a client's writes, knows which of them are open, and what of the log the client has seen. An index that may be old is not
/// given to a new write: the cluster might have forgotten that time, and would refuse it. Thread-safe.
/// </summary>
internal sealed class WriteNumbers(ClientId client, TimeProvider time)
{
    /// <summary>How long an index counts as fresh: a tenth of the log time for which the cluster remembers results.</summary>
    internal static readonly TimeSpan FreshFor = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly HashSet<long> _endedAhead = [];
    private long _last;
    private long _oldestOpen = 1;
    private LogIndex _seen;
    private long? _seenAt;

    /// <summary>The id of the next write; false where a fresh index has to be asked for first.</summary>
    public bool TryBegin(out WriteId id)
    {
        lock (_gate)
        {
            id = default;
            if (_seenAt is not { } seenAt || time.GetElapsedTime(seenAt) >= FreshFor)
                return false;
            id = new WriteId(client, ++_last, _seen, _oldestOpen);
            return true;
        }
    }

    /// <summary>The write will not be sent again: it is answered, or given up.</summary>
    public void End(in WriteId id)
    {
        lock (_gate)
        {
            _endedAhead.Add(id.Number);
            while (_endedAhead.Remove(_oldestOpen))
                _oldestOpen++;
        }
    }

    /// <summary>The cluster named this index now.</summary>
    public void Saw(LogIndex index)
    {
        lock (_gate)
        {
            _seen = LogIndex.Max(_seen, index);
            _seenAt = time.GetTimestamp();
        }
    }

    /// <summary>
    /// What the answer to a write that <see cref="TryBegin"/> gave its id says of the log. A refusal says that the index is worth nothing,
    /// be it too old or of another log. Of any other id it would say nothing: its index may be as old as its first sending.
    /// </summary>
    public void Saw(WriteResult result)
    {
        lock (_gate)
        {
            if (result.Status is WriteStatus.Unknown or WriteStatus.TooOld)
                (_seen, _seenAt) = (LogIndex.None, null);
            else if (result.Index > _seen)
                (_seen, _seenAt) = (result.Index, time.GetTimestamp());
        }
    }
}
