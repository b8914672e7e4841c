using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Watch.Core;
using Watch.Core.Keyspace;

namespace Watch.Grains.Consensus;

/// <summary>
/// The buckets of this silo's replica as its grains read them, on any thread: what a policy lets the replica answer alone costs no call.
/// <see cref="BucketReading"/> says why that is right; <see cref="Replica"/> says which buckets there are.
/// </summary>
internal sealed class OwnReplica(TimeProvider time)
{
    /// <summary>More keys than that are read by a call: nothing is applied while the state is looked at from here.</summary>
    public const int KeysMax = 64;

    private readonly ConcurrentDictionary<BucketId, BucketReading> _buckets = new();

    /// <summary>The bucket as this replica has it; null where it has none.</summary>
    public BucketReading? Find(BucketId bucket) => _buckets.TryGetValue(bucket, out var reading) && reading.IsOpen ? reading : null;

    /// <summary>The replica has a bucket.</summary>
    public void Add(BucketId bucket, BucketReading reading) => _buckets[bucket] = reading;

    /// <summary>The replica answers nothing any more, and never will again.</summary>
    public void Close()
    {
        foreach (var reading in _buckets.Values)
            reading.IsOpen = false;
    }

    /// <summary>A key, where the policy lets the own replica answer.</summary>
    public bool TryGet(BucketId bucket, Key key, ReadPolicy policy, [NotNullWhen(true)] out GetResult? result)
    {
        result = null;
        return Find(bucket) is { } reading
            && reading.TryRead(policy, time, key, static (state, key) => new GetResult(state.Get(key), state.Revision), out result);
    }

    /// <summary>A few keys at one revision, where the policy lets the own replica answer.</summary>
    public bool TryGetMany(BucketId bucket, ImmutableArray<Key> keys, ReadPolicy policy, [NotNullWhen(true)] out GetManyResult? result)
    {
        result = null;
        return keys.Length <= KeysMax && Find(bucket) is { } reading
            && reading.TryRead(policy, time, keys, static (state, keys) => new GetManyResult([.. keys.Select(key => state.Get(key))], state.Revision), out result);
    }
}
