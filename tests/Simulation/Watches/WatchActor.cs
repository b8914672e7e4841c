using Watch.Core;
using Watch.Simulation.Tests.Faults;

namespace Watch.Simulation.Tests.Watches;

/// <summary>How fast somebody reads.</summary>
internal enum Pace
{
    /// <summary>At once.</summary>
    Steady,

    /// <summary>With a pause now and then, long enough for a small queue to fill.</summary>
    Bursts,

    /// <summary>With pauses of many seconds.</summary>
    Stops,
}

/// <summary>
/// Somebody who follows something and writes down what arrives, batch by batch: at a pace of its own, changing its mind about what it
/// follows, and leaving and coming back with its cursor, if the seed wants that.
/// </summary>
/// <param name="record">What it asks for, and where it writes first.</param>
/// <param name="pace">How fast it reads.</param>
/// <param name="habits">What else it does.</param>
/// <param name="random">Chance from the seed.</param>
internal sealed class WatchActor(WatchRecord record, Pace pace, WatchHabits habits, Random random) : IAttendant
{
    private readonly List<WatchRecord> _records = [record];
    private Task? _gone;
    private Revision? _kept;
    private WatchCursor? _cursor;
    private bool _isRunning;
    private bool _isHurried;

    /// <summary>What it does, for whoever reads a violation.</summary>
    public string Doing { get; private set; } = "nothing";

    /// <summary>The change of targets that was not answered; empty where there is none.</summary>
    public string Changing { get; private set; } = "";

    /// <summary>What arrived in its last life; one with a snapshot begins anew in each.</summary>
    public WatchRecord Record => _records[^1];

    /// <summary>What arrived in all of them.</summary>
    public IReadOnlyList<WatchRecord> Records => _records;

    /// <summary>Whether the watch was registered and has not ended.</summary>
    public bool IsRunning => _isRunning && !_gone!.IsCompleted;

    /// <summary>From now on it reads at once, and changes nothing any more.</summary>
    public void Hurry() => _isHurried = true;

    /// <summary>Registers, however often that takes, and reads until the watch ends; a later life goes on from the cursor that was kept.</summary>
    public async Task AttendAsync(IWatchClient client, TimeProvider clock, Task gone)
    {
        (_gone, _isRunning) = (gone, false);
        if (Record.End is not null)
            return;
        if (_kept is not null && record.Wish.Snapshot)
        {
            (_kept, _cursor) = (null, null);
            _records.Add(new WatchRecord(record.Client, record.Wish));
        }

        while (await WatchAsync(client, clock))
            _isRunning = false;
    }

    /// <summary>One registration: false where the watch ended, true where its reader left and comes back.</summary>
    private async Task<bool> WatchAsync(IWatchClient client, TimeProvider clock)
    {
        Doing = "registers";
        await using var stream = await RegisterAsync(client, clock);
        if (_kept is null)
            Record.Start = stream.Start;
        _kept ??= stream.Start;
        Record.Begin();
        _isRunning = true;
        var leaving = new TaskCompletionSource();
        var over = Task.WhenAny(EndOf(stream), leaving.Task);
        var changing = ChangeTargetsAsync(stream, clock, over);
        var fidgeting = FidgetAsync(stream, clock, over);
        var isOver = await ReadAsync(stream, clock);
        if (isOver)
            (_isRunning, Record.End) = (false, await stream.Completion);
        leaving.SetResult();
        Doing = "leaves";
        await changing;
        await fidgeting;
        return !isOver;
    }

    /// <summary>Reads until the watch has ended, which is true, or until it wants to leave.</summary>
    private async Task<bool> ReadAsync(IWatchStream stream, TimeProvider clock)
    {
        var stays = habits.Leaves ? 5 + random.Next(60) : int.MaxValue;
        var isWhole = !(record.Wish.Snapshot && Record.Batches.Count == 0);
        await foreach (var batch in stream.ReadBatchesAsync())
        {
            // Both in one step: a process that ends has kept both or neither.
            Record.Batches.Add(batch);
            _kept = batch.Revision;
            if (habits.OtherTargets.Count == 0 && !record.Wish.Snapshot)
                _cursor = stream.GetCursor();
            Doing = "pauses";
            await PauseAsync(clock);
            Doing = "waits for a batch";
            // One that left amid a snapshot would have to begin it anew.
            isWhole = IsWholeAfter(batch) ?? isWhole;
            if (--stays <= 0 && isWhole && !_isHurried && batch.Events is not [.., { Type: WatchEventType.Canceled }])
                return false;
        }

        return true;
    }

    /// <summary>Whether no snapshot is owed after a batch; null where that is as before.</summary>
    private bool? IsWholeAfter(WatchBatch batch)
    {
        bool? isWhole = null;
        foreach (var each in batch.Events)
        {
            if (each.Type == WatchEventType.SnapshotBegins || (each.Type == WatchEventType.TargetsChanged && record.Wish.Snapshot))
                isWhole = false;
            else if (each.Type == WatchEventType.Synced)
                isWhole = true;
        }

        return isWhole;
    }

    private async Task PauseAsync(TimeProvider clock)
    {
        if (_isHurried)
            return;
        if (pace == Pace.Bursts && random.Next(4) == 0)
            await Passing.On(clock, TimeSpan.FromMilliseconds(random.Next(800)));
        else if (pace == Pace.Stops && random.Next(12) == 0)
            await Passing.On(clock, TimeSpan.FromSeconds(1 + random.Next(9)));
    }

    private async Task ChangeTargetsAsync(IWatchStream stream, TimeProvider clock, Task over)
    {
        while (habits.OtherTargets.Count > 0)
        {
            await Task.WhenAny(Passing.On(clock, TimeSpan.FromSeconds(1 + (random.NextDouble() * 4))), over);
            if (_isHurried || over.IsCompleted)
                return;
            var target = habits.OtherTargets[random.Next(habits.OtherTargets.Count)];
            var answered = Record.Retargeted(target);
            Changing = $"changes to {target}";
            try
            {
                answered(await stream.ChangeTargetAsync(target.ToTarget()));
                Changing = "";
            }
            catch (WatchException error) when (over.IsCompleted || error.Code is WatchErrorCode.Unavailable or WatchErrorCode.ShuttingDown or WatchErrorCode.NoQuorum)
            {
                // It may have been heard, or is told again when the watch is back.
                continue;
            }
        }
    }

    private async Task FidgetAsync(IWatchStream stream, TimeProvider clock, Task over)
    {
        while (habits.Fidgets)
        {
            await Task.WhenAny(Passing.On(clock, TimeSpan.FromSeconds(0.2 + (random.NextDouble() * 3))), over);
            if (_isHurried || over.IsCompleted)
                return;
            try
            {
                if (random.Next(2) == 0)
                    await stream.AskProgressAsync();
                else
                    await stream.ChangePolicyAsync(record.Wish.WhenSlow, queueEventsMax: 1 + random.Next(48));
            }
            catch (WatchException error) when (over.IsCompleted || error.Code is WatchErrorCode.Unavailable or WatchErrorCode.ShuttingDown or WatchErrorCode.NoQuorum)
            {
                // The way to it is lost just now.
                continue;
            }
        }
    }

    /// <summary>Its end, heard of in the own process.</summary>
    private static async Task EndOf(IWatchStream stream) => await stream.Completion;

    private async Task<IWatchStream> RegisterAsync(IWatchClient client, TimeProvider clock)
    {
        var options = record.Wish.ToOptions();
        if (_cursor is not null)
            options = options with { From = _cursor, StartAt = null };
        else if (_kept is { } kept)
            options = options with { StartAt = kept.Next, Snapshot = false };
        while (true)
        {
            try
            {
                return await client.WatchAsync(Record.Target.ToTarget(), options);
            }
            catch (WatchException error) when (error.Code is WatchErrorCode.Unavailable or WatchErrorCode.NoQuorum or WatchErrorCode.ShuttingDown or WatchErrorCode.Internal or WatchErrorCode.FutureRevision)
            {
                await Passing.On(clock, TimeSpan.FromMilliseconds(300));
            }
        }
    }
}

/// <summary>What a watcher does beside reading.</summary>
/// <param name="Leaves">It goes now and then, and comes back with its cursor.</param>
/// <param name="OtherTargets">What it changes to, from time to time; empty for one that never does.</param>
/// <param name="Fidgets">It asks how far its watch is, and gives it longer and shorter queues.</param>
internal sealed record WatchHabits(bool Leaves, IReadOnlyList<Pattern> OtherTargets, bool Fidgets = false);
