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
/// <param name="record">What it asks for, and where it writes.</param>
/// <param name="pace">How fast it reads.</param>
/// <param name="habits">What else it does.</param>
/// <param name="random">Chance from the seed.</param>
/// <param name="gone">Done when the process that it runs in has ended.</param>
internal sealed class WatchActor(WatchRecord record, Pace pace, WatchHabits habits, Random random, Task gone)
{
    private bool _isRunning;
    private bool _isHurried;

    /// <summary>What arrived.</summary>
    public WatchRecord Record => record;

    /// <summary>Whether the watch was registered and has not ended.</summary>
    public bool IsRunning => _isRunning && !gone.IsCompleted;

    /// <summary>From now on it reads at once, and changes nothing any more.</summary>
    public void Hurry() => _isHurried = true;

    /// <summary>Registers, however often that takes, and reads until the watch ends.</summary>
    public async Task RunAsync(IWatchClient client, TimeProvider clock)
    {
        WatchCursor? from = null;
        do
        {
            await using var stream = await RegisterAsync(client, clock, from);
            if (from is null)
                record.Start = stream.Start;
            _isRunning = true;
            var changing = ChangeTargetsAsync(stream, clock);
            from = await ReadAsync(stream, clock);
            _isRunning = from is not null;
            if (from is null)
                record.End = await stream.Completion;
            await changing;
        }
        while (from is not null);
    }

    /// <summary>Reads to the end, or until it wants to leave: then the cursor to come back with.</summary>
    private async Task<WatchCursor?> ReadAsync(IWatchStream stream, TimeProvider clock)
    {
        var stays = habits.Leaves ? 5 + random.Next(60) : int.MaxValue;
        await foreach (var batch in stream.ReadBatchesAsync())
        {
            record.Batches.Add(batch);
            await PauseAsync(clock);
            // One who goes amid a snapshot has nothing yet to come back to.
            if (--stays <= 0 && !_isHurried && batch.Events is not [.., { Type: WatchEventType.Canceled }])
                return stream.GetCursor();
        }

        return null;
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

    private async Task ChangeTargetsAsync(IWatchStream stream, TimeProvider clock)
    {
        while (habits.OtherTargets.Count > 0)
        {
            await Task.WhenAny(Passing.On(clock, TimeSpan.FromSeconds(1 + (random.NextDouble() * 4))), stream.Completion);
            if (_isHurried || stream.Completion.IsCompleted)
                return;
            var target = habits.OtherTargets[random.Next(habits.OtherTargets.Count)];
            record.Retargeted(target);
            try
            {
                await stream.ChangeTargetAsync(target.ToTarget());
            }
            catch (WatchException) when (stream.Completion.IsCompleted)
            {
                return;
            }
        }
    }

    private async Task<IWatchStream> RegisterAsync(IWatchClient client, TimeProvider clock, WatchCursor? from)
    {
        var options = record.Wish.ToOptions();
        if (from is { } cursor)
            options = options with { From = cursor, StartAt = null, Snapshot = false };
        while (true)
        {
            try
            {
                return await client.WatchAsync(record.Target.ToTarget(), options);
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
internal sealed record WatchHabits(bool Leaves, IReadOnlyList<Pattern> OtherTargets);
