using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using Orleans.Runtime.Messaging;
using Orleans.Serialization;
using Watch.Embedded.Runtime;
using Watch.Embedded.Serialization;

namespace Watch.Embedded.Gateway;

/// <summary>The client's end of the gateway.</summary>
internal static class GatewayConnection
{
    /// <summary>
    /// One attempt to connect. A ConnectionFailedException says that nobody answers, or why the one who
    /// answers is not the silo that was looked for.
    /// </summary>
    public static async Task<ICallTransport> ConnectAsync(
        IPEndPoint endpoint, string clusterId, IObserverHost observers, IReferenceFactory references, ILoggerFactory loggers,
        CancellationToken cancellationToken, GatewayOptions? options = null, TimeProvider? time = null)
    {
        options ??= new GatewayOptions();
        time ??= TimeProvider.System;
        var serializer = GatewayReferences.SerializerOf(references);
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            var receiver = new FrameReceiver(socket);
            var manifest = await OpenAsync(socket, receiver, endpoint, serializer, clusterId, observers.ClientId, options, time, cancellationToken)
                .ConfigureAwait(false);
            var role = new PeerRole(
                $"the silo at {endpoint}", static reason => new SiloUnavailableException(reason), observers.InvokeObserverAsync);
            var peer = new GatewayPeer(socket, receiver, serializer, options, time, loggers.CreateLogger(typeof(GatewayConnection)), role);
            peer.Start();
            return new Transport(peer, manifest);
        }
        catch (Exception)
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<IReadOnlyDictionary<string, string>> OpenAsync(
        Socket socket, FrameReceiver receiver, IPEndPoint endpoint, EmbeddedSerializer serializer, string clusterId, string clientId,
        GatewayOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(options.HandshakeTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            await socket.ConnectAsync(endpoint, either.Token).ConfigureAwait(false);
            await Handshake.SendHelloAsync(socket, serializer, clusterId, clientId, either.Token).ConfigureAwait(false);
            return await Handshake.ReceiveWelcomeAsync(receiver, serializer, either.Token).ConfigureAwait(false);
        }
        catch (SocketException e)
        {
            throw new ConnectionFailedException($"No silo answers at {endpoint}: {e.Message}", e);
        }
        catch (SerializerException e)
        {
            throw new ConnectionFailedException($"The gateway at {endpoint} cannot be used: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new ConnectionFailedException($"The silo at {endpoint} did not answer within {options.HandshakeTimeout}.", e);
        }
    }

    private sealed class Transport(GatewayPeer peer, IReadOnlyDictionary<string, string> manifest) : ICallTransport
    {
        public IReadOnlyDictionary<string, string> Manifest => manifest;

        public Task Closed => peer.Closed;

        public ValueTask<object?> SendAsync(CallHeader header, object?[] arguments, CancellationToken cancellationToken) =>
            peer.CallAsync(header, arguments, cancellationToken);

        public ValueTask DisposeAsync() => peer.DisposeAsync();
    }
}
