namespace Watch.Core.Watching;

/// <summary>
/// One revision in one form: immutable, and shared by every queue that holds it. What has to be made of it for a consumer is made
/// once, by whoever comes first, and shared, too.
/// </summary>
public sealed class SharedCommit
{
    private object? _bytes;
    private object? _local;

    /// <summary>A revision's changes as they are delivered.</summary>
    /// <param name="revision">The revision.</param>
    /// <param name="changes">Its changes that are delivered: one at least, in the order in which the transaction made them.</param>
    /// <param name="form">What it shows of them.</param>
    public SharedCommit(Revision revision, IReadOnlyList<Change> changes, WatchForm form)
    {
        ArgumentNullException.ThrowIfNull(changes);
        ArgumentNullException.ThrowIfNull(form);
        (Revision, Changes, Form) = (revision, form.Shown(changes), form);
        for (var i = 0; i < changes.Count; i++)
            Bytes += form.BytesOf(changes[i]);
        Parts = [new WatchPart.Events(this)];
    }

    /// <summary>The revision.</summary>
    public Revision Revision { get; }

    /// <summary>
    /// The changes that are delivered, without the values that the form does not show: a queue holds what it counts. They may be
    /// shared with other forms: what is shown of them is <see cref="WatchForm.ValueOf"/> and <see cref="WatchForm.PreviousOf"/>.
    /// </summary>
    public IReadOnlyList<Change> Changes { get; }

    /// <summary>What is delivered and shown.</summary>
    public WatchForm Form { get; }

    /// <summary>How many events it has.</summary>
    public int Events => Changes.Count;

    /// <summary>How many bytes it counts in a queue.</summary>
    public long Bytes { get; }

    /// <summary>The commit as the one part of a take: most takes have just one.</summary>
    internal WatchPart[] Parts { get; }

    /// <summary>What a session sends of it, made by the first who asks. Any thread; two at once may both make it, and one of both is kept.</summary>
    public T Encoded<T>(Func<SharedCommit, T> encode)
        where T : class => SharedSlot.Of(ref _bytes, this, encode);

    /// <summary>What readers in this process are given of it, made by the first who asks. Any thread; two at once may both make it, and one of both is kept.</summary>
    public T Local<T>(Func<SharedCommit, T> make)
        where T : class => SharedSlot.Of(ref _local, this, make);
}

/// <summary>One page of a snapshot: keys as they stood at one revision, in key order, those of the target only.</summary>
public sealed class SharedPage
{
    private object? _bytes;
    private object? _local;

    /// <summary>A page.</summary>
    /// <param name="at">The revision of the snapshot.</param>
    /// <param name="items">The keys, in order.</param>
    /// <param name="form">What it shows of them.</param>
    public SharedPage(Revision at, IReadOnlyList<KeyValue> items, WatchForm form)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(form);
        (At, Items, Form) = (at, items, form);
        for (var i = 0; i < items.Count; i++)
            Bytes += CommitSize.EventBytes + items[i].Key.Length + ValueOf(items[i]).Length;
    }

    /// <summary>The revision of the snapshot.</summary>
    public Revision At { get; }

    /// <summary>The keys. What is shown of them is <see cref="ValueOf"/>.</summary>
    public IReadOnlyList<KeyValue> Items { get; }

    /// <summary>What is delivered and shown.</summary>
    public WatchForm Form { get; }

    /// <summary>How many bytes it counts in a queue.</summary>
    public long Bytes { get; }

    /// <summary>The value of a key as the form shows it.</summary>
    public ReadOnlyMemory<byte> ValueOf(KeyValue item)
    {
        ArgumentNullException.ThrowIfNull(item);
        return Form.Events.HasFlag(EventFilter.KeysOnly) ? default : item.Value;
    }

    /// <summary>As <see cref="SharedCommit.Encoded"/>.</summary>
    public T Encoded<T>(Func<SharedPage, T> encode)
        where T : class => SharedSlot.Of(ref _bytes, this, encode);

    /// <summary>As <see cref="SharedCommit.Local"/>.</summary>
    public T Local<T>(Func<SharedPage, T> make)
        where T : class => SharedSlot.Of(ref _local, this, make);
}

/// <summary>A place for what is made once of something that many share.</summary>
internal static class SharedSlot
{
    /// <summary>What stands there, made by the first who asks. Any thread; two at once may both make it, and one of both is kept.</summary>
    public static T Of<TShared, T>(ref object? slot, TShared shared, Func<TShared, T> make)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(make);
        if (Volatile.Read(ref slot) is T there)
            return there;
        var made = make(shared);
        return Interlocked.CompareExchange(ref slot, made, null) as T ?? made;
    }
}
