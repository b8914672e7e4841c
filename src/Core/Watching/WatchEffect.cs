namespace Watch.Core.Watching;

/// <summary>A subscription's number, unique in its table for ever.</summary>
/// <param name="Value">1 or more.</param>
public readonly record struct SubscriptionId(long Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>The number of one question to history, unique in its table for ever.</summary>
/// <param name="Value">1 or more.</param>
public readonly record struct FetchId(long Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>Something the shell has to do for a <see cref="WatchTable"/>. Effects of one scope are done in the order in which they come.</summary>
/// <param name="Bucket">The bucket.</param>
/// <param name="Scope">The scope.</param>
public abstract record WatchEffect(BucketId Bucket, Scope Scope)
{
    /// <summary>
    /// Ask the bucket's leader, by a read confirmed by a majority, to tell this silo of the scope's changes; answer with
    /// <see cref="WatchTable.Registered"/> or <see cref="WatchTable.RegisterFailed"/>. Every subscription asks, since its start
    /// has to be fresh; asking for a scope that is registered already changes nothing at the leader.
    /// </summary>
    /// <param name="Bucket">The bucket.</param>
    /// <param name="Scope">The scope.</param>
    /// <param name="Subscription">Who asks.</param>
    public sealed record RegisterScope(BucketId Bucket, Scope Scope, SubscriptionId Subscription) : WatchEffect(Bucket, Scope);

    /// <summary>Tell the leader that this silo no longer watches the scope. No answer is wanted: a lost one is repeated after the next progress.</summary>
    /// <param name="Bucket">The bucket.</param>
    /// <param name="Scope">The scope.</param>
    public sealed record UnregisterScope(BucketId Bucket, Scope Scope) : WatchEffect(Bucket, Scope);

    /// <summary>
    /// Read the scope's changes of the revisions after <paramref name="After"/> up to and including <paramref name="UpTo"/> from
    /// history; answer with <see cref="WatchTable.Fetched"/> (which may stop early), <see cref="WatchTable.FetchCompacted"/> or
    /// <see cref="WatchTable.FetchFailed"/>. Once <paramref name="EventsMax"/> or <paramref name="BytesMax"/> is reached the
    /// answer should stop, behind a whole revision: more would be thrown away.
    /// </summary>
    /// <param name="Bucket">The bucket.</param>
    /// <param name="Scope">The scope.</param>
    /// <param name="Id">To answer with.</param>
    /// <param name="After">Only later revisions are wanted.</param>
    /// <param name="UpTo">The last revision that is wanted.</param>
    /// <param name="EventsMax">How many events are of use.</param>
    /// <param name="BytesMax">How many bytes of keys and values are of use.</param>
    public sealed record Fetch(BucketId Bucket, Scope Scope, FetchId Id, Revision After, Revision UpTo, int EventsMax, long BytesMax) : WatchEffect(Bucket, Scope);
}
