namespace Watch.Embedded.Serialization;

/// <summary>What a single message may cost.</summary>
public sealed record SerializerLimits
{
    /// <summary>Length of one message in bytes; 100 MB unless set.</summary>
    public int MessageBytesMax { get; init; } = 100 * 1024 * 1024;

    /// <summary>How deep objects may hold objects. A thread's stack carries several times the default.</summary>
    public int DepthMax { get; init; } = 256;

    /// <summary>How many constructed generic types and array types messages may introduce in a process.</summary>
    public int ConstructedTypesMax { get; init; } = 4096;
}
