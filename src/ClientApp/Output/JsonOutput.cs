using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Watch.ClientApp.Output;

/// <summary>One JSON object per line, and nothing else.</summary>
internal sealed class JsonOutput(Stream stream) : IOutput
{
    // What is written goes to programs, not into web pages, so only what JSON itself asks for is escaped.
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly Lock _gate = new();

    public void Line(Action<JsonLine> fields, Func<string> text)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, s_options))
        {
            json.WriteStartObject();
            fields(new JsonLine(json));
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        lock (_gate)
        {
            stream.Write(buffer.WrittenSpan);
            stream.Flush();
        }
    }

    public void Bytes(Action<JsonLine> fields, ReadOnlyMemory<byte> bytes) => Line(fields, () => "");
}
