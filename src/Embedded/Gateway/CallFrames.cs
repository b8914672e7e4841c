using System.Buffers;
using System.Buffers.Binary;
using Orleans.Runtime;
using Orleans.Serialization;
using Watch.Embedded.Runtime;
using Watch.Embedded.Serialization;

namespace Watch.Embedded.Gateway;

/// <summary>Payloads of calls and their answers.</summary>
internal sealed class CallFrames(EmbeddedSerializer serializer)
{
    private const byte NoAnswerWanted = 1;
    private static readonly Type[] s_headerTypes =
        [typeof(string), typeof(string), typeof(string), typeof(TimeSpan), typeof(Dictionary<string, object>)];
    private static readonly Type[] s_exceptionType = [typeof(Exception)];

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_buffer;

    public ReadOnlySpan<byte> WriteCall(long id, CallHeader header, MethodDescriptor method, object?[] arguments)
    {
        var buffer = Begin(id);
        buffer.GetSpan(5)[0] = header.OneWay ? NoAnswerWanted : (byte)0;
        buffer.Advance(5);
        var context = header.RequestContext is null ? null : new Dictionary<string, object>(header.RequestContext);
        serializer.WriteAll(buffer, s_headerTypes, [header.GrainId, header.Interface, header.Method, header.Timeout, context]);
        var headerLength = buffer.WrittenCount - 13;
        serializer.WriteAll(buffer, method.ParameterTypes, arguments);
        System.Runtime.InteropServices.MemoryMarshal.AsMemory(buffer.WrittenMemory).Span[9..].WriteInt32(headerLength);
        return buffer.WrittenSpan;
    }

    /// <summary>Throws MalformedMessageException when the frame itself is unsound (G3).</summary>
    public IncomingCall ReadCall(ReadOnlySpan<byte> payload)
    {
        var id = ReadId(payload);
        if (payload.Length < 13)
            throw new MalformedMessageException("A call is cut off.");
        var headerLength = BinaryPrimitives.ReadInt32LittleEndian(payload[9..]);
        if (headerLength < 0 || headerLength > payload.Length - 13)
            throw new MalformedMessageException("The header of a call is longer than the call.");
        object?[] parts;
        try
        {
            parts = serializer.ReadAll(payload.Slice(13, headerLength), s_headerTypes);
        }
        catch (SerializerException e) when (e is not MalformedMessageException)
        {
            // The caller's RequestContext holds a type that is unknown here.
            return new(id, new CallHeader { GrainId = "", Interface = "", Method = "", Timeout = default }, Method: null, [], e);
        }

        var header = new CallHeader
        {
            GrainId = Text(parts[0]),
            Interface = Text(parts[1]),
            Method = Text(parts[2]),
            Timeout = (TimeSpan)parts[3]!,
            OneWay = (payload[8] & NoAnswerWanted) != 0,
            RequestContext = (Dictionary<string, object>?)parts[4],
        };
        return ReadArguments(id, header, payload[(13 + headerLength)..]);
    }

    public static MethodDescriptor MethodOf(CallHeader header) =>
        InterfaceCatalog.Shared.TryGet(header.Interface, out var descriptor)
            ? descriptor.Find(header.Method)
            : throw new OrleansException($"The interface '{header.Interface}' is unknown here.");

    public ReadOnlySpan<byte> WriteResult(long id, MethodDescriptor method, object? value)
    {
        var buffer = Begin(id);
        if (method.ResultType != typeof(void))
            serializer.WriteAll(buffer, [DeclaredResult(method)], [value]);
        return buffer.WrittenSpan;
    }

    public object? ReadResult(ReadOnlySpan<byte> payload, MethodDescriptor method) => method.ResultType == typeof(void)
        ? null
        : serializer.ReadAll(payload[8..], [DeclaredResult(method)])[0];

    public ReadOnlySpan<byte> WriteFailure(long id, Exception exception)
    {
        try
        {
            var buffer = Begin(id);
            serializer.WriteAll(buffer, s_exceptionType, [exception]);
            return buffer.WrittenSpan;
        }
        catch (Exception e)
        {
            // A member of the exception cannot travel; that it failed, and with what, still has to arrive.
            var buffer = Begin(id);
            var text = $"{exception.GetType()}: {exception.Message} (the exception itself could not be sent: {e.Message})";
            serializer.WriteAll(buffer, s_exceptionType, [new OrleansException(text)]);
            return buffer.WrittenSpan;
        }
    }

    public Exception ReadFailure(ReadOnlySpan<byte> payload) =>
        (Exception?)serializer.ReadAll(payload[8..], s_exceptionType)[0] ?? new OrleansException("A call failed without a reason.");

    public static byte[] WriteId(long id)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, id);
        return bytes;
    }

    public static long ReadId(ReadOnlySpan<byte> payload) => payload.Length >= 8
        ? BinaryPrimitives.ReadInt64LittleEndian(payload)
        : throw new MalformedMessageException("A frame without an id.");

    private static ArrayBufferWriter<byte> Begin(long id)
    {
        const int RetainedBytesMax = 1024 * 1024;
        if (t_buffer is null || t_buffer.Capacity > RetainedBytesMax)
            t_buffer = new(1024);
        t_buffer.ResetWrittenCount();
        BinaryPrimitives.WriteInt64LittleEndian(t_buffer.GetSpan(8), id);
        t_buffer.Advance(8);
        return t_buffer;
    }

    private IncomingCall ReadArguments(long id, CallHeader header, ReadOnlySpan<byte> bytes)
    {
        try
        {
            var method = MethodOf(header);
            return new(id, header, method, serializer.ReadAll(bytes, method.ParameterTypes), Error: null);
        }
        catch (Exception e) when (e is SerializerException or OrleansException)
        {
            return new(id, header, Method: null, [], e);
        }
    }

    /// <summary>A sequence is never a result: its elements are fetched by calls of the extension.</summary>
    private static Type DeclaredResult(MethodDescriptor method) =>
        method.Kind == ReturnKind.AsyncEnumerable ? typeof(object) : method.ResultType;

    private static string Text(object? part) => (string?)part ?? throw new MalformedMessageException("A call without a name.");
}

/// <summary>A call that arrived; <paramref name="Error"/> tells why it cannot be made, if it cannot.</summary>
internal sealed record IncomingCall(long Id, CallHeader Header, MethodDescriptor? Method, object?[] Arguments, Exception? Error);

internal static class SpanExtensions
{
    public static void WriteInt32(this Span<byte> span, int value) => BinaryPrimitives.WriteInt32LittleEndian(span, value);
}
