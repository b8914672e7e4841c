using System.Collections.Immutable;
using Orleans;

namespace Watch.EmbeddedWire.Tests.Serialization;

[GenerateSerializer, Alias("test.Plain")]
public sealed class Plain
{
    private Plain() { }

    public Plain(int number, string? text) => (Number, Text) = (number, text);

    [Id(0)] public int Number { get; private set; }
    [Id(1)] public string? Text { get; init; }
    [Id(7)] private readonly List<string> _names = ["from the constructor"];
    public string? NotSent { get; set; }
    public List<string> Names => _names;
}

[GenerateSerializer]
public record Positional(string Name, int Count)
{
    [Id(0)] public byte[]? Bytes { get; set; }
}

[GenerateSerializer]
public sealed record Below(string Name, int Count, [property: Id(5)] Guid Mark) : Positional(Name, Count)
{
    public double NotSent { get; set; }
}

[GenerateSerializer, Immutable]
public sealed record Frozen(byte[] Bytes);

[GenerateSerializer]
public record struct Point([property: Id(0)] int X, [property: Id(1)] long? Y);

[GenerateSerializer]
public readonly struct Holder
{
    [Id(0)] public readonly List<int>? Items;
    [Id(1)] public readonly ImmutableArray<Holder> Below;

    public Holder(List<int> items, ImmutableArray<Holder> below) => (Items, Below) = (items, below);
}

[GenerateSerializer]
public sealed class Node
{
    [Id(0)] public Node? Next { get; set; }
    [Id(1)] public object? Any { get; set; }
    [Id(2)] public Node[]? Many { get; set; }
    [Id(3), Immutable] public byte[]? Shared { get; set; }
}

[GenerateSerializer]
public sealed class Earlier
{
    [Id(1)] public string? Kept { get; set; }
    [Id(9)] public object? Last { get; set; }
}

/// <summary>What <see cref="Earlier"/> became: more members before, between and after.</summary>
[GenerateSerializer]
public sealed class Later
{
    [Id(0)] public List<Node>? First { get; set; }
    [Id(1)] public string? Kept { get; set; }
    [Id(2)] public decimal Price { get; set; }
    [Id(3)] public double Ratio { get; set; }
    [Id(4)] public float Small { get; set; }
    [Id(5)] public ulong Number { get; set; }
    [Id(6)] public Point Point { get; set; }
    [Id(9)] public object? Last { get; set; }
    [Id(12)] public string? New { get; set; } = "default";
}

public enum Colour : byte
{
    Red,
    Green = 200,
}

/// <summary>A type that the serializer cannot know by itself.</summary>
public sealed class Foreign(string secret)
{
    public string Secret { get; } = secret;
}

[GenerateSerializer]
public struct ForeignSurrogate
{
    [Id(0)] public string Secret;
}

[RegisterConverter]
public sealed class ForeignConverter : IConverter<Foreign, ForeignSurrogate>
{
    public Foreign ConvertFromSurrogate(in ForeignSurrogate surrogate) => new(surrogate.Secret);

    public ForeignSurrogate ConvertToSurrogate(in Foreign value) => new() { Secret = value.Secret };
}

public readonly struct Wrapped<T>(T value)
{
    public T Value { get; } = value;
}

[GenerateSerializer]
public struct WrappedSurrogate<T>
{
    [Id(0)] public T Value;
}

[RegisterConverter]
public sealed class WrappedConverter<T> : IConverter<Wrapped<T>, WrappedSurrogate<T>>
{
    public Wrapped<T> ConvertFromSurrogate(in WrappedSurrogate<T> surrogate) => new(surrogate.Value);

    public WrappedSurrogate<T> ConvertToSurrogate(in Wrapped<T> value) => new() { Value = value.Value };
}

[GenerateSerializer]
public class KnownException(string message, Exception? inner, long revision) : Exception(message, inner)
{
    [Id(0)] public long Revision { get; } = revision;
}

public sealed class LocalException(string message) : Exception(message);

public sealed class Unmarked
{
    public int Number { get; set; }
}
