using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Orleans.Serialization;
using Watch.Embedded.Runtime;
using Watch.Embedded.Serialization;

namespace Watch.Embedded.Gateway;

/// <summary>What the two ends of a connection do differently.</summary>
internal sealed record PeerRole(
    string PeerName,
    Func<string, Exception> Lost,
    Func<CallHeader, object?[], CancellationToken, ValueTask<object?>> InvokeAsync);

/// <summary>
/// One end of an open connection, after the handshake: calls out, calls in, pings. Both ends are
/// alike; see <see cref="FrameKind"/> for the protocol and its rules.
/// </summary>
internal sealed class GatewayPeer : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly FrameReceiver _receiver;
    private readonly FrameSender _sender;
    private readonly CallFrames _frames;
    private readonly GatewayOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly PeerRole _role;
    private readonly ConcurrentDictionary<long, OutgoingCall> _outgoing = new();
    private readonly ConcurrentDictionary<long, CancellationTokenSource> _incoming = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ITimer? _pings;
    private Task _receiving = Task.CompletedTask;
    private long _lastId;
    private int _silentIntervals;
    private string? _endReason;

    public GatewayPeer(
        Socket socket, FrameReceiver receiver, EmbeddedSerializer serializer, GatewayOptions options, TimeProvider time, ILogger logger, PeerRole role)
    {
        _socket = socket;
        _receiver = receiver;
        _sender = new FrameSender(socket, options, End);
        _frames = new CallFrames(serializer);
        (_options, _time, _logger, _role) = (options, time, logger, role);
    }

    /// <summary>Completes when the connection has ended.</summary>
    public Task Closed => _closed.Task;

    public void Start()
    {
        _pings = _time.CreateTimer(static peer => ((GatewayPeer)peer!).OnInterval(), this, _options.PingInterval, _options.PingInterval);
        _receiving = ReceiveAsync();
    }

    public async ValueTask<object?> CallAsync(CallHeader header, object?[] arguments, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await _sender.WaitForRoomAsync(cancellationToken).ConfigureAwait(false);

        var method = CallFrames.MethodOf(header);
        var id = Interlocked.Increment(ref _lastId);
        if (header.OneWay)
            return SendCall(id, header, method, arguments) ? null : throw Lost();

        var call = new OutgoingCall(method);
        _outgoing[id] = call;
        try
        {
            // The connection may have ended between the look-up of its state and the entry (G2).
            if (!SendCall(id, header, method, arguments) || Volatile.Read(ref _endReason) is not null)
                throw Lost();
            using var cancelling = cancellationToken.UnsafeRegister(
                static (state, token) => ((Cancelling)state!).Run(token), cancellationToken.CanBeCanceled ? new Cancelling(this, call, id) : null);
            return await call.Task.ConfigureAwait(false);
        }
        finally
        {
            _outgoing.TryRemove(id, out _);
        }
    }

    /// <summary>
    /// Takes leave: what was enqueued still goes out, then the reason. The peer closes when it has read
    /// that; to close first, with bytes of the peer's unread, would make the system discard what is on its way.
    /// </summary>
    public async ValueTask CloseAsync(string reason)
    {
        if (_sender.Enqueue(FrameKind.Goodbye, Encoding.UTF8.GetBytes(reason)))
        {
            try
            {
                await Closed.WaitAsync(_options.LeaveTimeout, _time).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                End($"{reason}; the peer did not take notice within {_options.LeaveTimeout}");
            }
        }

        End(reason);
        await _receiving.ConfigureAwait(false);
    }

    public ValueTask DisposeAsync() => CloseAsync("closed on this side");

    private bool SendCall(long id, CallHeader header, MethodDescriptor method, object?[] arguments) =>
        _sender.Enqueue(FrameKind.Call, _frames.WriteCall(id, header, method, arguments));

    private Exception Lost() => _role.Lost($"The connection to {_role.PeerName} is gone: {_endReason ?? "it is closing"}");

    private async Task ReceiveAsync()
    {
        try
        {
            while (await _receiver.ReadAsync(_options.FrameBytesMax, CancellationToken.None).ConfigureAwait(false) is { } frame)
            {
                Volatile.Write(ref _silentIntervals, 0);
                OnFrame(frame.Kind, frame.Payload.Span);
            }

            End("the peer closed it");
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            End($"receiving failed: {e.Message}");
        }
        catch (SerializerException e)
        {
            End($"the peer sent garbage: {e.Message}");
        }
        catch (Exception e)
        {
            // Whatever it was: a connection that nobody reads any more must not look alive.
            GatewayLog.ReceiveFailed(_logger, _role.PeerName, e);
            End($"reading failed: {e.Message}");
        }
    }

    private void OnFrame(FrameKind kind, ReadOnlySpan<byte> payload)
    {
        switch (kind)
        {
            case FrameKind.Call:
                _ = ServeAsync(_frames.ReadCall(payload)); // answers for itself
                break;
            case FrameKind.Result:
                OnResult(payload);
                break;
            case FrameKind.Failure:
                OnFailure(payload);
                break;
            case FrameKind.Cancel:
                if (_incoming.TryRemove(CallFrames.ReadId(payload), out var source))
                    _ = CancelAsync(source); // logs what the callee's callbacks throw
                break;
            case FrameKind.Ping:
                break;
            case FrameKind.Goodbye:
                End(Encoding.UTF8.GetString(payload));
                break;
            default:
                throw new MalformedMessageException($"Frames of kind {(int)kind} have no place here.");
        }
    }

    private void OnResult(ReadOnlySpan<byte> payload)
    {
        if (!_outgoing.TryRemove(CallFrames.ReadId(payload), out var call))
            return;
        try
        {
            call.TrySetResult(_frames.ReadResult(payload, call.Method));
        }
        catch (SerializerException e)
        {
            call.TrySetException(e);
        }
    }

    private void OnFailure(ReadOnlySpan<byte> payload)
    {
        if (!_outgoing.TryRemove(CallFrames.ReadId(payload), out var call))
            return;
        try
        {
            call.TrySetException(_frames.ReadFailure(payload));
        }
        catch (SerializerException e)
        {
            call.TrySetException(e);
        }
    }

    private async Task ServeAsync(IncomingCall call)
    {
        var source = new CancellationTokenSource();
        _incoming[call.Id] = source;
        try
        {
            if (call.Error is { } error)
                throw error;
            var result = await _role.InvokeAsync(call.Header, call.Arguments, source.Token).ConfigureAwait(false);
            if (!call.Header.OneWay)
                _sender.Enqueue(FrameKind.Result, _frames.WriteResult(call.Id, call.Method!, result));
        }
        catch (Exception e)
        {
            if (call.Header.OneWay)
                GatewayLog.OneWayCallFailed(_logger, $"{call.Header.Interface}.{call.Header.Method}", e);
            else
                _sender.Enqueue(FrameKind.Failure, _frames.WriteFailure(call.Id, e));
        }
        finally
        {
            // Not disposed: a Cancel frame may be about to use it, and without a timer it holds nothing.
            _incoming.TryRemove(call.Id, out _);
        }
    }

    private async Task CancelAsync(CancellationTokenSource source)
    {
        try
        {
            await source.CancelAsync().ConfigureAwait(false);
        }
        catch (AggregateException e)
        {
            GatewayLog.OneWayCallFailed(_logger, "cancellation", e);
        }
    }

    private void OnInterval()
    {
        if (Interlocked.Increment(ref _silentIntervals) > _options.SilentIntervalsMax)
            End($"nothing was heard from it for {_options.SilentIntervalsMax} intervals of {_options.PingInterval}");
        else
            _sender.Enqueue(FrameKind.Ping, []);
    }

    /// <summary>The one end of a connection (G2).</summary>
    private void End(string reason)
    {
        if (Interlocked.CompareExchange(ref _endReason, reason, null) is not null)
            return;
        _pings?.Dispose();
        _sender.Close();
        _socket.Dispose();
        foreach (var call in _outgoing.Values)
            call.TrySetException(Lost());
        GatewayLog.ConnectionEnded(_logger, _role.PeerName, reason);
        _closed.TrySetResult();
    }

    private sealed class OutgoingCall(MethodDescriptor method)
    {
        // Continuations are the callers' code: they must not hold up the loop that reads the answers.
        private readonly TaskCompletionSource<object?> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public MethodDescriptor Method { get; } = method;

        public Task<object?> Task => _answer.Task;

        public void TrySetResult(object? value) => _answer.TrySetResult(value);

        public void TrySetException(Exception exception) => _answer.TrySetException(exception);

        public void TrySetCanceled(CancellationToken token) => _answer.TrySetCanceled(token);
    }

    private sealed class Cancelling(GatewayPeer peer, OutgoingCall call, long id)
    {
        public void Run(CancellationToken token)
        {
            peer._sender.Enqueue(FrameKind.Cancel, CallFrames.WriteId(id));
            call.TrySetCanceled(token);
        }
    }
}
