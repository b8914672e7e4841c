using System.Buffers.Binary;
using System.Net.Sockets;
using Watch.Embedded.Serialization;

namespace Watch.Embedded.Gateway;

/// <summary>The incoming half of a connection: cuts the bytes of a socket into frames.</summary>
internal sealed class FrameReceiver(Socket socket)
{
    private const int BufferBytes = 64 * 1024;

    private byte[] _buffer = new byte[BufferBytes];
    private int _start;
    private int _end;

    /// <summary>
    /// The next frame, valid until the next call; null at the end of the stream. Room for a long frame
    /// is made only as its bytes arrive, so an announced length alone costs nothing.
    /// </summary>
    public async ValueTask<(FrameKind Kind, ReadOnlyMemory<byte> Payload)?> ReadAsync(int bytesMax, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (TryTake(bytesMax, out var frame))
                return frame;
            MakeRoom();
            var count = await socket.ReceiveAsync(_buffer.AsMemory(_end), SocketFlags.None, cancellationToken).ConfigureAwait(false);
            if (count == 0)
                return null;
            _end += count;
        }
    }

    private bool TryTake(int bytesMax, out (FrameKind, ReadOnlyMemory<byte>) frame)
    {
        frame = default;
        if (_end - _start < 4)
            return false;
        var length = BinaryPrimitives.ReadInt32LittleEndian(_buffer.AsSpan(_start));
        if (length < 1 || length > bytesMax)
            throw new MalformedMessageException($"A frame of {length} bytes was announced; 1 to {bytesMax} are allowed.");
        if (_end - _start - 4 < length)
            return false;
        frame = ((FrameKind)_buffer[_start + 4], _buffer.AsMemory(_start + 5, length - 1));
        _start += 4 + length;
        return true;
    }

    private void MakeRoom()
    {
        if (_start == _end)
        {
            (_start, _end) = (0, 0);
            if (_buffer.Length > BufferBytes * 16)
                _buffer = new byte[BufferBytes];
        }

        if (_end < _buffer.Length)
            return;
        var waiting = _end - _start;
        var target = waiting > _buffer.Length / 2 ? new byte[_buffer.Length * 2] : _buffer;
        Buffer.BlockCopy(_buffer, _start, target, 0, waiting);
        (_buffer, _start, _end) = (target, 0, waiting);
    }
}
