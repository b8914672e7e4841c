using Watch.Embedded.Simulation;
using Watch.Grains.Storage;

namespace Watch.Simulation.Tests.Faults;

/// <summary>
/// The disk of one node and what goes wrong with it: it outlives the node's silos. A job takes some time before it happens and some
/// more before its node hears that it has, so that a crash can fall before, into and behind it.
/// </summary>
internal sealed class FaultyDisk
{
    /// <summary>What the path of every file of a snapshot contains.</summary>
    public const string Snapshots = "/snapshots/";

    private readonly SimulatedWorld _world;
    private readonly FaultCounts _counts;
    private long _powerFailsIn;
    private string _powerFailsWhere = "";
    private DiskVerdict _powerFailure;

    public FaultyDisk(SimulatedWorld world, FaultCounts counts, string? unsynced)
    {
        _world = world;
        _counts = counts;
        Files = new SimulatedFileSystem(Judge, unsynced);
    }

    public SimulatedFileSystem Files { get; }

    /// <summary>Whether there is no room for anything.</summary>
    public bool IsFull { get; set; }

    /// <summary>Whether there is room for the log, which asks for it beforehand, but for no snapshot.</summary>
    public bool HasNoRoomForSnapshots { get; set; }

    /// <summary>Whether the next sync fails.</summary>
    public bool NextSyncFails { get; set; }

    /// <summary>How much longer than usual a job may take; zero while the disk is well.</summary>
    public TimeSpan Slowness { get; set; }

    /// <summary>How many operations it has refused so that its node must stop: for want of room, snapshots aside, or by a failed sync.</summary>
    public long Refusals { get; private set; }

    /// <summary>Lets the power fail at the n-th changing operation from now.</summary>
    /// <param name="operation">Which one.</param>
    /// <param name="when">When in the midst of it.</param>
    /// <param name="where">Only operations on paths that contain this count.</param>
    public void FailPowerAt(long operation, DiskVerdict when, string where = "") => (_powerFailsIn, _powerFailure, _powerFailsWhere) = (operation, when, where);

    /// <summary>Takes back what was still to go wrong.</summary>
    public void Heal()
    {
        (IsFull, HasNoRoomForSnapshots, NextSyncFails, Slowness, _powerFailsIn) = (false, false, false, TimeSpan.Zero, 0);
    }

    /// <summary>The power failed and is back.</summary>
    public void FailPower()
    {
        _powerFailsIn = 0;
        var (lost, torn) = Files.FailPower(_world.Random);
        _counts.Add(FaultKind.UnsyncedWritesLost, lost);
        _counts.Add(FaultKind.TornWrite, torn);
    }

    /// <summary>The worker of one silo that uses this disk.</summary>
    public IDiskWorker WorkerFor(TimeProvider clock, Action powerFailed) => new Worker(this, clock, powerFailed);

    private DiskVerdict Judge(DiskOperation operation, string path)
    {
        var isOfSnapshot = path.Contains(Snapshots, StringComparison.Ordinal);
        if (_powerFailsIn > 0 && path.Contains(_powerFailsWhere, StringComparison.Ordinal) && --_powerFailsIn == 0)
        {
            if (isOfSnapshot)
                _counts.Add(FaultKind.CrashInSnapshot);
            _world.Note("disk", $"power fails at {operation} of {path}: {_powerFailure}");
            return _powerFailure;
        }

        if (operation is DiskOperation.Write or DiskOperation.Create or DiskOperation.Preallocate)
        {
            if (IsFull)
            {
                _counts.Add(FaultKind.DiskFull);
                Refuse(isOfSnapshot, stops: !isOfSnapshot);
                return DiskVerdict.NoRoom;
            }

            if (HasNoRoomForSnapshots && isOfSnapshot)
            {
                _counts.Add(FaultKind.SnapshotRefused);
                return DiskVerdict.NoRoom;
            }
        }

        if (NextSyncFails && operation == DiskOperation.Sync)
        {
            NextSyncFails = false;
            _counts.Add(FaultKind.SyncError);
            _world.Note("disk", $"sync of {path} fails");
            Refuse(isOfSnapshot, stops: true);
            return DiskVerdict.Fails;
        }

        // What leaves is renamed, too, before it is cut.
        if (operation == DiskOperation.Rename && path.EndsWith(".snap", StringComparison.Ordinal))
            _counts.Add(FaultKind.SnapshotWritten);
        if (operation == DiskOperation.Rename && path.Contains(".wal.", StringComparison.Ordinal))
            _counts.Add(FaultKind.SegmentRetired);
        return DiskVerdict.Proceed;
    }

    private void Refuse(bool isOfSnapshot, bool stops)
    {
        if (stops)
            Refusals++;
        if (isOfSnapshot)
            _counts.Add(FaultKind.SnapshotRefused);
    }

    private TimeSpan Delay()
    {
        var usual = TimeSpan.FromMicroseconds(_world.Random.Next(10, 250));
        if (Slowness <= TimeSpan.Zero || _world.Random.Next(3) != 0)
            return usual;
        _counts.Add(FaultKind.SlowDisk);
        return Slowness * _world.Random.NextDouble();
    }

    private sealed class Worker(FaultyDisk disk, TimeProvider clock, Action powerFailed) : IDiskWorker
    {
        private readonly TaskCompletionSource _never = new();

        public ValueTask Run(Action job) => new(RunAsync(job));

        private async Task RunAsync(Action job)
        {
            await Passing.On(clock, disk.Delay());
            System.Runtime.ExceptionServices.ExceptionDispatchInfo? failure = null;
            try
            {
                job();
            }
            catch (Exception error) when (IsPowerFailure(error))
            {
                powerFailed();
                await _never.Task;
            }
            catch (Exception error)
            {
                failure = System.Runtime.ExceptionServices.ExceptionDispatchInfo.Capture(error);    // the node hears of it as late as of a success
            }

            await Passing.On(clock, disk.Delay());
            failure?.Throw();
        }

        private static bool IsPowerFailure(Exception? error) => error is not null && (error is PowerFailureException || IsPowerFailure(error.InnerException));
    }
}

/// <summary>Lets virtual time pass.</summary>
internal static class Passing
{
    public static async Task On(TimeProvider clock, TimeSpan span)
    {
        var passed = new TaskCompletionSource();
        await using var timer = clock.CreateTimer(_ => passed.TrySetResult(), null, span, Timeout.InfiniteTimeSpan);
        await passed.Task;
    }
}
