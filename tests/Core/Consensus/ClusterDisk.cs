using Watch.Core.Consensus;
using Watch.Core.Storage;
using Watch.Core.Tests.Storage;

namespace Watch.Core.Tests.Consensus;

/// <summary>A node's disk: the real log and the real snapshots over a file system in memory, with small segments. A crash leaves what was synced, and of the rest what chance leaves.</summary>
internal sealed class ClusterDisk(NodeId node)
{
    private const string LogFolder = "log";
    private const string SnapshotFolder = "snapshots";

    private MemoryFileSystem _fs = new();
    private WriteAheadLog? _log;
    private SnapshotDesk? _desk;

    internal bool IsBusy { get; private set; }

    internal LogUse Use => _log!.Use;

    internal long CurrentSegment => _log!.CurrentSegment;

    internal SnapshotStore Snapshots { get; private set; } = null!;

    internal SnapshotDesk Desk => _desk!;

    /// <summary>The power goes at one of the next operations.</summary>
    internal void FailSoon(int operations) => _fs.PowerFailsAt = _fs.Operations + operations;

    internal RecoveredLog Open(RaftOptions options)
    {
        IsBusy = false;
        var recovered = new RecoveredLog(options);
        _fs.CreateFolder(LogFolder);
        _fs.CreateFolder(SnapshotFolder);
        Snapshots = SnapshotStore.Open(_fs, SnapshotFolder, node);
        _desk = new SnapshotDesk(Snapshots);
        foreach (var info in Snapshots.Newest.Values)
        {
            using var reader = Snapshots.Read(info)!;
            recovered.OnSnapshot(reader);
        }
        _log = WriteAheadLog.Exists(_fs, LogFolder)
            ? WriteAheadLog.Open(_fs, LogFolder, node, LogHarness.Small, recovered, out _)
            : WriteAheadLog.Create(_fs, LogFolder, node, LogHarness.Small);
        Snapshots.Tidy();
        return recovered;
    }

    internal void Write(LogBatch batch)
    {
        IsBusy = true;
        _log!.Append(batch);
    }

    internal void Sync()
    {
        _log!.Sync();
        IsBusy = false;
    }

    /// <summary>One piece of deleting what nothing needs any more.</summary>
    internal bool StepLeaving() => Snapshots.StepLeaving() || _log!.StepLeaving();

    internal void RetireBelow(long segment) => _log!.RetireBelow(segment);

    internal void Crash(Random random)
    {
        _log?.Dispose();
        _fs = _fs.Crash(random);
    }
}

/// <summary>Of what was not synced nothing survives.</summary>
internal sealed class NothingSurvives : Random
{
    public override int Next(int maxValue) => 0;
}
