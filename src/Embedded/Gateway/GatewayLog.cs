using System.Net;
using Microsoft.Extensions.Logging;

namespace Watch.Embedded.Gateway;

internal static partial class GatewayLog
{
    [LoggerMessage(201, LogLevel.Information, "The gateway listens on {Endpoint}.")]
    public static partial void Listening(ILogger logger, IPEndPoint endpoint);

    [LoggerMessage(202, LogLevel.Information, "Client {ClientId} connected from {Endpoint}.")]
    public static partial void ClientConnected(ILogger logger, string clientId, EndPoint? endpoint);

    [LoggerMessage(203, LogLevel.Information, "The connection to {Peer} ended: {Reason}")]
    public static partial void ConnectionEnded(ILogger logger, string peer, string reason);

    [LoggerMessage(204, LogLevel.Warning, "A connection from {Endpoint} was refused: {Reason}")]
    public static partial void ConnectionRefused(ILogger logger, EndPoint? endpoint, string reason);

    [LoggerMessage(205, LogLevel.Warning, "A call without an answer failed: {Method}")]
    public static partial void OneWayCallFailed(ILogger logger, string method, Exception exception);

    [LoggerMessage(206, LogLevel.Error, "The gateway stopped accepting connections.")]
    public static partial void AcceptFailed(ILogger logger, Exception exception);

    [LoggerMessage(207, LogLevel.Error, "Reading from {Peer} failed.")]
    public static partial void ReceiveFailed(ILogger logger, string peer, Exception exception);
}
