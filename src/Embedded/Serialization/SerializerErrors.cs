namespace Orleans.Serialization;

/// <summary>A value could not be written, read or copied. Base of all errors of the serializer.</summary>
[GenerateSerializer]
public class SerializerException : Exception
{
    /// <summary>Creates the error without a message.</summary>
    public SerializerException() { }

    /// <summary>Creates the error.</summary>
    public SerializerException(string message) : base(message) { }

    /// <summary>Creates the error with its cause.</summary>
    public SerializerException(string message, Exception? innerException) : base(message, innerException) { }
}

/// <summary>A type is neither marked [GenerateSerializer], nor has a converter, nor is known to the serializer.</summary>
[GenerateSerializer]
public sealed class CodecNotFoundException : SerializerException
{
    /// <summary>Creates the error.</summary>
    public CodecNotFoundException(string message) : base(message) { }
}

/// <summary>A message names a type that messages may not name: it belongs to no assembly of the application.</summary>
[GenerateSerializer]
public sealed class IllegalTypeException : SerializerException
{
    /// <summary>Creates the error.</summary>
    public IllegalTypeException(string message) : base(message) { }
}

/// <summary>Stands for an exception whose type does not exist here or may not be created from a message.</summary>
public sealed class UnavailableExceptionFallbackException : Exception
{
    /// <summary>Creates an empty stand-in.</summary>
    public UnavailableExceptionFallbackException() { }

    /// <summary>Creates a stand-in with the original's message and cause.</summary>
    public UnavailableExceptionFallbackException(string message, Exception innerException) : base(message, innerException) { }

    /// <summary>The full name of the original type.</summary>
    public string? ExceptionType { get; internal set; }

    /// <inheritdoc />
    public override string ToString() => string.IsNullOrWhiteSpace(ExceptionType)
        ? $"Unknown exception: {base.ToString()}"
        : $"Unknown exception of type {ExceptionType}: {base.ToString()}";
}
