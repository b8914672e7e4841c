using System.Collections.Immutable;
using Orleans;
using Watch.Core;

namespace Watch.Interfaces;

/// <summary>
/// One key: the entry point of its reads and writes and the publisher of its changes. The grain's key is
/// <see cref="GrainKeys.OfKey"/>. It keeps nothing; every silo has its own.
/// </summary>
[Alias("watch.IKvGrain")]
public interface IKvGrain : IGrainWithStringKey
{
    /// <summary>Sets the key's value. Answered once it is durable.</summary>
    /// <exception cref="WatchException">Invalid key or value, no quorum, outcome unknown, busy, shutting down.</exception>
    [Alias("Put")]
    Task<WriteResult> Put(PutRequest request, CancellationToken cancellationToken);

    /// <summary>Deletes the key. Answered once it is durable.</summary>
    /// <exception cref="WatchException">Invalid key, no quorum, outcome unknown, busy, shutting down.</exception>
    [Alias("Delete")]
    Task<WriteResult> Delete(DeleteRequest request, CancellationToken cancellationToken);

    /// <summary>Reads the key, as fresh as the policy says.</summary>
    /// <exception cref="WatchException">Invalid key or policy, future revision, no quorum, shutting down.</exception>
    [Alias("Get")]
    Task<GetResult> Get(ReadPolicy policy, CancellationToken cancellationToken);
}

/// <summary>
/// One bucket, for what concerns several keys, and another way to each of its keys. The grain's key is
/// <see cref="GrainKeys.OfBucket"/>, or names one of its doors. Every silo has its own, and all its doors do the same: a client
/// whose connection is bound to a grain's name reaches another silo by another door.
/// </summary>
[Alias("watch.IBucketGrain")]
public interface IBucketGrain : IGrainWithStringKey
{
    /// <summary>Reads several keys at one revision, as fresh as the policy says; answers in the order asked.</summary>
    /// <exception cref="WatchException">Invalid key or policy, future revision, no quorum, shutting down.</exception>
    [Alias("GetMany")]
    Task<GetManyResult> GetMany(ImmutableArray<Key> keys, ReadPolicy policy, CancellationToken cancellationToken);

    /// <summary>Reads the keys with a prefix, in order, as fresh as the request's policy says, page by page at one revision.</summary>
    /// <exception cref="WatchException">Invalid option, compacted, future revision, no quorum, shutting down.</exception>
    [Alias("Scan")]
    Task<ScanResult> Scan(ScanRequest request, CancellationToken cancellationToken);

    /// <summary>How the bucket and the silo that answers are.</summary>
    /// <exception cref="WatchException">No quorum, shutting down.</exception>
    [Alias("Status")]
    Task<StatusResult> Status(CancellationToken cancellationToken);

    /// <summary>
    /// Gives up history up to and including a revision, or a first part of it. Answers with the revision up to which there is none, which is
    /// later where that had been given up before, and earlier where there is much: then ask on.
    /// </summary>
    /// <exception cref="WatchException">Future revision, no quorum, outcome unknown, busy, shutting down.</exception>
    [Alias("Compact")]
    Task<Revision> Compact(Revision through, CancellationToken cancellationToken);

    /// <summary>As <see cref="IKvGrain.Put"/> of the key.</summary>
    /// <exception cref="WatchException">Invalid key or value, no quorum, outcome unknown, busy, shutting down.</exception>
    [Alias("Put")]
    Task<WriteResult> Put(Key key, PutRequest request, CancellationToken cancellationToken);

    /// <summary>As <see cref="IKvGrain.Delete"/> of the key.</summary>
    /// <exception cref="WatchException">Invalid key, no quorum, outcome unknown, busy, shutting down.</exception>
    [Alias("Delete")]
    Task<WriteResult> Delete(Key key, DeleteRequest request, CancellationToken cancellationToken);

    /// <summary>As <see cref="IKvGrain.Get"/> of the key.</summary>
    /// <exception cref="WatchException">Invalid key or policy, future revision, no quorum, shutting down.</exception>
    [Alias("Get")]
    Task<GetResult> Get(Key key, ReadPolicy policy, CancellationToken cancellationToken);

    /// <summary>A sign of life of the silo behind this door: asks nobody, says nothing about the group.</summary>
    [Alias("Feel"), ResponseTimeout("00:00:01")]
    Task Feel();
}

/// <summary>The text keys of grains and streams.</summary>
public static class GrainKeys
{
    /// <summary>The grain key of a bucket.</summary>
    public static string OfBucket(BucketId bucket) => bucket.ToString();

    /// <summary>How many doors a bucket's grain has, and the cluster's, the plain name counted as door 0.</summary>
    public const int Doors = 16;

    /// <summary>The grain key of a bucket by one of its doors.</summary>
    /// <param name="bucket">The bucket.</param>
    /// <param name="door">From 0 to <see cref="Doors"/> - 1.</param>
    public static string OfDoor(BucketId bucket, int door)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(door);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(door, Doors);
        return door == 0 ? OfBucket(bucket) : $"{bucket}~{door}";
    }

    /// <summary>The key of the cluster's grain by one of its doors, of which there are as many.</summary>
    /// <param name="door">From 0 to <see cref="Doors"/> - 1; 0 is the plain name.</param>
    public static string OfClusterDoor(int door)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(door);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(door, Doors);
        return door == 0 ? IClusterGrain.Key : $"{IClusterGrain.Key}~{door}";
    }

    /// <summary>The bucket of a grain key made by <see cref="OfBucket"/> or <see cref="OfDoor"/>.</summary>
    /// <exception cref="FormatException">The text was made by neither.</exception>
    public static BucketId ParseBucket(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var wave = text.IndexOf('~', StringComparison.Ordinal);
        if (!int.TryParse(wave < 0 ? text : text.AsSpan(0, wave), out var bucket)
            || (wave >= 0 && (!int.TryParse(text.AsSpan(wave + 1), out var door) || OfDoor(new BucketId(bucket), door) != text)))
            throw new FormatException($"'{text}' is neither a bucket id nor one of its {Doors} doors.");
        return new BucketId(bucket);
    }

    /// <summary>The grain key of a key: the bucket's id and the key's text, one to one.</summary>
    public static string OfKey(BucketId bucket, Key key) => $"{bucket}:{KeyText.Encode(key.Span)}";

    /// <summary>The bucket and key of a grain key.</summary>
    /// <exception cref="FormatException">The text was not made by <see cref="OfKey"/>.</exception>
    public static (BucketId Bucket, Key Key) Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 1 || !int.TryParse(text.AsSpan(0, colon), out var bucket))
            throw new FormatException($"'{text}' is not a bucket id, a colon and a key.");
        return (new BucketId(bucket), Key.Wrap(KeyText.Decode(text[(colon + 1)..])));
    }
}
