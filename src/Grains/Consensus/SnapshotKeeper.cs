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
/// one small piece of work per call, between the log's batches, so that writes go on. Called by the replica's one loop.
///
///   K1  A piece of work is bounded by what it touches: some 256 KiB of a state or one item, <see cref="ScopesPerStep"/> scopes of a state that
///       arrived, 4 MiB on the way to a chunk that is sent, 8 MiB of a file that goes.
///   K2  Where the disk has no room for a snapshot, that snapshot is given up and tried again later. Nothing that was acknowledged depends on
///       it: the log has it. Any other error of the disk stops the node, as those of the log do.
///   K3  A snapshot that arrives is read before it is kept (<see cref="ArrivingStates"/>). One that cannot be read is refused, loudly, and
///       what is here stays; whoever sends it may send it again.
///   K4  From the moment at which a rule of the node's state machine did not hold, nothing is written or deleted any more, also where that
///       happened while the disk was at work: what such a memory takes for needed may be wrong, and the segments that would go hold the truth.
/// </summary>
/// <param name="node">The node's state machine.</param>
/// <param name="folder">The node's data folder; only the disk worker touches its files.</param>
/// <param name="disk">Where files are written.</param>
/// <param name="clock">The clocks at the moment it is called.</param>
/// <param name="bucketOf">A group's bucket.</param>
/// <param name="rules">The rules that a state keeps to.</param>
/// <param name="throwIfBroken">Throws where a rule of the node's state machine did not hold (K4).</param>
/// <param name="logger">Where it is told.</param>
internal sealed partial class SnapshotKeeper(
    Node node, DataFolder folder, IDiskWorker disk, Func<Moment> clock, Func<GroupId, BucketReplica> bucketOf, KeyspaceRules rules, Action throwIfBroken, ILogger logger)
{
    /// <summary>So many keys and segments of a state that arrived are looked at in one piece of work: some milliseconds.</summary>
    private const int ScopesPerStep = 8192;

    /// <summary>Where there was no room for giving room back, that is tried again after so long.</summary>
    private static readonly TimeSpan s_leaveAgainAfter = TimeSpan.FromSeconds(1);

    private readonly SnapshotDesk _desk = new(folder.Snapshots);
    private readonly LogBatch _batch = new();
    private readonly ArrayBufferWriter<byte> _piece = new();
    private readonly ArrivingStates _arriving = new(rules);
    private SnapshotWork.Read? _far;
    private SnapshotWork.Write? _last;
    private SnapshotWriter? _writer;
    private BucketSnapshot? _state;
    private ReadOnlyMemory<byte> _catalogue;
    private TimeSpan _begun;
    private (TimeSpan Took, string What) _longest = (TimeSpan.Zero, "nothing");
    private string _what = "";
    private (long Segment, int Snapshots) _tried;
    private int _snapshots;
    private TimeSpan _leaveAt = TimeSpan.MinValue;

    /// <summary>How many states of snapshots are there in part.</summary>
    public int Arriving => _arriving.Count;

    /// <summary>Does the next pieces of work; whether there were any.</summary>
    /// <param name="settle">Called when a snapshot that was received is durable: whoever it is for takes it with <see cref="Take"/>.</param>
    public async ValueTask<bool> StepAsync(Action settle)
    {
        var from = clock().Monotonic;
        _what = "";
        var worked = await TransferAsync(settle);
        worked |= _writer is null ? await BeginAsync() : await WriteAsync();
        worked |= await RetireAsync();
        worked |= await LeaveAsync();
        var took = clock().Monotonic - from;
        if (worked && took > _longest.Took)
            _longest = (took, _what);
        return worked;
    }

    /// <summary>The state of a snapshot that was received and has just been installed.</summary>
    public BucketState Take(SnapshotInfo snapshot) =>
        _arriving.Take(snapshot.Group) ?? throw new InvariantViolationException($"R13: the {snapshot} was read before it was installed");

    /// <summary>Closes its files. A snapshot that is not complete is given up; the next one begins anew.</summary>
    public void Close()
    {
        _state?.Dispose();
        _writer?.Dispose();
        _desk.Dispose();
    }

    /// <summary>K4.</summary>
    private async ValueTask RunAsync(Action job)
    {
        throwIfBroken();
        try
        {
            await disk.Run(job);
        }
        catch (SnapshotHasNoRoomException)
        {
            throwIfBroken();
            throw;
        }
        throwIfBroken();
    }

    private async ValueTask<bool> TransferAsync(Action settle)
    {
        if (_last is { } last)
        {
            Did("complete a state");
            await CompleteAsync(last, settle);
            return true;
        }
        SnapshotWork? work = _far;
        if (work is null && !node.TryTakeSnapshotWork(out work))
            return false;
        switch (work)
        {
            case SnapshotWork.Read read:
                Did("read a chunk");
                await ReadAsync(read);
                break;
            case SnapshotWork.Write write:
                Did("keep a chunk");
                if (await ReadsAsync(write, () => _arriving.Add(write)))
                    await KeepOrCompleteAsync(write, settle);
                break;
            case SnapshotWork.Drop drop:
                Did("drop what arrived");
                await DropAsync(drop.Snapshot.Group);
                break;
        }
        return true;
    }

    /// <summary>Reads a chunk that is to be sent, or goes towards it.</summary>
    private async ValueTask ReadAsync(SnapshotWork.Read read)
    {
        (ReadOnlyMemory<byte>? Content, bool IsLast) chunk = default;
        var reached = false;
        await RunAsync(() =>
        {
            reached = _desk.Reach(read.Snapshot, read.Chunk);
            if (reached)
                chunk = _desk.Read(read.Snapshot, read.Chunk);
        });
        _far = reached ? null : read;
        if (reached)
            node.ChunkRead(read, chunk.Content, chunk.IsLast, clock());
    }

    private ValueTask KeepOrCompleteAsync(SnapshotWork.Write write, Action settle)
    {
        if (!write.IsLast)
            return KeepAsync(write, settle);
        _last = write;
        return ValueTask.CompletedTask;
    }

    /// <summary>Completes a state whose last chunk came, step by step, and keeps that chunk then.</summary>
    private async ValueTask CompleteAsync(SnapshotWork.Write last, Action settle)
    {
        var isComplete = false;
        if (!await ReadsAsync(last, () => isComplete = _arriving.TryComplete(last.Snapshot, ScopesPerStep)))
            _last = null;
        else if (isComplete)
            await KeepAsync(last, settle);
    }

    /// <summary>Reads of a snapshot that arrives; whether it can be read (K3).</summary>
    private async ValueTask<bool> ReadsAsync(SnapshotWork.Write write, Action read)
    {
        try
        {
            read();
            return true;
        }
        catch (MalformedSnapshotException malformed)
        {
            await DropAsync(write.Snapshot.Group);
            node.ChunkRefused(write);
            LogMalformed(logger, malformed, write.Snapshot, write.Chunk, write.From);
            return false;
        }
    }

    private ValueTask DropAsync(GroupId group)
    {
        _arriving.Drop(group);
        return RunAsync(() => _desk.Drop(group));
    }

    private async ValueTask KeepAsync(SnapshotWork.Write write, Action settle)
    {
        var group = write.Snapshot.Group;
        _last = null;
        var kept = false;
        try
        {
            await RunAsync(() => kept = _desk.Write(write.Snapshot, write.Chunk, write.IsLast, write.Content.Span));
        }
        catch (SnapshotHasNoRoomException full)                          // K2
        {
            _arriving.Drop(group);
            node.ChunkRefused(write);
            LogNoRoom(logger, full, write.Snapshot);
            return;
        }
        node.ChunkWritten(write, kept, clock());
        if (!write.IsLast)
            return;
        settle();
        // Where it brought nothing forward, nobody took it.
        _arriving.Drop(group);
        LogReceived(logger, write.Snapshot, kept);
    }

    private async ValueTask<bool> BeginAsync()
    {
        if (!node.TryTakeDue(out var group))
            return false;
        var applied = group == GroupId.System ? node.CatalogueApplied : bucketOf(group).Applied;
        if (node.BeginSnapshot(group, applied) is not { } info)
            return true;
        Did("begin");
        _begun = clock().Monotonic;
        if (group == GroupId.System)
            _catalogue = CatalogueSnapshot.Encode(node.Catalogue);
        else
            _state = bucketOf(group).State.BeginSnapshot();
        try
        {
            await RunAsync(() => _writer = folder.Snapshots.Begin(info, received: false));
        }
        catch (SnapshotHasNoRoomException full)
        {
            GiveUp(info, full);
        }
        return true;
    }

    private async ValueTask<bool> WriteAsync()
    {
        var writer = _writer!;
        try
        {
            if (_state is { IsPrepared: false } state)
            {
                Did("copy results");
                state.Prepare();
                return true;
            }
            if (TakePiece() is { Length: > 0 } piece)
            {
                Did("write a piece");
                await RunAsync(() => writer.Write(piece.Span));
                return true;
            }
            Did("give it its name");
            var kept = false;
            await RunAsync(() => kept = writer.Complete());
            Taken(writer, kept);
        }
        catch (SnapshotHasNoRoomException full)
        {
            GiveUp(writer.Info, full);
        }
        return true;
    }

    private void Taken(SnapshotWriter writer, bool kept)
    {
        End();
        if (kept)
            node.SnapshotTaken(writer.Info);
        else
            node.SnapshotGivenUp(writer.Info, hadNoRoom: false);
        _snapshots++;
        LogTaken(logger, writer.Info, writer.Chunks, (clock().Monotonic - _begun).TotalMilliseconds, _longest.Took.TotalMilliseconds, _longest.What);
        _longest = (TimeSpan.Zero, "nothing");
    }

    /// <summary>K2.</summary>
    private void GiveUp(SnapshotInfo info, SnapshotHasNoRoomException full)
    {
        End();
        node.SnapshotGivenUp(info, hadNoRoom: true);
        LogNoRoom(logger, full, info);
    }

    private void End()
    {
        _state?.Dispose();
        (_state, _writer) = (null, null);
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
        if (!node.TryCollectRetirement(log.Use, _batch, log.RetirementBytesMax, out var firstKept))
            return false;
        Did("retire segments");
        await RunAsync(() =>
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

    /// <summary>Gives the room of files back that nothing needs any more, a little at a time.</summary>
    private async ValueTask<bool> LeaveAsync()
    {
        if ((!folder.Snapshots.HasLeaving && !folder.Log.HasLeaving) || clock().Monotonic < _leaveAt)
            return false;
        Did("delete a part of a file");
        var worked = false;
        await RunAsync(() => worked = folder.Snapshots.StepLeaving() || folder.Log.StepLeaving());
        if (!worked)
            _leaveAt = clock().Monotonic + s_leaveAgainAfter;
        return worked;
    }

    private void Did(string what) => _what = _what.Length == 0 ? what : $"{_what}, {what}";

    [LoggerMessage(Level = LogLevel.Information, Message = "Took {Snapshot}: {Chunks} chunks in {Ms:F0} ms; the log waited {LongestMs:F0} ms at most at a time, to {What}")]
    private static partial void LogTaken(ILogger logger, SnapshotInfo snapshot, int chunks, double ms, double longestMs, string what);

    [LoggerMessage(Level = LogLevel.Warning, Message = "There is no room for {Snapshot}: it is given up and tried again later. The log grows meanwhile, and when there is no room for it either, the node stops")]
    private static partial void LogNoRoom(ILogger logger, Exception error, SnapshotInfo snapshot);

    [LoggerMessage(Level = LogLevel.Error, Message = "The {Snapshot} that node {From} sends cannot be read, from chunk {Chunk} on: it is refused, and what is here stays. This replica lags until a snapshot comes that it can read; a program older than the sender's may have to be updated")]
    private static partial void LogMalformed(ILogger logger, Exception error, SnapshotInfo snapshot, int chunk, NodeId from);

    [LoggerMessage(Level = LogLevel.Information, Message = "Received {Snapshot}; it is the newest here: {Kept}")]
    private static partial void LogReceived(ILogger logger, SnapshotInfo snapshot, bool kept);

    [LoggerMessage(Level = LogLevel.Information, Message = "The log no longer needs its segments before {Segment}; they go as the disk has room for it")]
    private static partial void LogRetired(ILogger logger, long segment);
}
