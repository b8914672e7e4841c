using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Orleans;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>
/// The part of a client that is the same outside the cluster and inside a silo: reads and writes through the key's and the bucket's
/// grain, and watches that resume. Where a watch gets its batches from is what the two differ in.
/// </summary>
public abstract class GrainWatchClient : IWatchClient
{
    private static readonly WatchOptions s_defaults = new();
    private static readonly WatcherOptions s_watcherDefaults = new();
    private static readonly WatchTarget s_anyTarget = WatchTarget.Key(Key.Empty);
    private readonly Calls _calls;
    private WatchRequest? _terms;

    /// <summary>Makes a client over a way to the grains.</summary>
    /// <param name="grains">The way.</param>
    /// <param name="options">The settings.</param>
    /// <param name="time">The clock.</param>
    /// <param name="random">Where ids come from.</param>
    /// <param name="isOutside">Whether the client is outside the cluster.</param>
    protected GrainWatchClient(IGrainFactory grains, WatchClientOptions options, TimeProvider time, IWatchRandom random, bool isOutside)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        Grains = grains;
        Options = options;
        Time = time;
        Random = random;
        Numbers = new WriteNumbers(NewClientId(), time);
        var doors = new Doors(door => BucketGrain(door).Feel(), options, time, random);
        Sessions = new Sessions(grains, doors, options, time, random);
        _calls = new Calls(doors, options, time, random, isOutside);
    }

    /// <summary>The way to the grains.</summary>
    private protected IGrainFactory Grains { get; }

    /// <summary>The client's settings.</summary>
    private protected WatchClientOptions Options { get; }

    /// <summary>The clock that timeouts and pauses go by.</summary>
    internal TimeProvider Time { get; }

    /// <summary>Where ids come from.</summary>
    private protected IWatchRandom Random { get; }

    /// <summary>The rules by which watches are complete.</summary>
    internal WatchRules Rules => Options.Rules;

    /// <summary>How long a call may take.</summary>
    internal TimeSpan CallTimeout => Options.CallTimeout;

    /// <summary>The numbers of this client's writes.</summary>
    internal WriteNumbers Numbers { get; }

    /// <summary>Where watches outside the cluster get their sessions.</summary>
    private protected Sessions Sessions { get; }

    /// <inheritdoc/>
    public Task<WriteResult> PutAsync(Key key, ReadOnlyMemory<byte> value, WriteCondition? condition = null, CancellationToken cancellationToken = default) =>
        PutAsync(key, value, condition, given: null, cancellationToken);

    /// <inheritdoc/>
    public Task<WriteResult> PutAsync(Key key, ReadOnlyMemory<byte> value, WriteId id, WriteCondition? condition = null, CancellationToken cancellationToken = default) =>
        PutAsync(key, value, condition, id, cancellationToken);

    /// <inheritdoc/>
    public Task<WriteResult> DeleteAsync(Key key, WriteCondition? condition = null, CancellationToken cancellationToken = default) =>
        DeleteAsync(key, condition, given: null, cancellationToken);

    /// <inheritdoc/>
    public Task<WriteResult> DeleteAsync(Key key, WriteId id, WriteCondition? condition = null, CancellationToken cancellationToken = default) =>
        DeleteAsync(key, condition, id, cancellationToken);

    /// <inheritdoc/>
    public async Task<WriteId> NewWriteIdAsync(CancellationToken cancellationToken = default) =>
        WriteId.Single(NewClientId(), (await StatusAsync(cancellationToken)).Index);

    /// <inheritdoc/>
    public Task<GetResult> GetAsync(Key key, ReadPolicy policy = default, CancellationToken cancellationToken = default) =>
        !cancellationToken.IsCancellationRequested && TryGetHere(key, policy, out var here)
            ? Task.FromResult(here)
            : ReadAsync((door, token) => door is { } way ? BucketGrain(way).Get(key, policy, token) : KeyGrain(key).Get(policy, token), cancellationToken);

    /// <inheritdoc/>
    public Task<GetManyResult> GetManyAsync(IReadOnlyList<Key> keys, ReadPolicy policy = default, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return ReadAsync((door, token) => BucketGrain(door).GetMany([.. keys], policy, token), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ScanResult> ScanAsync(ScanRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return ReadAsync((door, token) => BucketGrain(door).Scan(request, token), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<StatusResult> StatusAsync(CancellationToken cancellationToken = default) =>
        ReadAsync((door, token) => BucketGrain(door).Status(token), cancellationToken);

    /// <inheritdoc/>
    public async Task<IWatchStream> WatchAsync(WatchTarget target, WatchOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        var request = Request(target, options);
        var feed = await OpenAsync(request, cancellationToken);
        return new ResumingWatchStream(this, request, feed, (options ?? s_defaults).Resume);
    }

    /// <inheritdoc/>
    public async Task<IWatchSubscription> SubscribeAsync(WatchTarget target, IWatchObserver observer, WatchOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(observer);
        var request = Request(target, options);
        var reader = new ObserverReader(this, request, await OpenForReaderAsync(request, cancellationToken), (options ?? s_defaults).Resume, observer);
        reader.Begin();
        return reader;
    }

    /// <inheritdoc/>
    public IWatcher CreateWatcher(WatchTarget target, Func<WatchEvent, CancellationToken, ValueTask> callback, WatcherOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(callback);
        return new CallbackWatcher(this, target, callback, options ?? s_watcherDefaults);
    }

    /// <inheritdoc/>
    public Task<IWatchedDictionary> WatchDictionaryAsync(WatchTarget target, WatchedDictionaryOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        return WatchedDictionary.StartAsync(this, target, options ?? new WatchedDictionaryOptions(), Time, cancellationToken);
    }

    /// <summary>The watch of a watcher that calls a function.</summary>
    internal async Task<CallbackReader> OpenAsync(WatchTarget target, CallbackWatcher watcher, Func<WatchEvent, CancellationToken, ValueTask> callback, WatcherOptions options, CancellationToken cancellationToken)
    {
        var request = Request(target, options.Watch);
        return new CallbackReader(this, request, await OpenForReaderAsync(request, cancellationToken), watcher, callback, options);
    }

    /// <summary>As <see cref="OpenAsync(WatchRequest, CancellationToken)"/>, for a watch that reads itself: it counts from here on, so that the client's end does not miss it.</summary>
    private async Task<IWatchFeed> OpenForReaderAsync(WatchRequest request, CancellationToken cancellationToken)
    {
        ReaderBegins();
        try
        {
            return await OpenAsync(request, cancellationToken);
        }
        catch
        {
            ReaderEnded();
            throw;
        }
    }

    /// <summary>One attempt at a watch: registered when the task is done.</summary>
    internal async Task<IWatchFeed> OpenAsync(WatchRequest request, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (IsDisposed)
            throw Disposed();
        // The source has a timer of its own: one that only cancelled it could still be firing when the source is gone, and throw on its thread.
        using var late = new CancellationTokenSource(Options.CallTimeout, Time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            return await OpenFeedAsync(request, limit.Token);
        }
        catch (Exception error) when (error is not WatchException && TransportErrors.IsLost(error, cancellationToken))
        {
            throw TransportErrors.OfRead(error);
        }
    }

    /// <summary>Waits before a watch whose feed was lost opens another.</summary>
    /// <param name="own">The watch's own pauses.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    internal virtual Task PauseAsync(Backoff own, CancellationToken cancellationToken) => own.PauseAsync(cancellationToken);

    /// <summary>A watch's own pauses.</summary>
    internal virtual Backoff NewBackoff() => new(Options, Time, Random);

    /// <summary>A watch that reads itself is about to be opened.</summary>
    private protected virtual void ReaderBegins()
    {
    }

    /// <summary>A watch that read itself has ended, or was not opened.</summary>
    internal virtual void ReaderEnded()
    {
    }

    /// <summary>What a request asks that others ask, too: the same object for one watch after the other that asks the same of its target.</summary>
    internal WatchRequest TermsOf(WatchRequest request)
    {
        var terms = request with { Target = s_anyTarget, StartAt = null, Incarnation = "", FilterHash = 0 };
        var last = Volatile.Read(ref _terms);
        if (terms == last)
            return last;
        Volatile.Write(ref _terms, terms);
        return terms;
    }

    /// <summary>Waits for a while.</summary>
    internal Task DelayAsync(TimeSpan pause, CancellationToken cancellationToken) => Task.Delay(pause, Time, cancellationToken);

    /// <summary>Whether this client is still there, and can go elsewhere, when the server it talks to has stopped.</summary>
    internal bool OutlivesServer => _calls.IsOutside;

    /// <summary>Canceled when the client is disposed of: then it refuses everything.</summary>
    internal virtual CancellationToken Gone => default;

    private bool IsDisposed => Gone.IsCancellationRequested;

    /// <summary>What everybody is told who asks something of a client that was disposed of.</summary>
    internal static WatchException Disposed() => new(WatchErrorCode.ClientDisposed, "The client was disposed of.");

    /// <summary>Reads a key where the client stands, without a call, if that is fresh enough for the policy.</summary>
    private protected virtual bool TryGetHere(Key key, ReadPolicy policy, [NotNullWhen(true)] out GetResult? result)
    {
        result = null;
        return false;
    }

    /// <summary>Registers a watch and hands its batches out; the token stops the registration only.</summary>
    private protected abstract Task<IWatchFeed> OpenFeedAsync(WatchRequest request, CancellationToken cancellationToken);

    /// <summary>The request that these options make.</summary>
    private protected static WatchRequest Request(WatchTarget target, WatchOptions? options)
    {
        options ??= s_defaults;
        var from = options.From;
        if ((from is null ? 0 : 1) + (options.StartAt is null ? 0 : 1) + (options.Snapshot ? 1 : 0) > 1)
            throw new WatchException(WatchErrorCode.InvalidOption, $"A watch goes on {nameof(options.From)} a cursor, begins at a revision ({nameof(options.StartAt)}), or begins with a snapshot ({nameof(options.Snapshot)}): one of them is allowed.");
        if (from is not null && from.Bucket != BucketId.Default)
            throw new WatchException(WatchErrorCode.InvalidCursor, $"The cursor is of bucket {from.Bucket}, the watch of bucket {BucketId.Default}.");
        if (from is { Revision.Value: < 0 or long.MaxValue })
            throw new WatchException(WatchErrorCode.InvalidCursor, $"The cursor is of revision {from.Revision}: 0 to {long.MaxValue - 1} are allowed.");
        return new WatchRequest
        {
            Target = target,
            StartAt = from?.Revision.Next ?? options.StartAt,
            Incarnation = from?.Incarnation ?? "",
            FilterHash = from?.FilterHash ?? 0,
            PreviousValues = options.PreviousValues,
            QueueEventsMax = options.QueueEventsMax,
            QueueBytesMax = options.QueueBytesMax,
            Snapshot = options.Snapshot,
            Filter = options.Filter,
            WhenSlow = options.WhenSlow,
            ProgressInterval = SilenceClock.IntervalFor(options.ProgressInterval, options.StaleAfter),
            StaleAfter = options.StaleAfter,
        };
    }

    private IKvGrain KeyGrain(Key key) => Grains.GetGrain<IKvGrain>(GrainKeys.OfKey(BucketId.Default, key));

    private IBucketGrain BucketGrain(Door? door) => Grains.GetGrain<IBucketGrain>(GrainKeys.OfDoor(BucketId.Default, door?.Number ?? 0));

    private ClientId NewClientId() => new(new UInt128(Random.NextBits(), Random.NextBits()));

    private Task<WriteResult> PutAsync(Key key, ReadOnlyMemory<byte> value, WriteCondition? condition, WriteId? given, CancellationToken cancellationToken)
    {
        // Messages are immutable and may be shared inside the process, so the caller's bytes are copied once, here.
        var copy = value.ToArray();
        return WriteAsync(
            (id, door, token) => door is { } way
                ? BucketGrain(way).Put(key, new PutRequest(copy, condition, id, Options.Writer), token)
                : KeyGrain(key).Put(new PutRequest(copy, condition, id, Options.Writer), token),
            given,
            cancellationToken);
    }

    private Task<WriteResult> DeleteAsync(Key key, WriteCondition? condition, WriteId? given, CancellationToken cancellationToken) =>
        WriteAsync(
            (id, door, token) => door is { } way
                ? BucketGrain(way).Delete(key, new DeleteRequest(condition, id, Options.Writer), token)
                : KeyGrain(key).Delete(new DeleteRequest(condition, id, Options.Writer), token),
            given,
            cancellationToken);

    private async Task<WriteResult> WriteAsync(Func<WriteId, Door?, CancellationToken, Task<WriteResult>> send, WriteId? given, CancellationToken cancellationToken)
    {
        var write = new RepeatedWrite(Options, Time, Random, serverMayReturn: OutlivesServer);
        var sendings = new Sendings();
        var own = default(WriteId?);
        try
        {
            var result = await write.RunAsync(
                async limit => given ?? (own ??= await BeginAsync(limit, cancellationToken)),
                (id, limit) => CallAsync((door, token) => sendings.CountAsync(() => send(id, door, token)), isWrite: true, limit, cancellationToken),
                Renumber,
                cancellationToken);
            if (own is not null)
                Numbers.Saw(result);
            return result.Status is WriteStatus.Unknown or WriteStatus.TooOld ? throw RepeatedWrite.Forgotten(result) : result;
        }
        finally
        {
            if (own is { } id)
                Numbers.End(id);
        }

        // A given id is its caller's, who may have sent it before.
        bool Renumber(WriteResult tooOld)
        {
            if (own is not { } id || !sendings.NoneMayHaveArrived)
                return false;
            Numbers.Saw(tooOld);
            Numbers.End(id);
            own = null;
            return true;
        }
    }

    private async Task<WriteId> BeginAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        WriteId id;
        while (!Numbers.TryBegin(out id))
            Numbers.Saw(await AskIndexAsync(limit, cancellationToken));
        return id;
    }

    private async Task<LogIndex> AskIndexAsync(TimeSpan limit, CancellationToken cancellationToken) =>
        (await CallAsync((door, token) => BucketGrain(door).Status(token), isWrite: false, limit, cancellationToken)).Index;

    private Task<T> ReadAsync<T>(Func<Door?, CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        IsDisposed ? Task.FromException<T>(Disposed()) : _calls.ReadAsync(door => call(door, cancellationToken), hedgeAfter: null, cancellationToken);

    private Task<T> CallAsync<T>(Func<Door?, CancellationToken, Task<T>> call, bool isWrite, TimeSpan limit, CancellationToken cancellationToken) =>
        IsDisposed ? Task.FromException<T>(Disposed()) : _calls.OnceAsync(door => call(door, cancellationToken), isWrite, limit, hedgeAfter: null, cancellationToken);
}
