using Orleans;
using Watch.Core;

namespace Watch.Interfaces.Serialization;

// Core knows nothing of the programming model, so its types travel as the surrogates below. Their ids and aliases are a wire
// contract: members are only ever added, with new ids.

/// <summary>How a <see cref="Key"/> travels.</summary>
[GenerateSerializer, Immutable, Alias("watch.Key")]
public readonly struct KeySurrogate(byte[] bytes)
{
    /// <summary>The key's bytes.</summary>
    [Id(0)]
    public readonly byte[] Bytes = bytes;
}

/// <summary>Converts a <see cref="Key"/> to and from its surrogate.</summary>
[RegisterConverter]
public sealed class KeyConverter : IConverter<Key, KeySurrogate>
{
    /// <inheritdoc/>
    public Key ConvertFromSurrogate(in KeySurrogate surrogate) => Key.Wrap(surrogate.Bytes ?? []);

    /// <inheritdoc/>
    public KeySurrogate ConvertToSurrogate(in Key value) => new(value.Unwrap());
}

/// <summary>How a <see cref="Revision"/> travels.</summary>
[GenerateSerializer, Immutable, Alias("watch.Revision")]
public readonly struct RevisionSurrogate(long value)
{
    /// <summary>The revision's number.</summary>
    [Id(0)]
    public readonly long Value = value;
}

/// <summary>Converts a <see cref="Revision"/> to and from its surrogate.</summary>
[RegisterConverter]
public sealed class RevisionConverter : IConverter<Revision, RevisionSurrogate>
{
    /// <inheritdoc/>
    public Revision ConvertFromSurrogate(in RevisionSurrogate surrogate) => new(surrogate.Value);

    /// <inheritdoc/>
    public RevisionSurrogate ConvertToSurrogate(in Revision value) => new(value.Value);
}

/// <summary>How a <see cref="BucketId"/> travels.</summary>
[GenerateSerializer, Immutable, Alias("watch.BucketId")]
public readonly struct BucketIdSurrogate(int value)
{
    /// <summary>The bucket's number.</summary>
    [Id(0)]
    public readonly int Value = value;
}

/// <summary>Converts a <see cref="BucketId"/> to and from its surrogate.</summary>
[RegisterConverter]
public sealed class BucketIdConverter : IConverter<BucketId, BucketIdSurrogate>
{
    /// <inheritdoc/>
    public BucketId ConvertFromSurrogate(in BucketIdSurrogate surrogate) => new(surrogate.Value);

    /// <inheritdoc/>
    public BucketIdSurrogate ConvertToSurrogate(in BucketId value) => new(value.Value);
}

/// <summary>How a <see cref="Scope"/> travels.</summary>
[GenerateSerializer, Immutable, Alias("watch.Scope")]
public readonly struct ScopeSurrogate(byte kind, byte[] text)
{
    /// <summary>The <see cref="ScopeKind"/>.</summary>
    [Id(0)]
    public readonly byte Kind = kind;

    /// <summary>The key or segment.</summary>
    [Id(1)]
    public readonly byte[] Text = text;
}

/// <summary>Converts a <see cref="Scope"/> to and from its surrogate.</summary>
[RegisterConverter]
public sealed class ScopeConverter : IConverter<Scope, ScopeSurrogate>
{
    /// <inheritdoc/>
    public Scope ConvertFromSurrogate(in ScopeSurrogate surrogate) => new((ScopeKind)surrogate.Kind, Key.Wrap(surrogate.Text ?? []));

    /// <inheritdoc/>
    public ScopeSurrogate ConvertToSurrogate(in Scope value) => new((byte)value.Kind, value.Text.Unwrap());
}

/// <summary>How a <see cref="Change"/> travels.</summary>
[GenerateSerializer, Immutable, Alias("watch.Change")]
public struct ChangeSurrogate
{
    /// <summary>The key.</summary>
    [Id(0)]
    public byte[] Key;

    /// <summary>The <see cref="ChangeKind"/>.</summary>
    [Id(1)]
    public byte Kind;

    /// <summary>The new value.</summary>
    [Id(2)]
    public ReadOnlyMemory<byte> Value;

    /// <summary>Whether the key existed before.</summary>
    [Id(3)]
    public bool Existed;

    /// <summary>The value before, where the key existed.</summary>
    [Id(4)]
    public ReadOnlyMemory<byte> PreviousValue;

    /// <summary>The revision.</summary>
    [Id(5)]
    public long Revision;

    /// <summary>The revision in which the key came into being.</summary>
    [Id(6)]
    public long CreateRevision;

    /// <summary>How many puts the key has had.</summary>
    [Id(7)]
    public long Version;

    /// <summary>The leader's wall clock, in milliseconds since 1970-01-01 UTC.</summary>
    [Id(8)]
    public long CommitTimeMs;

    /// <summary>The <see cref="ChangeCause"/>.</summary>
    [Id(9)]
    public byte Cause;

    /// <summary>Its place among the changes of its revision.</summary>
    [Id(10)]
    public int Position;

    /// <summary>Who wrote it.</summary>
    [Id(11)]
    public string? Writer;
}

/// <summary>Converts a <see cref="Change"/> to and from its surrogate.</summary>
[RegisterConverter]
public sealed class ChangeConverter : IConverter<Change, ChangeSurrogate>
{
    /// <inheritdoc/>
    public Change ConvertFromSurrogate(in ChangeSurrogate surrogate) => new()
    {
        Key = Key.Wrap(surrogate.Key ?? []),
        Kind = (ChangeKind)surrogate.Kind,
        Value = surrogate.Value,
        // Not "? … : null" as it stands: null would become an empty memory, which is a value.
        PreviousValue = surrogate.Existed ? surrogate.PreviousValue : default(ReadOnlyMemory<byte>?),
        Revision = new Revision(surrogate.Revision),
        CreateRevision = new Revision(surrogate.CreateRevision),
        Version = surrogate.Version,
        CommitTimeMs = surrogate.CommitTimeMs,
        Cause = (ChangeCause)surrogate.Cause,
        Position = surrogate.Position,
        Writer = surrogate.Writer,
    };

    /// <inheritdoc/>
    public ChangeSurrogate ConvertToSurrogate(in Change value) => new()
    {
        Key = value.Key.Unwrap(),
        Kind = (byte)value.Kind,
        Value = value.Value,
        Existed = value.PreviousValue is not null,
        PreviousValue = value.PreviousValue ?? default,
        Revision = value.Revision.Value,
        CreateRevision = value.CreateRevision.Value,
        Version = value.Version,
        CommitTimeMs = value.CommitTimeMs,
        Cause = (byte)value.Cause,
        Position = value.Position,
        Writer = value.Writer,
    };
}

/// <summary>How a <see cref="KeyValue"/> travels.</summary>
[GenerateSerializer, Immutable, Alias("watch.KeyValue")]
public struct KeyValueSurrogate
{
    /// <summary>The key.</summary>
    [Id(0)]
    public byte[] Key;

    /// <summary>The value.</summary>
    [Id(1)]
    public ReadOnlyMemory<byte> Value;

    /// <summary>The revision in which the key came into being.</summary>
    [Id(2)]
    public long CreateRevision;

    /// <summary>The revision of its last put.</summary>
    [Id(3)]
    public long ModRevision;

    /// <summary>How many puts it has had.</summary>
    [Id(4)]
    public long Version;
}

/// <summary>Converts a <see cref="KeyValue"/> to and from its surrogate.</summary>
[RegisterConverter]
public sealed class KeyValueConverter : IConverter<KeyValue, KeyValueSurrogate>
{
    /// <inheritdoc/>
    public KeyValue ConvertFromSurrogate(in KeyValueSurrogate surrogate) => new(
        Key.Wrap(surrogate.Key ?? []),
        surrogate.Value,
        new Revision(surrogate.CreateRevision),
        new Revision(surrogate.ModRevision),
        surrogate.Version);

    /// <inheritdoc/>
    public KeyValueSurrogate ConvertToSurrogate(in KeyValue value) => new()
    {
        Key = value.Key.Unwrap(),
        Value = value.Value,
        CreateRevision = value.CreateRevision.Value,
        ModRevision = value.ModRevision.Value,
        Version = value.Version,
    };
}

/// <summary>How a <see cref="LogIndex"/> travels.</summary>
[GenerateSerializer, Immutable, Alias("watch.LogIndex")]
public readonly struct LogIndexSurrogate(long value)
{
    /// <summary>The index's number.</summary>
    [Id(0)]
    public readonly long Value = value;
}

/// <summary>Converts a <see cref="LogIndex"/> to and from its surrogate.</summary>
[RegisterConverter]
public sealed class LogIndexConverter : IConverter<LogIndex, LogIndexSurrogate>
{
    /// <inheritdoc/>
    public LogIndex ConvertFromSurrogate(in LogIndexSurrogate surrogate) => new(surrogate.Value);

    /// <inheritdoc/>
    public LogIndexSurrogate ConvertToSurrogate(in LogIndex value) => new(value.Value);
}

/// <summary>How a <see cref="WriteId"/> travels.</summary>
[GenerateSerializer, Immutable, Alias("watch.WriteId")]
public struct WriteIdSurrogate
{
    /// <summary>The upper half of the client's id.</summary>
    [Id(0)]
    public ulong ClientUpper;

    /// <summary>The lower half of the client's id.</summary>
    [Id(1)]
    public ulong ClientLower;

    /// <summary>The write's number.</summary>
    [Id(2)]
    public long Number;

    /// <summary>The index that its client had seen.</summary>
    [Id(3)]
    public long Seen;

    /// <summary>The lowest number that its client may still send.</summary>
    [Id(4)]
    public long OldestOpen;
}

/// <summary>Converts a <see cref="WriteId"/> to and from its surrogate.</summary>
[RegisterConverter]
public sealed class WriteIdConverter : IConverter<WriteId, WriteIdSurrogate>
{
    /// <inheritdoc/>
    public WriteId ConvertFromSurrogate(in WriteIdSurrogate surrogate) => new(
        new ClientId(new UInt128(surrogate.ClientUpper, surrogate.ClientLower)),
        surrogate.Number,
        new LogIndex(surrogate.Seen),
        surrogate.OldestOpen);

    /// <inheritdoc/>
    public WriteIdSurrogate ConvertToSurrogate(in WriteId value) => new()
    {
        ClientUpper = (ulong)(value.Client.Value >> 64),
        ClientLower = (ulong)value.Client.Value,
        Number = value.Number,
        Seen = value.Seen.Value,
        OldestOpen = value.OldestOpen,
    };
}
