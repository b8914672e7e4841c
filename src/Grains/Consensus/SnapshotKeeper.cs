using System.Buffers;
using Microsoft.Extensions.Logging;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Keyspace;
using Watch.Core.Storage;
using Watch.Grains.Storage;

namespace Watch.Grains.Consensus;

/// <summary>
/// Takes snapshots of this node's groups, gives up the log behind them, and reads and writes the chunks of snapshots that are transferred:
/// one small piece of disk work per call, between the log's batches, so that writes go on. Called by the replica's one loop.
/// </summary>
/// <param name="node">The node's state machine.</param>
/// <param name="folder">The node's data folder; only the disk worker touches its files.</param>
/// <param name="disk">Where files are written.</param>
/// <param name="clock">The clocks at the moment it is called.</param>
/// <param name="bucketOf">A group's bucket.</param>
/// <param name="rules">The rules that a state keeps to.</param>
/// <param name="logger">Where it is told.</param>
internal sealed partial class SnapshotKeeper(
    Node node, DataFolder folder, IDiskWorker disk, Func<Moment> clock, Func<GroupId, BucketReplica> bucketOf, KeyspaceRules rules, ILogger logger)
{
    private readonly SnapshotDesk _desk = new(folder.Snapshots);
    private readonly LogBatch _batch = new();
    private readonly ArrayBufferWriter<byte> _piece = new();
    private readonly Dictionary<GroupId, BucketSnapshotReader> _arriving = [];
    private readonly Dictionary<GroupId, BucketState> _arrived = [];
    private SnapshotWriter? _writer;
    private BucketSnapshot? _state;
    private ReadOnlyMemory<byte> _catalogue;
    private TimeSpan _begun;
    private TimeSpan _longest;
    private (long Segment, int Snapshots) _tried;
    private int _snapshots;

    /// <summary>Does the next pieces of work; whether there were any.</summary>
    /// <param name="settle">Called when a snapshot that was received is durable: whoever it is for takes it with <see cref="Take"/>.</param>
    public async ValueTask<bool> StepAsync(Action settle)
    {
        var worked = await TransferAsync(settle);
        var from = clock().Monotonic;
        worked |= _writer is null ? await BeginAsync() : await WriteAsync();
        var took = clock().Monotonic - from;
        _longest = took > _longest ? took : _longest;
        return await RetireAsync() || worked;
    }

    /// <summary>The state of a snapshot that was received and has just been installed.</summary>
    public BucketState Take(SnapshotInfo snapshot) =>
        _arrived.Remove(snapshot.Group, out var state) ? state : throw new InvariantViolationException($"R13: the {snapshot} was read before it was installed");

    /// <summary>Closes its files. A snapshot that is not complete is given up; the next one begins anew.</summary>
    public void Close()
    {
        _state?.Dispose();
        _writer?.Dispose();
        _desk.Dispose();
    }

    private async ValueTask<bool> TransferAsync(Action settle)
    {
        if (!node.TryTakeSnapshotWork(out var work))
            return false;
        if (work is SnapshotWork.Read read)
        {
            (ReadOnlyMemory<byte>? Content, bool IsLast) chunk = default;
            await disk.Run(() => chunk = _desk.Read(read.Snapshot, read.Chunk));
            node.ChunkRead(read, chunk.Content, chunk.IsLast, clock());
        }
        else if (work is SnapshotWork.Write write)
        {
            var kept = false;
            await disk.Run(() => kept = _desk.Write(write.Snapshot, write.Chunk, write.IsLast, write.Content.Span));
            Read(write);
            node.ChunkWritten(write, kept, clock());
            if (!write.IsLast)
                return true;
            settle();
            // Where it brought nothing forward, nobody took it.
            _arrived.Remove(write.Snapshot.Group);
            LogReceived(logger, write.Snapshot, kept);
        }
        return true;
    }

    /// <summary>A bucket's state is built chunk by chunk, so that it is there when the snapshot is.</summary>
    private void Read(SnapshotWork.Write write)
    {
        var group = write.Snapshot.Group;
        if (group == GroupId.System)
            return;
        if (write.Chunk == 0)
            _arriving[group] = new BucketSnapshotReader(ResultLimits.Standard, rules);
        _arriving[group].Add(write.Content.Span);
        if (!write.IsLast)
            return;
        _arrived[group] = _arriving[group].Complete();
        _arriving.Remove(group);
    }

    private async ValueTask<bool> BeginAsync()
    {
        if (!node.TryTakeDue(out var group))
            return false;
        var applied = group == GroupId.System ? node.CatalogueApplied : bucketOf(group).Applied;
        if (node.BeginSnapshot(group, applied) is not { } info)
            return true;
        (_begun, _longest) = (clock().Monotonic, TimeSpan.Zero);
        if (group == GroupId.System)
            _catalogue = CatalogueSnapshot.Encode(node.Catalogue);
        else
            _state = bucketOf(group).State.BeginSnapshot();
        await disk.Run(() => _writer = folder.Snapshots.Begin(info, received: false));
        return true;
    }

    private async ValueTask<bool> WriteAsync()
    {
        var writer = _writer!;
        if (TakePiece() is { Length: > 0 } piece)
        {
            await disk.Run(() => writer.Write(piece.Span));
            return true;
        }
        _state?.Dispose();
        (_state, _writer) = (null, null);
        var kept = false;
        await disk.Run(() => kept = writer.Complete());
        if (kept)
            node.SnapshotTaken(writer.Info);
        else
            node.SnapshotGivenUp(writer.Info);
        _snapshots++;
        LogTaken(logger, writer.Info, writer.Chunks, (clock().Monotonic - _begun).TotalMilliseconds, _longest.TotalMilliseconds);
        return true;
    }

    private ReadOnlyMemory<byte> TakePiece()
    {
        if (_state is null)
        {
            var piece = _catalogue[..Math.Min(_catalogue.Length, BucketSnapshot.PieceBytes)];
            _catalogue = _catalogue[piece.Length..];
            return piece;
        }
        _piece.ResetWrittenCount();
        return _state.TryWritePiece(_piece) ? _piece.WrittenMemory : default;
    }

    /// <summary>Gives segments of the log up that nothing needs any more: when a snapshot was taken, or a segment begun.</summary>
    private async ValueTask<bool> RetireAsync()
    {
        var log = folder.Log;
        if (_tried == (log.CurrentSegment, _snapshots) || log.Use.Segments.Count < 2)
            return false;
        _tried = (log.CurrentSegment, _snapshots);
        if (!node.TryCollectRetirement(log.Use, _batch, out var firstKept))
            return false;
        await disk.Run(() =>
        {
            log.Append(_batch);
            log.Sync();
            log.RetireBelow(firstKept);
        });
        _batch.Clear();
        node.Persisted(clock());
        LogRetired(logger, firstKept);
        return true;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Took {Snapshot}: {Chunks} chunks in {Ms:F0} ms; the log waited for one of them {LongestMs:F0} ms at most")]
    private static partial void LogTaken(ILogger logger, SnapshotInfo snapshot, int chunks, double ms, double longestMs);

    [LoggerMessage(Level = LogLevel.Information, Message = "Received {Snapshot}; it is the newest here: {Kept}")]
    private static partial void LogReceived(ILogger logger, SnapshotInfo snapshot, bool kept);

    [LoggerMessage(Level = LogLevel.Information, Message = "Retired the log's segments before {Segment}")]
    private static partial void LogRetired(ILogger logger, long segment);
}
