using System.Collections.Immutable;
using Orleans;
using Watch.Core;

namespace Watch;

/// <summary>The answer to a read of one key.</summary>
/// <param name="Key">The key as it is, or null where it does not exist.</param>
/// <param name="Revision">The bucket's revision of which that is true.</param>
[GenerateSerializer, Immutable, Alias("watch.GetResult")]
public sealed record GetResult([property: Id(0)] KeyValue? Key, [property: Id(1)] Revision Revision);

/// <summary>The answer to a read of several keys, from one revision.</summary>
/// <param name="Keys">One entry per key asked for, in that order; null where the key does not exist.</param>
/// <param name="Revision">The bucket's revision of which all of it is true.</param>
[GenerateSerializer, Immutable, Alias("watch.GetManyResult")]
public sealed record GetManyResult([property: Id(0)] ImmutableArray<KeyValue?> Keys, [property: Id(1)] Revision Revision);

/// <summary>What a scan asks for.</summary>
/// <param name="Prefix">The keys begin with these bytes; empty for all keys of the bucket.</param>
/// <param name="KeysMax">At most so many keys in one answer, 1 to 10,000.</param>
/// <param name="KeysOnly">Leave the values out.</param>
/// <param name="After">Go on behind this key, for the next page.</param>
/// <param name="At">The revision to read at, for a further page of the same scan; null for now.</param>
/// <param name="Policy">How fresh the page is; linearizable by default.</param>
[GenerateSerializer, Immutable, Alias("watch.ScanRequest")]
public sealed record ScanRequest(
    [property: Id(0)] Key Prefix,
    [property: Id(1)] int KeysMax = ScanRequest.KeysMaxDefault,
    [property: Id(2)] bool KeysOnly = false,
    [property: Id(3)] Key? After = null,
    [property: Id(4)] Revision? At = null,
    [property: Id(5)] ReadPolicy Policy = default)
{
    /// <summary>How many keys one answer holds unless asked otherwise.</summary>
    public const int KeysMaxDefault = 1000;

    /// <summary>The most keys one answer can hold.</summary>
    public const int KeysMaxLimit = 10_000;
}

/// <summary>A page of a scan, in byte order of the keys.</summary>
/// <param name="Keys">The keys.</param>
/// <param name="Revision">The revision of which the page is true; a watch from the revision after it continues without a gap.</param>
/// <param name="More">Whether keys follow behind the last one of this page.</param>
[GenerateSerializer, Immutable, Alias("watch.ScanResult")]
public sealed record ScanResult(
    [property: Id(0)] ImmutableArray<KeyValue> Keys,
    [property: Id(1)] Revision Revision,
    [property: Id(2)] bool More);

/// <summary>How a node and its bucket are.</summary>
[GenerateSerializer, Immutable, Alias("watch.StatusResult")]
public sealed record StatusResult
{
    /// <summary>The cluster's incarnation: 32 hexadecimal digits, drawn at its birth.</summary>
    [Id(0)]
    public string Incarnation { get; init; } = "";

    /// <summary>The name of the node that leads the bucket's group.</summary>
    [Id(1)]
    public string Leader { get; init; } = "";

    /// <summary>The leader's term.</summary>
    [Id(2)]
    public long Term { get; init; }

    /// <summary>The bucket's revision.</summary>
    [Id(3)]
    public Revision Revision { get; init; }

    /// <summary>The last revision whose history is compacted away; 0 while all of it is there.</summary>
    [Id(4)]
    public Revision Compacted { get; init; }

    /// <summary>How many keys the bucket has.</summary>
    [Id(5)]
    public long Keys { get; init; }

    /// <summary>The engine that runs the answering silo, <c>Orleans</c> or <c>Embedded</c>.</summary>
    [Id(6)]
    public string Engine { get; init; } = "";

    /// <summary>The names of the silos that Orleans' membership shows as active.</summary>
    [Id(7)]
    public ImmutableArray<string> Silos { get; init; } = [];

    /// <summary>How many subscriptions the answering silo has.</summary>
    [Id(8)]
    public int Watchers { get; init; }

    /// <summary>The bytes of log on the leader's disk.</summary>
    [Id(9)]
    public long LogBytes { get; init; }

    /// <summary>The index of the last entry of the log that the answering replica had applied: what <see cref="WriteId.Seen"/> begins with.</summary>
    [Id(10)]
    public LogIndex Index { get; init; }
}
