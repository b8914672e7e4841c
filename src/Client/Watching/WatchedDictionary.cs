using System.Collections;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Watch.Core;

namespace Watch.Client;

/// <summary>
/// What a target has, kept up to date by a watch that begins with a snapshot.
/// </summary>
/// <remarks>
/// The view is one reference, swapped whole. Rules:
///   I-C1  A view is what the store had at its revision: pages of a snapshot gather aside until all of them are there, and revisions are
///         applied whole.
///   I-C2  The revision of the view never goes back.
///   I-C3  When history did not have what was missed, the watch begins its snapshot anew, and readers of changes are told the difference
///         between the two views, deletes included.
/// One reader writes; reading is free of locks.
/// </remarks>
internal sealed class WatchedDictionary : IWatchedDictionary
{
    private readonly IWatchStream _stream;
    private readonly WatchedDictionaryOptions _options;
    private readonly TimeProvider _time;
    private readonly RevisionWaits _waits = new();
    private readonly TaskCompletionSource<WatchEndReason> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private readonly List<Channel<DictionaryChange>> _readers = [];
    private ImmutableSortedDictionary<Key, KeyValue>.Builder? _gathering;
    private volatile DictionaryView _current = new(ImmutableSortedDictionary<Key, KeyValue>.Empty, Revision.None);
    private volatile bool _isStale = true;
    private long _confirmed;

    private WatchedDictionary(IWatchStream stream, WatchedDictionaryOptions options, TimeProvider time)
    {
        _stream = stream;
        _options = options;
        _time = time;
        _confirmed = time.GetTimestamp();
    }

    public DictionaryView Current => _current;

    // By this side's clock, too: while the way to the server is lost nobody says anything.
    public bool IsStale => _isStale || (_options.StaleAfter is { } limit && _time.GetElapsedTime(Volatile.Read(ref _confirmed)) > limit);

    public Task<WatchEndReason> Completion => _completion.Task;

    public int Count => _current.Items.Count;

    public IEnumerable<Key> Keys => _current.Items.Keys;

    public IEnumerable<KeyValue> Values => _current.Items.Values;

    public KeyValue this[Key key] => _current.Items[key];

    /// <summary>Begins it; done when it is complete for the first time.</summary>
    public static async Task<IWatchedDictionary> StartAsync(IWatchClient client, WatchTarget target, WatchedDictionaryOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        if (options.ChangesMax is < 1 or > 1_000_000)
            throw new WatchException(WatchErrorCode.InvalidOption, $"{nameof(WatchedDictionaryOptions)}.{nameof(options.ChangesMax)} is {options.ChangesMax}; 1 to 1000000 are allowed.");
        var stream = await client.WatchAsync(target, new WatchOptions { Snapshot = true, ProgressInterval = options.ProgressInterval, StaleAfter = options.StaleAfter }, cancellationToken);
        return await StartAsync(stream, options, time, cancellationToken);
    }

    /// <summary>The same over a watch that begins with a snapshot.</summary>
    internal static async Task<IWatchedDictionary> StartAsync(IWatchStream stream, WatchedDictionaryOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        var dictionary = new WatchedDictionary(stream, options, time);
        // It ends with the stream, and Completion tells how.
        _ = OwnContext.Start(dictionary.RunAsync);
        try
        {
            await using var canceled = cancellationToken.Register(() => dictionary._ready.TrySetCanceled(cancellationToken));
            await dictionary._ready.Task;
            return dictionary;
        }
        catch
        {
            await dictionary.DisposeAsync();
            throw;
        }
    }

    public bool ContainsKey(Key key) => _current.Items.ContainsKey(key);

    public bool TryGetValue(Key key, [MaybeNullWhen(false)] out KeyValue value) => _current.Items.TryGetValue(key, out value);

    public IEnumerator<KeyValuePair<Key, KeyValue>> GetEnumerator() => _current.Items.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public IAsyncEnumerable<DictionaryChange> ChangesAsync(CancellationToken cancellationToken = default) => new Changes(this, NewReader(), cancellationToken);

    private Channel<DictionaryChange> NewReader()
    {
        var mine = Channel.CreateBounded<DictionaryChange>(new BoundedChannelOptions(_options.ChangesMax) { SingleReader = true, SingleWriter = true });
        lock (_gate)
        {
            if (_completion.Task.IsCompleted)
                mine.Writer.Complete();
            else
                _readers.Add(mine);
        }

        return mine;
    }

    private async IAsyncEnumerable<DictionaryChange> ReadAsync(Channel<DictionaryChange> mine, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            while (await mine.Reader.WaitToReadAsync(cancellationToken))
            {
                while (mine.Reader.TryRead(out var change))
                    yield return change;
            }
        }
        finally
        {
            lock (_gate)
                _readers.Remove(mine);
        }
    }

    public async Task WaitForAsync(Revision revision, CancellationToken cancellationToken = default)
    {
        if (_current.Revision >= revision)
            return;
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // The stream asks how far it is until it is there; the view follows in the same turn or soon after.
        var asking = _stream.WaitForAsync(revision, enough.Token);
        try
        {
            await _waits.WaitAsync(revision, cancellationToken);
        }
        finally
        {
            enough.Cancel();
            await asking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        End(WatchEndReason.Disposed);
    }

    private async Task RunAsync()
    {
        try
        {
            await foreach (var batch in _stream.ReadBatchesAsync())
                Apply(batch);
            End(await _stream.Completion);
        }
        catch (Exception error)
        {
            // A dictionary that cannot go on says so; it never pretends to be fresh.
            End(WatchEndReason.Refused, error);
        }
    }

    private void Apply(WatchBatch batch)
    {
        var next = _current.Items.ToBuilder();
        var changes = new List<DictionaryChange>();
        var isWhole = _gathering is null && _ready.Task.IsCompleted;
        foreach (var each in batch.Events)
        {
            switch (each.Type)
            {
                case WatchEventType.SnapshotBegins:
                    _gathering = ImmutableSortedDictionary.CreateBuilder<Key, KeyValue>();
                    isWhole = false;
                    break;
                case WatchEventType.Synced when _gathering is { } all:
                    next = all;
                    _gathering = null;
                    isWhole = true;
                    Confirm();
                    Show(next.ToImmutable(), each.Revision, changes: null);
                    changes.Clear();
                    _ready.TrySetResult();
                    break;
                case WatchEventType.Put or WatchEventType.Delete:
                    var (items, after) = (_gathering ?? next, ValueOf(each));
                    changes.Add(new DictionaryChange(each.Key, items.GetValueOrDefault(each.Key), after, each.Revision));
                    if (after is null)
                        items.Remove(each.Key);
                    else
                        items[each.Key] = after;
                    break;
                case WatchEventType.Stale:
                    _isStale = true;
                    break;
                case WatchEventType.Progress:
                    Confirm();
                    break;
            }
        }

        if (isWhole)
            Show(next.ToImmutable(), batch.Revision, changes);
    }

    private static KeyValue? ValueOf(WatchEvent each) =>
        each.Type == WatchEventType.Put ? new KeyValue(each.Key, each.Value, each.CreateRevision, each.Revision, each.Version) : null;

    private void Confirm()
    {
        Volatile.Write(ref _confirmed, _time.GetTimestamp());
        _isStale = false;
    }

    /// <summary>Swaps the view (I-C1) and tells the changes, or where they are not known, the difference.</summary>
    private void Show(ImmutableSortedDictionary<Key, KeyValue> items, Revision revision, List<DictionaryChange>? changes)
    {
        var before = _current;
        if (revision <= before.Revision && ReferenceEquals(items, before.Items))
            return;
        var after = new DictionaryView(items, Revision.Max(revision, before.Revision));      // I-C2
        lock (_gate)
        {
            _current = after;
            if (_readers.Count > 0)
                Tell(changes ?? DictionaryDifference.Between(before.Items, after));
        }

        _waits.Reached(after.Revision);
    }

    private void Tell(IEnumerable<DictionaryChange> changes)
    {
        foreach (var change in changes)
        {
            for (var at = _readers.Count - 1; at >= 0; at--)
            {
                if (_readers[at].Writer.TryWrite(change))
                    continue;
                _readers[at].Writer.TryComplete(new InvalidOperationException($"A reader of changes was more than {_options.ChangesMax} changes behind."));
                _readers.RemoveAt(at);
            }
        }
    }

    private void End(WatchEndReason reason, Exception? error = null)
    {
        lock (_gate)
        {
            _isStale = true;
            if (!_completion.TrySetResult(reason))
                return;
            foreach (var reader in _readers)
                reader.Writer.TryComplete();
        }

        var ended = new WatchException(WatchErrorCode.Unavailable, $"The dictionary of {_stream.Target} ended ({reason}) at revision {_current.Revision}{(error is null ? "" : $": {error.Message}")}.");
        _ready.TrySetException(ended);
        _waits.End(ended);
    }

    /// <summary>The changes from a call of <see cref="ChangesAsync"/> on, for whoever reads them first; for others, from when they begin.</summary>
    private sealed class Changes(WatchedDictionary dictionary, Channel<DictionaryChange> first, CancellationToken callers) : IAsyncEnumerable<DictionaryChange>
    {
        private Channel<DictionaryChange>? _first = first;

        public IAsyncEnumerator<DictionaryChange> GetAsyncEnumerator(CancellationToken cancellationToken = default) =>
            dictionary.ReadAsync(Interlocked.Exchange(ref _first, null) ?? dictionary.NewReader(), callers).GetAsyncEnumerator(cancellationToken);
    }
}
