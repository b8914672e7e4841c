namespace Watch.ClientApp.Output;

/// <summary>
/// Standard output. A command says everything twice, as fields for programs and as a text for people; the format that the user chose
/// decides which of the two is made. Thread-safe; every line is out when the call returns.
/// </summary>
internal interface IOutput
{
    /// <summary>Writes one answer: an object on a line of its own, or a line of text.</summary>
    void Line(Action<JsonLine> fields, Func<string> text);

    /// <summary>Writes one answer: an object on a line of its own, or bytes as they are.</summary>
    void Bytes(Action<JsonLine> fields, ReadOnlyMemory<byte> bytes);
}
