namespace Watch.Client;

/// <summary>
/// Counts the sendings of one write id that may have arrived: all that were made, whichever way and however many at once, but those
/// whose answer says that they did nothing. A sending that nobody waits for any more still counts. Thread-safe.
/// </summary>
internal sealed class Sendings
{
    private int _mayHaveArrived;

    /// <summary>Whether every sending was answered, and did nothing.</summary>
    public bool NoneMayHaveArrived => Volatile.Read(ref _mayHaveArrived) == 0;

    /// <summary>Sends, and counts it.</summary>
    public async Task<WriteResult> CountAsync(Func<Task<WriteResult>> send)
    {
        Interlocked.Increment(ref _mayHaveArrived);
        try
        {
            var result = await send();
            if (result.Status == WriteStatus.TooOld)
                Interlocked.Decrement(ref _mayHaveArrived);
            return result;
        }
        catch (WatchException refused) when (refused.Code is WatchErrorCode.NoQuorum or WatchErrorCode.Busy or WatchErrorCode.ShuttingDown)
        {
            Interlocked.Decrement(ref _mayHaveArrived);
            throw;
        }
    }
}
