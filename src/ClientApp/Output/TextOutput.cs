using System.Text;
using System.Text.Unicode;

namespace Watch.ClientApp.Output;

/// <summary>Lines for people.</summary>
internal sealed class TextOutput(Stream stream) : IOutput
{
    private readonly Lock _gate = new();

    public void Line(Action<JsonLine> fields, Func<string> text) => Write(Encoding.UTF8.GetBytes(text() + "\n"));

    public void Bytes(Action<JsonLine> fields, ReadOnlyMemory<byte> bytes)
    {
        // Text ends its line, so that the next prompt starts on its own; other bytes come exactly as they are.
        var isText = Utf8.IsValid(bytes.Span) && !bytes.Span.EndsWith("\n"u8);
        Write(isText ? [.. bytes.Span, (byte)'\n'] : bytes.Span);
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            stream.Write(bytes);
            stream.Flush();
        }
    }
}
