using Orleans;
using Orleans.Serialization;

namespace Watch.Embedded.Serialization;

/// <summary>Bytes that are no message: cut off, contradictory, too deep, or over a limit.</summary>
[GenerateSerializer]
public sealed class MalformedMessageException : SerializerException
{
    /// <summary>Creates the error.</summary>
    public MalformedMessageException(string message) : base(message) { }

    /// <summary>Creates the error with its cause.</summary>
    public MalformedMessageException(string message, Exception? innerException) : base(message, innerException) { }
}
