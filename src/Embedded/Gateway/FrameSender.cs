using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;

namespace Watch.Embedded.Gateway;

/// <summary>
/// The outgoing half of a connection. Whoever enqueues a frame while nothing is being sent sends it,
/// on its own thread; what is enqueued meanwhile gathers in a second buffer and leaves in one piece.
/// </summary>
internal sealed class FrameSender(Socket socket, GatewayOptions options, Action<string> failed)
{
    private const int RetainedBytesMax = 1024 * 1024;

    private readonly Lock _gate = new();
    private ArrayBufferWriter<byte> _filling = new(4096);
    private ArrayBufferWriter<byte> _sending = new(4096);
    private TaskCompletionSource? _room;
    private bool _busy;
    private bool _closed;

    /// <summary>Hands a frame over; false when the connection has ended.</summary>
    public bool Enqueue(FrameKind kind, ReadOnlySpan<byte> payload)
    {
        var overflow = false;
        lock (_gate)
        {
            if (_closed)
                return false;
            Append(kind, payload);
            overflow = _filling.WrittenCount > options.UnreadBytesMax;
            if (_busy && !overflow)
                return true;
            _busy = true;
        }

        if (overflow)
            failed($"{options.UnreadBytesMax} bytes wait for a peer that does not read.");
        else
            _ = PumpAsync(); // its errors end the connection
        return !overflow;
    }

    /// <summary>Waits while too much is waiting already.</summary>
    public ValueTask WaitForRoomAsync(CancellationToken cancellationToken)
    {
        if (_filling.WrittenCount < options.SendQueueBytesMax)
            return default;
        lock (_gate)
        {
            if (_closed || _filling.WrittenCount < options.SendQueueBytesMax)
                return default;
            _room ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
            return new(_room.Task.WaitAsync(cancellationToken));
        }
    }

    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            _room?.TrySetResult();
            _room = null;
        }
    }

    private void Append(FrameKind kind, ReadOnlySpan<byte> payload)
    {
        var span = _filling.GetSpan(5 + payload.Length);
        BinaryPrimitives.WriteInt32LittleEndian(span, payload.Length + 1);
        span[4] = (byte)kind;
        payload.CopyTo(span[5..]);
        _filling.Advance(5 + payload.Length);
    }

    private async Task PumpAsync()
    {
        try
        {
            while (TakeBatch() is { IsEmpty: false } batch)
            {
                while (!batch.IsEmpty)
                    batch = batch[await socket.SendAsync(batch, SocketFlags.None).ConfigureAwait(false)..];
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            failed($"sending failed: {e.Message}");
        }
    }

    private ReadOnlyMemory<byte> TakeBatch()
    {
        lock (_gate)
        {
            _sending.ResetWrittenCount();
            if (_sending.Capacity > RetainedBytesMax)
                _sending = new(4096);
            (_filling, _sending) = (_sending, _filling);
            _busy = _sending.WrittenCount > 0 && !_closed;
            _room?.TrySetResult();
            _room = null;
            return _busy ? _sending.WrittenMemory : default;
        }
    }
}
