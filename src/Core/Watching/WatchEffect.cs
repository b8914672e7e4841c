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

/// <summary>The number of one reading of a snapshot's page, unique in its table for ever.</summary>
/// <param name="Value">1 or more.</param>
public readonly record struct SnapshotId(long Value)
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
    /// <param name="Skip">How many changes of the revision right behind <paramref name="After"/> are there already: the answer goes on behind them.</param>
    /// <param name="EventsMax">How many events are of use.</param>
    /// <param name="BytesMax">How many bytes of keys and values are of use.</param>
    /// <param name="PreviousValues">Whether the values before are of use.</param>
    /// <param name="IsRepair">Whether everybody who is live waits for it, and not one subscription that is behind.</param>
    /// <param name="Attempt">How many questions before this one failed: another source may know more.</param>
    public sealed record Fetch(
        BucketId Bucket, Scope Scope, FetchId Id, Revision After, Revision UpTo, int Skip, int EventsMax, long BytesMax, bool PreviousValues, bool IsRepair, int Attempt)
        : WatchEffect(Bucket, Scope);

    /// <summary>
    /// Read a page of keys as they are, or were at one revision; answer with <see cref="WatchTable.Snapshotted"/>,
    /// <see cref="WatchTable.SnapshotCompacted"/> where that revision cannot be read any more, or <see cref="WatchTable.SnapshotFailed"/>.
    /// </summary>
    /// <param name="Bucket">The bucket.</param>
    /// <param name="Scope">The scope that the keys lie in.</param>
    /// <param name="Id">To answer with.</param>
    /// <param name="Range">Which keys.</param>
    /// <param name="After">Only later keys are wanted; null from the beginning of the range.</param>
    /// <param name="AtLeast">The state that is read must have come so far.</param>
    /// <param name="Pinned">The revision to read at, of which the pages before were; null for whatever revision the first page finds.</param>
    /// <param name="KeysMax">How many keys are of use.</param>
    /// <param name="BytesMax">How many bytes of keys and values are of use.</param>
    /// <param name="KeysOnly">Whether values are of no use.</param>
    /// <param name="Attempt">How many questions before this one failed.</param>
    public sealed record ReadSnapshot(
        BucketId Bucket, Scope Scope, SnapshotId Id, KeyRange Range, Key? After, Revision AtLeast, Revision? Pinned, int KeysMax, long BytesMax, bool KeysOnly, int Attempt)
        : WatchEffect(Bucket, Scope);

    /// <summary>
    /// Ask the bucket's leader for progress now, in the order of the registrations, unless such a question waits to be sent anyway:
    /// <see cref="WatchTable.BeginProgress"/> when it leaves, then <see cref="WatchTable.Progress"/> or <see cref="WatchTable.ProgressFailed"/>.
    /// </summary>
    /// <param name="Bucket">The bucket.</param>
    public sealed record AskProgress(BucketId Bucket) : WatchEffect(Bucket, Scope.Bucket);
}

/// <summary>A question about progress, as it leaves.</summary>
/// <param name="Bucket">The bucket.</param>
/// <param name="Question">Its number, unique in its table for ever.</param>
/// <param name="AckTerm">The term of the last answer that was taken in; 0 where there was none.</param>
/// <param name="AckNumber">The number of that answer.</param>
/// <param name="Scopes">How many scopes the leader has for this silo, as far as the silo knows.</param>
/// <param name="ScopesHash">The <see cref="Watching.ScopesHash"/> of them.</param>
/// <param name="WantsAll">Whether all of them are to be told, changed or not.</param>
public readonly record struct ProgressAsk(BucketId Bucket, long Question, long AckTerm, long AckNumber, int Scopes, ulong ScopesHash, bool WantsAll);

/// <summary>The leader's answer to a question about progress, by a read confirmed by a majority after the question came (I-P1).</summary>
/// <param name="Revision">The bucket's revision at that read.</param>
/// <param name="Compacted">The revision up to which history is compacted.</param>
/// <param name="Heads">The last changes of scopes: of those that changed, or of all.</param>
/// <param name="More">Whether more changed than the answer holds.</param>
/// <param name="IsAll">Whether the heads are of all scopes that the leader has for the silo.</param>
/// <param name="Agrees">Whether the leader has exactly the scopes for the silo that the question says.</param>
/// <param name="Term">The leader's term.</param>
/// <param name="Number">The answer's number in that term.</param>
/// <param name="ConfirmedWallMs">When that read was, by the leader's wall clock, in milliseconds since 1970-01-01 UTC: for people.</param>
public sealed record BucketProgress(
    Revision Revision, Revision Compacted, IReadOnlyList<ScopeHead> Heads, bool More, bool IsAll, bool Agrees, long Term, long Number, long ConfirmedWallMs);

/// <summary>A piece of a scope's history.</summary>
/// <param name="Commits">The scope's changes after the question's start, in order, of this scope only.</param>
/// <param name="Reached">The revision up to which these are all: the next question starts there.</param>
/// <param name="Left">
/// How many changes of the last commit are not in it; 0 where all commits are whole. Where there are some, <paramref name="Reached"/> lies
/// before that commit.
/// </param>
public sealed record HistoryPiece(IReadOnlyList<Commit> Commits, Revision Reached, int Left);

/// <summary>A page of a snapshot.</summary>
/// <param name="At">The revision that it shows.</param>
/// <param name="Items">Its keys, in byte order.</param>
/// <param name="More">Whether the range holds more behind <paramref name="Last"/>, or may.</param>
/// <param name="Last">The last key that was looked at, which need not exist; null where that is the last of the items.</param>
public sealed record SnapshotPiece(Revision At, IReadOnlyList<KeyValue> Items, bool More, Key? Last = null);
