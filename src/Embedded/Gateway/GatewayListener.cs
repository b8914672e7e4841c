using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;
using Orleans.Serialization;
using Watch.Embedded.Runtime;
using Watch.Embedded.Serialization;

namespace Watch.Embedded.Gateway;

/// <summary>The silo's end of the gateway: accepts client processes, one <see cref="RemoteClient"/> per connection.</summary>
internal sealed class GatewayListener : IAsyncDisposable
{
    private readonly IPEndPoint _endpoint;
    private readonly IRemoteCallTarget _target;
    private readonly EmbeddedSerializer _serializer;
    private readonly GatewayOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<Task, bool> _clients = new();
    private readonly CancellationTokenSource _stopping = new();
    private Socket? _socket;
    private Task _accepting = Task.CompletedTask;

    public GatewayListener(
        IPEndPoint endpoint, IRemoteCallTarget target, IReferenceFactory references, ILoggerFactory loggers,
        GatewayOptions? options = null, TimeProvider? time = null)
    {
        (_endpoint, _target) = (endpoint, target);
        _serializer = GatewayReferences.SerializerOf(references);
        _options = options ?? new GatewayOptions();
        _time = time ?? TimeProvider.System;
        _logger = loggers.CreateLogger<GatewayListener>();
    }

    /// <summary>Where it listens, after <see cref="StartAsync"/>.</summary>
    public IPEndPoint LocalEndPoint => (IPEndPoint)(_socket?.LocalEndPoint
        ?? throw new InvalidOperationException("The gateway does not listen yet."));

    /// <summary>Begins to listen; an OrleansConfigurationException names a port that cannot be had.</summary>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var socket = new Socket(_endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(_endpoint);
            socket.Listen();
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new OrleansConfigurationException(e.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? $"The gateway cannot listen on {_endpoint}: port {_endpoint.Port} is in use."
                : $"The gateway cannot listen on {_endpoint}: {e.Message}", e);
        }

        _socket = socket;
        GatewayLog.Listening(_logger, LocalEndPoint);
        _accepting = AcceptAsync(socket);
        return Task.CompletedTask;
    }

    /// <summary>Tells every client that the server stops, and closes all connections.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
            return;
        await _stopping.CancelAsync().ConfigureAwait(false);
        _socket?.Dispose();
        await _accepting.ConfigureAwait(false);
        await Task.WhenAll(_clients.Keys).ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (!_stopping.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptAsync(_stopping.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.ConnectionAborted)
            {
                continue; // that one left before it was let in
            }
            catch (SocketException e)
            {
                GatewayLog.AcceptFailed(_logger, e);
                return;
            }

            Track(ServeAsync(socket));
        }
    }

    /// <summary>Remembers a connection for as long as it lives, so that stopping can wait for it.</summary>
    private void Track(Task serving)
    {
        _clients[serving] = true;
        serving.ContinueWith(done => _clients.TryRemove(done, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task ServeAsync(Socket socket)
    {
        var remote = socket.RemoteEndPoint;
        try
        {
            socket.NoDelay = true;
            var receiver = new FrameReceiver(socket);
            var clientId = await WelcomeAsync(socket, receiver).ConfigureAwait(false);
            GatewayLog.ClientConnected(_logger, clientId, remote);
            var client = new RemoteClient(clientId, _target, socket, receiver, _serializer, _options, _time, _logger);
            await client.RunAsync(_stopping.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SerializerException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            GatewayLog.ConnectionRefused(_logger, remote, e.Message);
        }
        finally
        {
            socket.Dispose();
        }
    }

    private async Task<string> WelcomeAsync(Socket socket, FrameReceiver receiver)
    {
        using var late = new CancellationTokenSource(_options.HandshakeTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, _stopping.Token);
        try
        {
            var clientId = await Handshake.ReceiveHelloAsync(receiver, _serializer, _target.ClusterId, either.Token).ConfigureAwait(false);
            await Handshake.SendWelcomeAsync(socket, _serializer, _target.Manifest, either.Token).ConfigureAwait(false);
            return clientId;
        }
        catch (SerializerException e)
        {
            await Handshake.SendRefusalAsync(socket, e.Message, either.Token).ConfigureAwait(false);
            throw;
        }
    }
}
