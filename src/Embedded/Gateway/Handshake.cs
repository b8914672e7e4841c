using System.Buffers;
using System.Net.Sockets;
using System.Text;
using Orleans.Serialization;
using Watch.Embedded.Serialization;

namespace Watch.Embedded.Gateway;

/// <summary>The opening of a connection: who is there, which protocol, which cluster.</summary>
internal static class Handshake
{
    public const int Version = 1;
    private const int BytesMax = 1024 * 1024;
    private const string Magic = "watch-gateway";
    private static readonly Type[] s_hello = [typeof(string), typeof(int), typeof(string), typeof(string)];
    private static readonly Type[] s_welcome = [typeof(string), typeof(int), typeof(Dictionary<string, string>)];

    public static Task SendHelloAsync(Socket socket, EmbeddedSerializer serializer, string cluster, string client, CancellationToken cancellationToken) =>
        SendAsync(socket, FrameKind.Hello, Write(serializer, s_hello, Magic, Version, cluster, client), cancellationToken);

    public static Task SendWelcomeAsync(Socket socket, EmbeddedSerializer serializer, IReadOnlyDictionary<string, string> manifest, CancellationToken cancellationToken) =>
        SendAsync(socket, FrameKind.Welcome, Write(serializer, s_welcome, Magic, Version, new Dictionary<string, string>(manifest)), cancellationToken);

    public static Task SendRefusalAsync(Socket socket, string reason, CancellationToken cancellationToken) =>
        SendAsync(socket, FrameKind.Refused, Encoding.UTF8.GetBytes(reason), cancellationToken);

    /// <summary>The client's id; a MalformedMessageException says why it is not let in.</summary>
    public static async Task<string> ReceiveHelloAsync(FrameReceiver receiver, EmbeddedSerializer serializer, string cluster, CancellationToken cancellationToken)
    {
        var frame = await receiver.ReadAsync(BytesMax, cancellationToken).ConfigureAwait(false)
            ?? throw new MalformedMessageException("it closed before it introduced itself");
        if (frame.Kind != FrameKind.Hello)
            throw new MalformedMessageException("it does not speak the gateway's protocol");
        var hello = serializer.ReadAll(frame.Payload.Span, s_hello);
        CheckProtocol(hello[0], hello[1]);
        if (hello[2] is not string wanted || wanted != cluster)
            throw new MalformedMessageException($"this is cluster '{cluster}', the client looks for cluster '{hello[2]}'");
        return hello[3] is string { Length: > 0 } client ? client : throw new MalformedMessageException("it has no client id");
    }

    /// <summary>The silo's manifest; a MalformedMessageException says why there is none.</summary>
    public static async Task<IReadOnlyDictionary<string, string>> ReceiveWelcomeAsync(FrameReceiver receiver, EmbeddedSerializer serializer, CancellationToken cancellationToken)
    {
        var frame = await receiver.ReadAsync(BytesMax, cancellationToken).ConfigureAwait(false)
            ?? throw new MalformedMessageException("it closed the connection without a word");
        if (frame.Kind == FrameKind.Refused)
            throw new MalformedMessageException($"it refused: {Encoding.UTF8.GetString(frame.Payload.Span)}");
        if (frame.Kind != FrameKind.Welcome)
            throw new MalformedMessageException("it does not speak the gateway's protocol");
        var welcome = serializer.ReadAll(frame.Payload.Span, s_welcome);
        CheckProtocol(welcome[0], welcome[1]);
        return (Dictionary<string, string>?)welcome[2] ?? [];
    }

    private static void CheckProtocol(object? magic, object? version)
    {
        if (magic is not Magic)
            throw new MalformedMessageException("it does not speak the gateway's protocol");
        if (version is not Version)
            throw new MalformedMessageException($"it speaks version {version} of the gateway's protocol, this is version {Version}");
    }

    private static byte[] Write(EmbeddedSerializer serializer, Type[] types, params object?[] values)
    {
        var buffer = new ArrayBufferWriter<byte>();
        serializer.WriteAll(buffer, types, values);
        return buffer.WrittenSpan.ToArray();
    }

    private static async Task SendAsync(Socket socket, FrameKind kind, byte[] payload, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> frame = (byte[])[.. BitConverter.GetBytes(payload.Length + 1), (byte)kind, .. payload];
        while (!frame.IsEmpty)
            frame = frame[await socket.SendAsync(frame, SocketFlags.None, cancellationToken).ConfigureAwait(false)..];
    }
}
