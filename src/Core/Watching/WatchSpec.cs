namespace Watch.Core.Watching;

/// <summary>What a watch is about: one key, or every key below a slash prefix.</summary>
/// <param name="Kind">Which of the two.</param>
/// <param name="Text">The key, or the prefix with its slashes.</param>
public readonly record struct WatchTarget(ScopeKind Kind, Key Text)
{
    /// <summary>One key, byte for byte.</summary>
    public static WatchTarget Key(Key key) => new(ScopeKind.Key, key);

    /// <summary>Every key that begins with this prefix, the key equal to it included. It must begin and end with <c>/</c>.</summary>
    public static WatchTarget Prefix(Key prefix) => new(ScopeKind.Prefix, prefix);

    /// <inheritdoc/>
    public override string ToString() => Kind == ScopeKind.Key ? $"key '{Text}'" : $"prefix '{Text}'";
}

/// <summary>Everything that a subscriber chooses when a watch begins.</summary>
public sealed record WatchSpec
{
    /// <summary>The longest key or prefix that can be watched, in bytes.</summary>
    public const int KeyBytesMax = 4096;

    /// <summary>The largest <see cref="QueueEventsMax"/>.</summary>
    public const int QueueEventsLimit = 1_000_000;

    /// <summary>The largest <see cref="QueueBytesMax"/>: 1 GiB.</summary>
    public const long QueueBytesLimit = 1L << 30;

    /// <summary>The bucket; the default one unless named.</summary>
    public BucketId Bucket { get; init; } = BucketId.Default;

    /// <summary>A key or a prefix.</summary>
    public required WatchTarget Target { get; init; }

    /// <summary>
    /// The first revision to deliver: history from there is replayed, then live changes follow without a seam. One that has not
    /// come yet waits. One that history no longer has ends the watch with <see cref="EndReason.Compacted"/>. Null starts behind
    /// the revision that the registration names.
    /// </summary>
    public Revision? StartAt { get; init; }

    /// <summary>Whether events show the value before.</summary>
    public bool PreviousValues { get; init; }

    /// <summary>How many events may wait for the consumer, 1 to <see cref="QueueEventsLimit"/>; 1024 unless set. One slot more is kept for the final notice.</summary>
    public int QueueEventsMax { get; init; } = 1024;

    /// <summary>How many bytes of keys and values may wait for the consumer, 1 to <see cref="QueueBytesLimit"/>; 16 MiB unless set.</summary>
    public long QueueBytesMax { get; init; } = 16L << 20;

    /// <summary>What happens when a live change does not fit into the queue.</summary>
    public SlowPolicy WhenSlow { get; init; } = SlowPolicy.Cancel;

    /// <summary>The scope that serves the target.</summary>
    /// <exception cref="WatchRefusedException">The target or a limit is not valid.</exception>
    internal Scope Validate()
    {
        ValidateTarget();
        if (QueueEventsMax is < 1 or > QueueEventsLimit)
            throw new WatchRefusedException(WatchRefusal.QueueSizeOutOfRange, $"The queue size of {QueueEventsMax} events is out of range: 1 to {QueueEventsLimit} are allowed.");
        if (QueueBytesMax is < 1 or > QueueBytesLimit)
            throw new WatchRefusedException(WatchRefusal.QueueSizeOutOfRange, $"The queue size of {QueueBytesMax} bytes is out of range: 1 to {QueueBytesLimit} are allowed.");
        return Target.Kind == ScopeKind.Key ? Scope.OfKey(Target.Text) : Scope.OfPrefix(Target.Text);
    }

    private void ValidateTarget()
    {
        var text = Target.Text;
        if (text.Length > KeyBytesMax)
            throw new WatchRefusedException(WatchRefusal.KeyTooLong, $"The {Noun} to watch has {text.Length} bytes: at most {KeyBytesMax} are allowed.");
        if (Target.Kind == ScopeKind.Key)
        {
            if (text.IsEmpty)
                throw new WatchRefusedException(WatchRefusal.EmptyKey, $"The key to watch is empty: 1 to {KeyBytesMax} bytes are allowed.");
            return;
        }

        if (text.IsEmpty || text.Span[0] != (byte)'/' || text.Span[^1] != (byte)'/')
            throw new WatchRefusedException(WatchRefusal.MalformedPrefix, $"The prefix '{text}' is malformed: it must begin and end with '/', like '/config/'.");
        var depth = text.Span.Count((byte)'/');
        if (depth > Scope.DepthMax)
            throw new WatchRefusedException(WatchRefusal.PrefixTooDeep, $"The prefix '{text}' has {depth} segments: at most {Scope.DepthMax} are allowed.");
    }

    private string Noun => Target.Kind == ScopeKind.Key ? "key" : "prefix";
}
