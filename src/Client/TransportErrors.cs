using Orleans.Runtime;

namespace Watch.Client;

/// <summary>Tells failures of the way from failures of the request, so that only the former are tried again.</summary>
internal static class TransportErrors
{
    /// <summary>Whether the call was lost on its way, or its silo was.</summary>
    public static bool IsTransport(Exception error) => error switch
    {
        WatchException watch => watch.Code is WatchErrorCode.Unavailable or WatchErrorCode.NoQuorum or WatchErrorCode.ShuttingDown or WatchErrorCode.Busy,
        OperationCanceledException => false,
        TimeoutException or OrleansException or EnumerationAbortedException => true,
        // The client runtime throws these when it has no connection, or is being disposed of under a call.
        ObjectDisposedException or InvalidOperationException or IOException or System.Net.Sockets.SocketException => true,
        _ => false,
    };

    /// <summary>What a caller of a read is told.</summary>
    public static WatchException OfRead(Exception error) =>
        new(WatchErrorCode.Unavailable, $"No server answered: {error.Message}", error);

    /// <summary>What a caller of a write is told: it may have reached the log before the way was lost.</summary>
    public static WatchException OfWrite(Exception error) =>
        new(WatchErrorCode.OutcomeUnknown, $"The server was lost while the write was under way; it may have taken effect or not: {error.Message}", error);
}
