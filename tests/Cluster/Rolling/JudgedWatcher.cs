using Watch.Core;
using Watch.Simulation.Tests.Watches;

namespace Watch.Cluster.Tests.Rolling;

/// <summary>
/// Somebody who watches, and writes down what arrives. Nothing here helps the watch: it is registered once, and read until it ends.
/// </summary>
internal sealed class JudgedWatcher
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private JudgedWatcher(string client, WatchWish wish) => Record = new WatchRecord(client, wish);

    /// <summary>What it asked for and what it got; to be looked at when <see cref="Reading"/> is done, or under the test's own order.</summary>
    public WatchRecord Record { get; }

    /// <summary>Done when the watch has ended.</summary>
    public Task Reading { get; private set; } = Task.CompletedTask;

    /// <summary>Registers it and begins to read.</summary>
    public static async Task<JudgedWatcher> BeginAsync(IWatchClient client, string where, WatchWish wish)
    {
        var watcher = new JudgedWatcher(where, wish);
        var stream = await client.WatchAsync(wish.Target.ToTarget(), wish.ToOptions());
        watcher.Record.Start = stream.Start;
        watcher.Reading = watcher.ReadAsync(stream);
        return watcher;
    }

    /// <summary>Waits until it was told everything up to a revision, or has ended.</summary>
    public async Task ReachesAsync(Revision revision)
    {
        while (true)
        {
            Task more;
            lock (_gate)
            {
                if (Record.Cursor >= revision || Record.End is not null)
                    return;
                more = _more.Task;
            }

            try
            {
                await more.WaitAsync(WatchCluster.Patience);
            }
            catch (TimeoutException)
            {
                Assert.Fail($"the {Record} stands at {Record.Cursor} and was told nothing more for {WatchCluster.Patience}; the last thing it asked for is in {revision}");
            }
        }
    }

    /// <summary>How many events it was told.</summary>
    public int CountEvents()
    {
        lock (_gate)
            return Record.Batches.Sum(batch => batch.Events.Length);
    }

    /// <summary>What is wrong with what it got; null where nothing is.</summary>
    public string? Judge(IReadOnlyList<CommittedChange> history)
    {
        lock (_gate)
            return WatchJudge.Check(Record, history);
    }

    private async Task ReadAsync(IWatchStream stream)
    {
        await foreach (var batch in stream.ReadBatchesAsync())
            Tell(() => Record.Batches.Add(batch));
        var end = await stream.Completion;
        Tell(() => Record.End = end);
    }

    private void Tell(Action what)
    {
        lock (_gate)
        {
            what();
            var more = _more;
            _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            more.SetResult();
        }
    }
}
