using System.Collections.Immutable;
using Watch.Core;

namespace Watch;

/// <summary>
/// The client of Watch: the same for a program outside the cluster (<c>AddWatchClient</c>) and for a service hosted in a silo
/// (<c>AddWatch</c>). Thread-safe. Every method throws <see cref="WatchException"/> with a stable code.
/// </summary>
/// <remarks>
/// A write takes effect once. Where its answer is lost, or no leader is there for a while, the client sends the same write again, to
/// whoever leads then, and gets the answer of the sending that took effect. It gives up with <see cref="WatchErrorCode.OutcomeUnknown"/>
/// when its time is over (<c>WatchClientOptions.WriteTimeout</c>), or when the cluster does not remember the write any more, and then the
/// write took effect once or not at all. A caller that has to settle that later, or from another process, gives the write an id of its
/// own (<see cref="NewWriteIdAsync"/>), keeps it, and sends the write again with it. The same id with another operation, key, value or
/// condition is refused with <see cref="WatchErrorCode.InvalidOption"/>.
/// </remarks>
public interface IWatchClient
{
    /// <summary>Sets a key's value; returns once that is durable.</summary>
    /// <param name="key">1 to 4,096 bytes.</param>
    /// <param name="value">Up to 1 MiB; copied.</param>
    /// <param name="condition">What must hold for it to take effect; null for always.</param>
    /// <param name="cancellationToken">Stops the waiting; the write may still take effect.</param>
    Task<WriteResult> PutAsync(Key key, ReadOnlyMemory<byte> value, WriteCondition? condition = null, CancellationToken cancellationToken = default);

    /// <summary>Deletes a key; returns once that is durable. Deleting a key that does not exist changes nothing.</summary>
    /// <param name="key">1 to 4,096 bytes.</param>
    /// <param name="condition">What must hold for it to take effect; null for always.</param>
    /// <param name="cancellationToken">Stops the waiting; the write may still take effect.</param>
    Task<WriteResult> DeleteAsync(Key key, WriteCondition? condition = null, CancellationToken cancellationToken = default);

    /// <summary>An id for one write that its caller may send again, from here or from elsewhere, for some minutes.</summary>
    Task<WriteId> NewWriteIdAsync(CancellationToken cancellationToken = default);

    /// <summary>As the put without an id; sent again with the same id, key, value and condition, it takes effect once and is answered alike.</summary>
    /// <param name="key">1 to 4,096 bytes.</param>
    /// <param name="value">Up to 1 MiB; copied.</param>
    /// <param name="id">Of this write alone.</param>
    /// <param name="condition">What must hold for it to take effect; null for always.</param>
    /// <param name="cancellationToken">Stops the waiting; the write may still take effect.</param>
    Task<WriteResult> PutAsync(Key key, ReadOnlyMemory<byte> value, WriteId id, WriteCondition? condition = null, CancellationToken cancellationToken = default);

    /// <summary>As the delete without an id; sent again with the same id, key and condition, it takes effect once and is answered alike.</summary>
    /// <param name="key">1 to 4,096 bytes.</param>
    /// <param name="id">Of this write alone.</param>
    /// <param name="condition">What must hold for it to take effect; null for always.</param>
    /// <param name="cancellationToken">Stops the waiting; the write may still take effect.</param>
    Task<WriteResult> DeleteAsync(Key key, WriteId id, WriteCondition? condition = null, CancellationToken cancellationToken = default);

    /// <summary>Reads a key.</summary>
    /// <param name="key">1 to 4,096 bytes.</param>
    /// <param name="policy">How fresh the answer is; linearizable by default.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    Task<GetResult> GetAsync(Key key, ReadPolicy policy = default, CancellationToken cancellationToken = default);

    /// <summary>Reads several keys at one revision; answers in the order asked.</summary>
    /// <param name="keys">At most 10,000.</param>
    /// <param name="policy">How fresh the answer is; linearizable by default.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    Task<GetManyResult> GetManyAsync(IReadOnlyList<Key> keys, ReadPolicy policy = default, CancellationToken cancellationToken = default);

    /// <summary>Reads one page of the keys with a prefix, as fresh as the request's policy says; linearizable by default.</summary>
    Task<ScanResult> ScanAsync(ScanRequest request, CancellationToken cancellationToken = default);

    /// <summary>How the cluster is.</summary>
    Task<StatusResult> StatusAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Starts a watch. When the task is done the watch is effective: everything of the target after <see cref="IWatchSubscription.Start"/>
    /// arrives, in revision order, once, and nothing before it does.
    /// </summary>
    /// <param name="target">What to follow.</param>
    /// <param name="options">How.</param>
    /// <param name="cancellationToken">Stops the registration; the watch itself is ended by disposing of it.</param>
    Task<IWatchStream> WatchAsync(WatchTarget target, WatchOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Starts a watch that is pushed to an observer, one call at a time. The registration is effective when the task is done. A batch
    /// that ends with <see cref="WatchEventType.Canceled"/> is the last one.
    /// </summary>
    Task<IWatchSubscription> SubscribeAsync(WatchTarget target, IWatchObserver observer, WatchOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>A watch that calls a function with one event after the other. It begins with <see cref="IWatcher.RunAsync"/>.</summary>
    /// <param name="target">What to follow.</param>
    /// <param name="callback">Is called with one event at a time. What it throws, or too long a call, ends the watch.</param>
    /// <param name="options">How.</param>
    IWatcher CreateWatcher(WatchTarget target, Func<WatchEvent, CancellationToken, ValueTask> callback, WatcherOptions? options = null);

    /// <summary>What a target has, kept up to date in this process. Done when it is complete for the first time.</summary>
    /// <param name="target">What to hold.</param>
    /// <param name="options">How.</param>
    /// <param name="cancellationToken">Stops the beginning; the dictionary itself is ended by disposing of it.</param>
    Task<IWatchedDictionary> WatchDictionaryAsync(WatchTarget target, WatchedDictionaryOptions? options = null, CancellationToken cancellationToken = default);
}

/// <summary>A running watch.</summary>
public interface IWatchSubscription : IAsyncDisposable
{
    /// <summary>The revision after which everything arrives.</summary>
    Revision Start { get; }

    /// <summary>The revision up to which everything was delivered.</summary>
    Revision Cursor { get; }

    /// <summary>Done when the watch has ended, with the reason.</summary>
    Task<WatchEndReason> Completion { get; }
}

/// <summary>
/// A running watch to read with <c>await foreach</c>, once, by one reader. Its last event is <see cref="WatchEventType.Canceled"/>
/// with the reason, except when the reader itself ends it. Leaving the loop, or disposing, unregisters it.
/// </summary>
public interface IWatchStream : IWatchSubscription, IAsyncEnumerable<WatchEvent>
{
    /// <summary>What is followed now.</summary>
    WatchTarget Target { get; }

    /// <summary>
    /// Hands the reader out as a sequence of its own. This object may then be forgotten: the watch lives until the sequence is
    /// disposed of (leaving its loop does) or the client goes.
    /// </summary>
    IAsyncEnumerable<WatchEvent> DetachReader();

    /// <summary>The same as whole batches, for readers that keep the cursor themselves.</summary>
    IAsyncEnumerable<WatchBatch> ReadBatchesAsync(CancellationToken cancellationToken = default);

    /// <summary>Where the reader is, to go on from later, from here or elsewhere (<see cref="WatchOptions.From"/>).</summary>
    WatchCursor GetCursor();

    /// <summary>
    /// Follows something else from here on. Answers with the revision after which changes are of the new target; before it they are of
    /// the old one. A <see cref="WatchEventType.TargetsChanged"/> stands between them. While the way to the watch's server is lost this
    /// waits, and asks again when there is one, for which the reader has to go on reading: at most as long as any call may take
    /// (<c>CallTimeout</c> of the client's options, 10 s unless set). A change that was not answered by then takes effect where the watch
    /// goes on.
    /// </summary>
    /// <exception cref="WatchException">The target is not valid, the watch has ended, or the change was not answered in time.</exception>
    Task<Revision> ChangeTargetAsync(WatchTarget target, CancellationToken cancellationToken = default);

    /// <summary>Changes what happens when the reader is slow, and the size of the queue; null leaves a size as it is.</summary>
    /// <exception cref="WatchException">An option is out of its range, or the watch has ended.</exception>
    Task ChangePolicyAsync(SlowPolicy policy, int? queueEventsMax = null, long? queueBytesMax = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Asks how far the watch is. The answer comes to the reader, as a <see cref="WatchEventType.Progress"/> behind everything up to it.
    /// </summary>
    /// <exception cref="WatchException">The watch has ended, or cannot be reached now.</exception>
    Task AskProgressAsync(CancellationToken cancellationToken = default);

    /// <summary>Waits until everything up to a revision was handed to the reader, who has to go on reading meanwhile.</summary>
    /// <exception cref="WatchException">The watch ended before.</exception>
    Task WaitForAsync(Revision revision, CancellationToken cancellationToken = default);
}

/// <summary>Changes of a running watch's targets. Each is made from the target as it was when it was called: of two at the same time one may undo the other, so a watch's changes are to come one at a time.</summary>
public static class WatchStreamExtensions
{
    /// <summary>Follows one target more; as <see cref="IWatchStream.ChangeTargetAsync"/>.</summary>
    public static Task<Revision> AddTargetAsync(this IWatchStream stream, WatchTarget target, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return stream.ChangeTargetAsync(stream.Target.With(target), cancellationToken);
    }

    /// <summary>Follows one target less, which has to be one of its parts; as <see cref="IWatchStream.ChangeTargetAsync"/>.</summary>
    /// <exception cref="WatchException">It is the last one.</exception>
    public static Task<Revision> RemoveTargetAsync(this IWatchStream stream, WatchTarget target, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var left = stream.Target.Without(target) ?? throw new WatchException(WatchErrorCode.InvalidTarget, $"The last target of a watch ({target}) cannot be removed: dispose of the watch instead.");
        return stream.ChangeTargetAsync(left, cancellationToken);
    }
}

/// <summary>Conveniences over text.</summary>
public static class WatchClientExtensions
{
    /// <summary>Sets a key's value, both as UTF-8 text.</summary>
    public static Task<WriteResult> PutAsync(this IWatchClient client, string key, string value, WriteCondition? condition = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        return client.PutAsync(Key.Of(key), System.Text.Encoding.UTF8.GetBytes(value), condition, cancellationToken);
    }

    /// <summary>Deletes a key.</summary>
    public static Task<WriteResult> DeleteAsync(this IWatchClient client, string key, WriteCondition? condition = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        return client.DeleteAsync(Key.Of(key), condition, cancellationToken);
    }

    /// <summary>Reads a key.</summary>
    public static Task<GetResult> GetAsync(this IWatchClient client, string key, ReadPolicy policy = default, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        return client.GetAsync(Key.Of(key), policy, cancellationToken);
    }

    /// <summary>Reads all keys with a prefix, page after page, all at one revision.</summary>
    public static async Task<(ImmutableArray<KeyValue> Keys, Revision Revision)> ScanAllAsync(this IWatchClient client, Key prefix, bool keysOnly = false, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        var all = ImmutableArray.CreateBuilder<KeyValue>();
        var page = await client.ScanAsync(new ScanRequest(prefix, ScanRequest.KeysMaxDefault, keysOnly), cancellationToken);
        all.AddRange(page.Keys);
        while (page.More)
        {
            page = await client.ScanAsync(new ScanRequest(prefix, ScanRequest.KeysMaxDefault, keysOnly, all[^1].Key, page.Revision), cancellationToken);
            all.AddRange(page.Keys);
        }

        return (all.ToImmutable(), page.Revision);
    }
}
