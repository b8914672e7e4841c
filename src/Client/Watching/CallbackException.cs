namespace Watch.Client;

/// <summary>What a caller's own function did wrong, told from what the watch did.</summary>
internal sealed class CallbackException(WatchEndReason reason, Exception error) : Exception(error.Message, error)
{
    /// <summary>How the watch ends by it.</summary>
    public WatchEndReason Reason => reason;
}
