using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using Watch.Embedded.Runtime;
using Watch.Embedded.Serialization;

namespace Watch.Embedded.Gateway;

/// <summary>A connected client process, as the silo sees it.</summary>
internal sealed class RemoteClient : IClientEndpoint
{
    private readonly string _clientId;
    private readonly IRemoteCallTarget _target;
    private readonly GatewayPeer _peer;

    public RemoteClient(
        string clientId, IRemoteCallTarget target, Socket socket, FrameReceiver receiver, EmbeddedSerializer serializer,
        GatewayOptions options, TimeProvider time, ILogger logger)
    {
        (_clientId, _target) = (clientId, target);
        _peer = new GatewayPeer(socket, receiver, serializer, options, time, logger, new PeerRole(
            $"client {clientId}",
            static reason => new ClientNotAvailableException(reason),
            (header, arguments, token) => target.InvokeAsync(clientId, header, arguments, token)));
    }

    public ValueTask<object?> InvokeObserverAsync(CallHeader header, object?[] arguments, CancellationToken cancellationToken) =>
        _peer.CallAsync(header, arguments, cancellationToken);

    /// <summary>Until the connection ends, or the server stops.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        // First the way to the client's observers, then the client's calls, which may name them.
        _target.ClientConnected(_clientId, this);
        _peer.Start();
        try
        {
            await _peer.Closed.WaitAsync(stopping).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await _peer.CloseAsync("server stopping").ConfigureAwait(false);
        }
        finally
        {
            _target.ClientLost(_clientId, this);
        }
    }
}
