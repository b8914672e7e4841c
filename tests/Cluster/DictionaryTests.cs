using System.Collections.Immutable;
using System.Threading.Channels;
using Watch.Client;
using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>What a target has, held in the process: always one revision of the store, whole.</summary>
public sealed class DictionaryTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("dictionary");

    [Theory, BothOrigins]
    public async Task A_dictionary_begins_complete_and_follows(Origin origin)
    {
        for (var at = 0; at < 50; at++)
            await _cluster.Client.PutAsync($"{_root}{at:00}", $"{at}");
        var last = await _cluster.Client.DeleteAsync(_root + "07");
        await _cluster.Client.PutAsync("/elsewhere", "no");

        await using var dictionary = await _cluster.Of(origin).WatchDictionaryAsync(WatchTarget.Prefix(_root));
        Assert.Equal(49, dictionary.Count);
        Assert.True(dictionary.Current.Revision >= last.Revision && !dictionary.IsStale);
        Assert.Equal("42", dictionary[Key.Of(_root + "42")].Value.Text());
        Assert.False(dictionary.ContainsKey(Key.Of(_root + "07")));

        await using var changes = dictionary.ChangesAsync().GetAsyncEnumerator();
        var first = changes.MoveNextAsync().AsTask();
        await _cluster.Client.PutAsync(_root + "new", "1");
        var written = await _cluster.Client.DeleteAsync(_root + "00");
        await dictionary.WaitForAsync(written.Revision).WaitAsync(WatchCluster.Patience);
        var (stored, _) = await _cluster.Client.ScanAllAsync(Key.Of(_root));
        Assert.Equal(Said(stored), Said(dictionary.Values));
        Assert.True(await first.WaitAsync(WatchCluster.Patience));
        Assert.Equal((_root + "new", null, "1"), Said(changes.Current));
        Assert.True(await changes.MoveNextAsync().AsTask().WaitAsync(WatchCluster.Patience));
        Assert.Equal((_root + "00", "0", null), Said(changes.Current));

        await dictionary.DisposeAsync();
        Assert.False(await changes.MoveNextAsync().AsTask().WaitAsync(WatchCluster.Patience));
        Assert.Equal(WatchEndReason.Disposed, await dictionary.Completion);
    }

    [Theory, BothOrigins]
    public async Task A_reader_who_waits_for_a_revision_has_it_though_nothing_of_the_target_changed(Origin origin)
    {
        await using var dictionary = await _cluster.Of(origin).WatchDictionaryAsync(WatchTarget.Prefix(_root));
        Assert.Empty(dictionary);
        var elsewhere = await _cluster.Client.PutAsync("/elsewhere", "1");
        await dictionary.WaitForAsync(elsewhere.Revision).WaitAsync(WatchCluster.Patience);
        Assert.True(dictionary.Current.Revision >= elsewhere.Revision);
    }

    [Fact]
    public async Task Pages_gather_aside_until_all_are_there_and_a_later_snapshot_is_told_as_the_difference()
    {
        await using var stream = new FakeStream();
        var starting = WatchedDictionary.StartAsync(stream, new WatchedDictionaryOptions(), TimeProvider.System, CancellationToken.None);
        stream.Send(5, Begins(5));
        stream.Send(5, Item("a", 1), Item("b", 2));
        Assert.False(starting.IsCompleted, "a dictionary was there before its snapshot was complete");
        stream.Send(5, Item("c", 3), Synced(5));
        await using var dictionary = await starting.WaitAsync(WatchCluster.Patience);
        Assert.Equal(["a@1", "b@2", "c@3"], Short(dictionary.Current));
        await using var changes = dictionary.ChangesAsync().GetAsyncEnumerator();
        var first = changes.MoveNextAsync().AsTask();

        stream.Send(20, Begins(20, WatchEventCause.Resync), Item("b", 12));
        stream.Send(20, Item("d", 13));
        await stream.TakenAsync();
        Assert.Equal(["a@1", "b@2", "c@3"], Short(dictionary.Current));
        Assert.Equal(new Revision(5), dictionary.Current.Revision);
        stream.Send(21, Item("e", 14), Synced(20), Put("f", 21));
        await dictionary.WaitForAsync(new Revision(21)).WaitAsync(WatchCluster.Patience);
        Assert.Equal(["b@12", "d@13", "e@14", "f@21"], Short(dictionary.Current));

        var told = new List<string>();
        for (Task<bool> next = first; told.Count < 6 && await next.WaitAsync(WatchCluster.Patience); next = changes.MoveNextAsync().AsTask())
        {
            told.Add($"{changes.Current.Key} {changes.Current.Before?.ModRevision.Value ?? 0}->{changes.Current.After?.ModRevision.Value ?? 0}");
            if (told.Count == 6)
                break;
        }

        Assert.Equal(["a 1->0", "b 2->12", "c 3->0", "d 0->13", "e 0->14", "f 0->21"], told);
    }

    [Fact]
    public void A_reader_of_events_is_told_of_a_later_snapshot_what_differs_and_nothing_else()
    {
        var keeper = new SnapshotKeeper();
        List<string> Tell(params WatchEvent[] events) => [.. events.SelectMany(keeper.Tell).Select(each => $"{each.Type} {each.Key}@{each.Revision} {each.Cause}")];
        Assert.Equal(["SnapshotBegins @5 Snapshot", "Put a@1 Snapshot", "Put b@2 Snapshot"], Tell(Begins(5), Item("a", 1), Item("b", 2)));
        // It is cut short and begins anew, in full: a is gone by then.
        Assert.Equal(["SnapshotBegins @7 Snapshot", "Put b@2 Snapshot", "Put c@6 Snapshot", "Delete a@7 Resync", "Synced @7 Put"], Tell(Begins(7), Item("b", 2), Item("c", 6), Synced(7)));
        Assert.Equal(["Put d@8 Put", "Delete b@9 Put"], Tell(Put("d", 8), Put("b", 9) with { Type = WatchEventType.Delete }));
        Assert.Equal(
            ["SnapshotBegins @20 Resync", "Put c@15 Resync", "Put e@16 Resync", "Delete d@20 Resync", "Synced @20 Put"],
            Tell(Begins(20, WatchEventCause.Resync), Item("c", 15), Item("e", 16), Synced(20)));
    }

    [Fact]
    public void A_reader_of_events_who_wants_no_deletes_is_told_of_none_by_a_later_snapshot()
    {
        var keeper = new SnapshotKeeper(tellsDeletes: false);
        List<string> Tell(params WatchEvent[] events) => [.. events.SelectMany(keeper.Tell).Select(each => $"{each.Type} {each.Key}@{each.Revision}")];
        Tell(Begins(5), Item("a", 1), Item("b", 2), Synced(5));
        Assert.Equal(["SnapshotBegins @9", "Put c@8", "Synced @9"], Tell(Begins(9, WatchEventCause.Resync), Item("b", 2), Item("c", 8), Synced(9)));
        // What is gone and comes again is told, whatever was kept of it.
        Assert.Equal(["SnapshotBegins @12", "Put a@11", "Synced @12"], Tell(Begins(12, WatchEventCause.Resync), Item("a", 11), Item("b", 2), Item("c", 8), Synced(12)));
    }

    [Fact]
    public async Task Changes_are_those_since_they_were_asked_for_also_where_they_are_read_later()
    {
        await using var stream = new FakeStream();
        var starting = WatchedDictionary.StartAsync(stream, new WatchedDictionaryOptions { ChangesMax = 3 }, TimeProvider.System, CancellationToken.None);
        stream.Send(5, Begins(5), Item("a", 1), Synced(5));
        await using var dictionary = await starting.WaitAsync(WatchCluster.Patience);
        var changes = dictionary.ChangesAsync();
        var forgotten = dictionary.ChangesAsync();
        stream.Send(6, Put("b", 6));
        stream.Send(7, Put("c", 7));
        await stream.TakenAsync();
        await using var reader = changes.GetAsyncEnumerator();
        await using var second = changes.GetAsyncEnumerator();
        stream.Send(8, Put("d", 8));
        await stream.TakenAsync();
        Assert.Equal(["b", "c", "d"], await NextAsync(reader, 3));
        // Whoever reads the same again begins when they do.
        Assert.Equal(["d"], await NextAsync(second, 1));

        stream.Send(9, Put("e", 9));
        await stream.TakenAsync();
        await using var late = forgotten.GetAsyncEnumerator();
        Assert.Equal(["b", "c", "d"], await NextAsync(late, 3));
        await Assert.ThrowsAsync<InvalidOperationException>(() => late.MoveNextAsync().AsTask().WaitAsync(WatchCluster.Patience));

        await dictionary.DisposeAsync();
        await using var after = dictionary.ChangesAsync().GetAsyncEnumerator();
        Assert.False(await after.MoveNextAsync().AsTask().WaitAsync(WatchCluster.Patience), "there are changes of a dictionary that has ended");

        static async Task<List<string>> NextAsync(IAsyncEnumerator<DictionaryChange> changes, int count)
        {
            var keys = new List<string>();
            while (keys.Count < count && await changes.MoveNextAsync().AsTask().WaitAsync(WatchCluster.Patience))
                keys.Add(changes.Current.Key.ToString());
            return keys;
        }
    }

    private static WatchEvent Begins(long at, WatchEventCause cause = WatchEventCause.Snapshot) => new() { Type = WatchEventType.SnapshotBegins, Revision = new Revision(at), Cause = cause };

    private static WatchEvent Synced(long at) => new() { Type = WatchEventType.Synced, Revision = new Revision(at) };

    private static WatchEvent Item(string key, long revision) => Put(key, revision) with { Cause = WatchEventCause.Snapshot };

    private static WatchEvent Put(string key, long revision) => new() { Type = WatchEventType.Put, Key = Key.Of(key), Revision = new Revision(revision) };

    private static string[] Short(DictionaryView view) => [.. view.Items.Select(each => $"{each.Key}@{each.Value.ModRevision}")];

    private static string[] Said(IEnumerable<KeyValue> items) => [.. items.Select(each => $"{each.Key}={each.Value.Text()}@{each.ModRevision} {each.CreateRevision} {each.Version}")];

    private static (string Key, string? Before, string? After) Said(DictionaryChange change) => (change.Key.ToString(), change.Before?.Value.Text(), change.After?.Value.Text());

    /// <summary>A watch that delivers what a test says.</summary>
    private sealed class FakeStream : IWatchStream
    {
        private readonly Channel<WatchBatch> _batches = Channel.CreateUnbounded<WatchBatch>();
        private long _cursor;

        public WatchTarget Target => WatchTarget.Bucket;

        public Revision Start => default;

        public Revision Cursor => new(_cursor);

        public Task<WatchEndReason> Completion => Task.FromResult(WatchEndReason.Disposed);

        public void Send(long revision, params WatchEvent[] events)
        {
            _batches.Writer.TryWrite(new WatchBatch(0, new Revision(_cursor), new Revision(revision), [.. events]));
            _cursor = revision;
        }

        /// <summary>Done when everything that was sent before has been applied.</summary>
        public async Task TakenAsync()
        {
            var mark = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _marks.Enqueue(mark);
            _batches.Writer.TryWrite(null!);
            await mark.Task.WaitAsync(WatchCluster.Patience);
        }

        private readonly System.Collections.Concurrent.ConcurrentQueue<TaskCompletionSource> _marks = [];

        public async IAsyncEnumerable<WatchBatch> ReadBatchesAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            while (await _batches.Reader.WaitToReadAsync(cancellationToken))
            {
                while (_batches.Reader.TryRead(out var batch))
                {
                    if (batch is not null)
                        yield return batch;
                    else if (_marks.TryDequeue(out var mark))
                        mark.TrySetResult();
                }
            }
        }

        public Task WaitForAsync(Revision revision, CancellationToken cancellationToken = default) => Task.CompletedTask;

        public Task AskProgressAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

        public WatchCursor GetCursor() => throw new NotSupportedException();

        public Task<Revision> ChangeTargetAsync(WatchTarget target, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public Task ChangePolicyAsync(SlowPolicy policy, int? queueEventsMax = null, long? queueBytesMax = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public IAsyncEnumerable<WatchEvent> DetachReader() => throw new NotSupportedException();

        public IAsyncEnumerator<WatchEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public ValueTask DisposeAsync()
        {
            _batches.Writer.TryComplete();
            return default;
        }
    }
}
