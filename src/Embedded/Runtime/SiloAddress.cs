// The identity of one run of a silo: an endpoint and a generation, which is new at every start.
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Orleans.Runtime;

[Immutable]
public sealed class SiloAddress : IEquatable<SiloAddress>, IComparable<SiloAddress>
{
    private readonly string _text;

    private SiloAddress(IPEndPoint endpoint, int generation)
    {
        Endpoint = endpoint;
        Generation = generation;
        _text = string.Create(CultureInfo.InvariantCulture, $"{endpoint.Address}:{endpoint.Port}@{generation}");
    }

    public IPEndPoint Endpoint { get; }

    public int Generation { get; }

    public static SiloAddress Zero { get; } = New(new IPEndPoint(0, 0), 0);

    public static SiloAddress New(IPEndPoint ep, int gen) => new(ep, gen);

    public static SiloAddress New(IPAddress address, int port, int generation) => new(new IPEndPoint(address, port), generation);

    public static SiloAddress FromParsableString(string addr) => Parse(addr);

    public static SiloAddress Parse(string value) => TryParse(value, out var result)
        ? result
        : throw new FormatException($"'{value}' is not a silo address: 'ip:port@generation' is expected.");

    public static bool TryParse(string? value, [NotNullWhen(true)] out SiloAddress? result)
    {
        result = null;
        var at = value?.LastIndexOf('@') ?? -1;
        if (at > 0 && IPEndPoint.TryParse(value.AsSpan(0, at), out var endpoint)
            && int.TryParse(value.AsSpan(at + 1), NumberStyles.Integer, CultureInfo.InvariantCulture, out var generation))
            result = new(endpoint, generation);
        return result is not null;
    }

    public string ToParsableString() => _text;

    public override string ToString() => "S" + _text;

    public bool Equals(SiloAddress? other) =>
        other is not null && Generation == other.Generation && Endpoint.Equals(other.Endpoint);

    public override bool Equals(object? obj) => Equals(obj as SiloAddress);

    // Not Endpoint.GetHashCode: that one is not promised to be the same in two processes.
    public override int GetHashCode() => IdSpan.Create(_text).GetHashCode();

    public int GetConsistentHashCode() => GetHashCode();

    public int CompareTo(SiloAddress? other) => other is null ? 1 : string.CompareOrdinal(_text, other._text);
}
