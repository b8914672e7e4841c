using Orleans.Runtime;

namespace Watch.Client;

/// <summary>Tells failures of the way from failures of the request, so that only the former are tried again.</summary>
internal static class TransportErrors
{
    /// <summary>Whether the call was lost on its way, or its silo was, or the server cannot serve it now.</summary>
    public static bool IsTransport(Exception error) => error switch
    {
        WatchException watch => !IsFinal(watch) && watch.Code is not (WatchErrorCode.WatcherLimit or WatchErrorCode.OutcomeUnknown),
        TimeoutException or OrleansException or EnumerationAbortedException => true,
        // The client runtime throws these when it has no connection, or is being disposed of under a call.
        ObjectDisposedException or IOException or System.Net.Sockets.SocketException => true,
        _ => false,
    };

    /// <summary>
    /// As <see cref="IsTransport"/>; a cancellation that the caller did not ask for came from the server's side, which is a loss, too.
    /// </summary>
    public static bool IsLost(Exception error, CancellationToken callers) =>
        IsTransport(error) || (error is OperationCanceledException && !callers.IsCancellationRequested);

    /// <summary>Whether asking again, now or later, cannot help.</summary>
    public static bool IsFinal(WatchException error) => error.Code is not (
        WatchErrorCode.Unavailable or WatchErrorCode.NoQuorum or WatchErrorCode.ShuttingDown or WatchErrorCode.Busy
        or WatchErrorCode.WatcherLimit or WatchErrorCode.OutcomeUnknown or WatchErrorCode.Internal);

    /// <summary>What a caller of a read is told.</summary>
    public static WatchException OfRead(Exception error) =>
        new(WatchErrorCode.Unavailable, $"No server answered: {error.Message}", error);

    /// <summary>What a caller of a write is told: it may have reached the log before the way was lost.</summary>
    public static WatchException OfWrite(Exception error) =>
        new(WatchErrorCode.OutcomeUnknown, $"The server was lost while the write was under way; it may have taken effect or not: {error.Message}", error);

    /// <summary>How a watch ends that was refused for good.</summary>
    public static WatchEndReason ReasonOf(WatchException error) => error.Code switch
    {
        WatchErrorCode.Compacted => WatchEndReason.Compacted,
        WatchErrorCode.UnknownBucket => WatchEndReason.BucketDeleted,
        WatchErrorCode.IncarnationChanged => WatchEndReason.IncarnationChanged,
        WatchErrorCode.WatchDisabled => WatchEndReason.WatchDisabled,
        WatchErrorCode.ClientDisposed => WatchEndReason.Disposed,
        _ => WatchEndReason.Refused,
    };
}
