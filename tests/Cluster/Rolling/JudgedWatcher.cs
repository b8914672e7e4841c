using Watch.Core;
using Watch.Simulation.Tests.Watches;

namespace Watch.Cluster.Tests.Rolling;

/// <summary>What a watcher does beside reading.</summary>
internal enum Habit
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>It leaves now and then, keeps its cursor as text, and comes back with it.</summary>
    Leaves,

    /// <summary>It changes its target now and then.</summary>
    Retargets,

    /// <summary>It is called with one event after the other.</summary>
    IsCalled,
}

/// <summary>
/// Somebody who watches, and writes down what arrives. Nothing here helps the watch: it is registered once, or as often as its reader left
/// it, and read until it ends.
/// </summary>
internal sealed class JudgedWatcher : IJudged
{
    private static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(400);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _settled = new();
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _reading = Task.CompletedTask;
    private Task _changing = Task.CompletedTask;
    private (long Version, Revision From) _changed;

    private JudgedWatcher(string client, WatchWish wish) => Record = new WatchRecord(client, wish);

    /// <summary>What it asked for and what it got; to be looked at when it has ended, or under the test's own order.</summary>
    public WatchRecord Record { get; }

    public WatchEndReason? End => Record.End;

    public bool WasSlow => Record is { Wish.WhenSlow: SlowPolicy.Cancel, End: WatchEndReason.Slow };

    /// <summary>Registers it and begins to read.</summary>
    /// <param name="client">What it watches with.</param>
    /// <param name="where">Its name.</param>
    /// <param name="wish">How it watches.</param>
    /// <param name="habit">What it does beside reading.</param>
    /// <param name="others">What one that changes its target changes to.</param>
    public static async Task<IJudged> BeginAsync(IWatchClient client, string where, WatchWish wish, Habit habit = Habit.None, params Pattern[] others)
    {
        var watcher = new JudgedWatcher(where, wish);
        watcher.Record.Begin();
        if (habit == Habit.IsCalled)
        {
            await watcher.BeginCalledAsync(client);
            return watcher;
        }

        var stream = await client.WatchAsync(wish.Target.ToTarget(), wish.ToOptions());
        watcher.Record.Start = stream.Start;
        watcher._reading = habit == Habit.Leaves ? watcher.ComeAndGoAsync(client, stream) : watcher.ReadAsync(stream, int.MaxValue);
        if (habit == Habit.Retargets)
            watcher._changing = watcher.ChangeTargetsAsync(stream, others);
        return watcher;
    }

    public async Task ReachesEndAsync(List<CommittedChange> history)
    {
        await _settled.CancelAsync();
        await _changing.WaitAsync(WatchCluster.Patience);
        var last = new Revision(history.FindLast(change => change.Revision > _changed.From.Value && Record.Target.Has(change.Key) && Record.Wish.Wants(change))?.Revision ?? 0);
        while (true)
        {
            Task more;
            lock (_gate)
            {
                if ((Record.Cursor >= last && HasMet(_changed.Version)) || Record.End is not null)
                    return;
                more = _more.Task;
            }

            try
            {
                // One whose reading failed would wait in vain.
                await await Task.WhenAny(more, _reading).WaitAsync(WatchCluster.Patience);
            }
            catch (TimeoutException)
            {
                Assert.Fail($"the {Record} stands at {Record.Cursor} and was told nothing more for {WatchCluster.Patience}; the last thing it asked for is in {last}");
            }
        }
    }

    public int CountEvents()
    {
        lock (_gate)
            return Record.Batches.Sum(batch => batch.Events.Length);
    }

    public string? Judge(IReadOnlyList<CommittedChange> history)
    {
        lock (_gate)
            return WatchJudge.Check(Record, history);
    }

    public override string ToString() => Record.ToString();

    /// <summary>Whether the reader stands behind a change of its targets, or there was none.</summary>
    private bool HasMet(long version) => version == 0 || Record.Batches.Any(batch => batch.Events.Any(each => each.Type == WatchEventType.TargetsChanged && each.Count >= version));

    /// <summary>Reads until the watch has ended, which is true, or so many batches.</summary>
    private async Task<bool> ReadAsync(IWatchStream stream, int batchesMax)
    {
        await foreach (var batch in stream.ReadBatchesAsync())
        {
            Tell(() => Record.Batches.Add(batch));
            if (--batchesMax == 0 && batch.Events is not [.., { Type: WatchEventType.Canceled }])
                return false;
        }

        var end = await stream.Completion;
        Tell(() => Record.End = end);
        return true;
    }

    private async Task ComeAndGoAsync(IWatchClient client, IWatchStream stream)
    {
        for (var batches = 20; !await ReadAsync(stream, _settled.IsCancellationRequested ? int.MaxValue : batches); batches += 7)
        {
            var kept = stream.GetCursor().ToString();
            stream = await ComeBackAsync(client, Record.Wish.ToOptions() with { StartAt = null, From = WatchCursor.Parse(kept) });
        }
    }

    private async Task<IWatchStream> ComeBackAsync(IWatchClient client, WatchOptions options)
    {
        using var pace = new PeriodicTimer(s_pace, TimeProvider.System);
        while (true)
        {
            try
            {
                return await client.WatchAsync(Record.Wish.Target.ToTarget(), options);
            }
            catch (WatchException error) when (error.Code == WatchErrorCode.ShuttingDown)
            {
                // A watch that runs goes elsewhere by itself; whoever begins one just when its server stops is told so, and asks again.
                await pace.WaitForNextTickAsync();
            }
        }
    }

    private async Task ChangeTargetsAsync(IWatchStream stream, Pattern[] others)
    {
        using var pace = new PeriodicTimer(s_pace, TimeProvider.System);
        var isTaken = true;
        for (var (at, version) = (0, 1L); !(_settled.IsCancellationRequested && isTaken) && !stream.Completion.IsCompleted; version++)
        {
            var target = others[at % others.Length];
            isTaken = false;
            // Before it is told: the reader may meet it before the answer is here.
            Action<Revision>? answered = null;
            Tell(() => answered = Record.Retargeted(target));
            try
            {
                _changed = (version, await stream.ChangeTargetAsync(target.ToTarget()).WaitAsync(WatchCluster.Patience));
                Tell(() => answered!(_changed.From));
                (at, isTaken) = (at + 1, true);
            }
            catch (WatchException error) when (stream.Completion.IsCompleted || error.Code is WatchErrorCode.Unavailable or WatchErrorCode.ShuttingDown)
            {
                // The way is lost just now: whoever wants another target asks again.
            }

            await pace.WaitForNextTickAsync();
        }
    }

    private async Task BeginCalledAsync(IWatchClient client)
    {
        IWatcher? watcher = null;
        watcher = client.CreateWatcher(Record.Wish.Target.ToTarget(), (each, _) =>
        {
            Record.Start = watcher!.Start;
            Tell(() => Record.Batches.Add(new WatchBatch(0, Record.Cursor, Revision.Max(Record.Cursor, each.Revision), [each])));
            return default;
        }, new WatcherOptions { Watch = Record.Wish.ToOptions() });
        _reading = RunAsync(watcher);
        await watcher.WaitReadyAsync(WatchCluster.Patience);
        Record.Start = watcher.Start;
    }

    private async Task RunAsync(IWatcher watcher)
    {
        await watcher.RunAsync();
        var end = await watcher.Completion;
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
