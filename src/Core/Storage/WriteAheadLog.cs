namespace Watch.Core.Storage;

/// <summary>
/// The one log of a node, shared by all of its groups, so that one sync makes durable whatever waits, whichever group it belongs to.
/// docs/disk-format.md describes the bytes; <c>LogScan</c> how they are read again after a crash.
///
/// The log is a row of segments (files), a segment a header and a row of batches, a batch a header and its records.
/// <see cref="Append"/> writes a batch with one call, <see cref="Sync"/> makes durable what was appended: two steps, so that whoever owns
/// the log decides what shares a sync. Nothing may be acknowledged between the two.
///
///   W1  A batch records the position up to which the log was durable when the batch was written. Recovery tells damage from
///       a torn tail by it.
///   W2  A segment is written under another name, with its header and room for batches, made durable, and only then renamed; before
///       that, everything in the segment before it is durable and that file is cut to what is used. So a segment that has its name
///       proves that all before it was durable.
///   W3  Room is allocated ahead, as written zeros: a sync of bytes over them has no file size and no block map to write.
///   W4  After a failed write or sync nobody knows what the disk holds (the kernel may drop the pages and report success the next
///       time), so the log answers nothing any more. For the same reason recovery writes the bytes above the last recorded position
///       again before it syncs them: a page that a failed sync left clean in the cache would otherwise look durable.
///   W5  A crash at any point leaves a log that opens, with everything in it that was ever synced.
///   W6  A segment is deleted only when a later, synced record says that it and all before it are retired, and that record's batch holds
///       again what groups still needed from it. The oldest goes first, and its name is gone from the disk before the next one's goes.
///
/// Not thread-safe: a node's disk thread owns it.
/// </summary>
public sealed class WriteAheadLog : IDisposable
{
    private readonly IFileSystem _fs;
    private readonly string _folder;
    private readonly NodeId _node;
    private readonly LogOptions _options;
    private readonly uint _seed;
    private readonly LogBatch _empty = new();
    private readonly LeavingFiles _leaving;
    private LogUse _use = new();
    private IFile _file;
    private string _path;
    private long _number;
    private LogPosition _base;
    private LogPosition _dataEnd;
    private LogPosition _sealed;
    private uint _chain;
    private LogFailedException? _failure;

    private WriteAheadLog(IFileSystem fs, string folder, NodeId node, LogOptions options, string path, IFile file)
    {
        (_fs, _folder, _node, _options, _path, _file) = (fs, folder, node, options, path, file);
        _seed = LogFormat.ChecksumSeed(node);
        _leaving = new LeavingFiles(fs, folder);
    }

    /// <summary>Where the next batch will be written.</summary>
    public LogPosition End { get; private set; }

    /// <summary>Everything before this place is durable.</summary>
    public LogPosition Synced { get; private set; }

    /// <summary>Whether records were written of which no batch yet records that they are durable: time for <see cref="Seal"/> when nothing waits.</summary>
    public bool NeedsSeal => _dataEnd > _sealed;

    /// <summary>What each segment holds. To be looked at only while the disk thread does nothing.</summary>
    public LogUse Use => _use;

    /// <summary>The number of the segment that is written to.</summary>
    public long CurrentSegment => _number;

    /// <summary>How long a batch may be that retires segments.</summary>
    public long RetirementBytesMax => _options.RetirementBytesMax;

    /// <summary>Where the first segment begins: how much of the log was retired.</summary>
    public LogPosition Begin { get; private set; }

    /// <summary>Whether the folder holds a segment.</summary>
    public static bool Exists(IFileSystem fs, string folder)
    {
        ArgumentNullException.ThrowIfNull(fs);
        return fs.List(folder).Any(name => LogFormat.SegmentNumber(name) is not null);
    }

    /// <summary>Makes the first segment of a new log in an existing folder that has none.</summary>
    public static WriteAheadLog Create(IFileSystem fs, string folder, NodeId node, LogOptions options)
    {
        ArgumentNullException.ThrowIfNull(fs);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        Invariant.That(!Exists(fs, folder), "W2: a new log begins in a folder without segments");
        var (path, file, chain) = CreateSegment(fs, folder, new SegmentHeader(node, 1, LogPosition.Start, 0), options);
        var log = new WriteAheadLog(fs, folder, node, options, path, file);
        log.Continue(1, LogPosition.Start, chain);
        log._use.Add(1, log._empty.Use);
        return log;
    }

    /// <summary>
    /// Opens an existing log: verifies all of it, hands its records to the reader, cuts a torn tail, and returns when all that was
    /// handed over is durable.
    /// </summary>
    /// <exception cref="LogDamagedException">Something that had been durable is not what was written; nothing was changed.</exception>
    /// <exception cref="NewerFormatException">A newer version wrote it; nothing was changed.</exception>
    /// <exception cref="LogFailedException">The disk failed while the end of the log was put in order.</exception>
    public static WriteAheadLog Open(
        IFileSystem fs, string folder, NodeId node, LogOptions options, ILogReader reader, out LogRecovery recovery)
    {
        ArgumentNullException.ThrowIfNull(fs);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var scan = new LogScan(fs, folder, node, reader);
        scan.Run();

        // From here on the disk is changed: everything was read and found good.
        var path = $"{folder}/{LogFormat.SegmentName(scan.LastNumber)}";
        var log = new WriteAheadLog(fs, folder, node, options, path, fs.Open(path));
        try
        {
            log.Recover(scan);
        }
        catch (Exception e)
        {
            log.Dispose();
            throw log.Fail(e);
        }
        recovery = new LogRecovery((int)(scan.LastNumber - scan.FirstNumber + 1), scan.Batches, scan.Records, scan.End, scan.Sealed, scan.Torn);
        return log;
    }

    /// <summary>
    /// Writes a batch at the end, not yet durable, and returns the end. When the segment is full, everything before the batch is made
    /// durable and the next segment begun.
    /// </summary>
    public LogPosition Append(LogBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.IsEmpty)
            throw new ArgumentException("An empty batch is written by Seal alone.", nameof(batch));
        if (batch.Length > _options.BatchBytesMax)
            throw new ArgumentException($"A batch of {batch.Length} bytes is longer than {nameof(LogOptions.BatchBytesMax)}, {_options.BatchBytesMax}.", nameof(batch));
        ThrowIfFailed();
        try
        {
            Write(batch);
            _dataEnd = End;
            return End;
        }
        catch (Exception e)
        {
            throw Fail(e);
        }
    }

    /// <summary>Makes durable what was appended; returns the place up to which it is.</summary>
    public LogPosition Sync()
    {
        ThrowIfFailed();
        try
        {
            SyncFile();
            return Synced;
        }
        catch (Exception e)
        {
            throw Fail(e);
        }
    }

    /// <summary>
    /// Records, in an empty batch of its own, that what was written is durable, so that later damage to it is noticed. For when nothing
    /// waits and at a clean stop. Does nothing where that is recorded already.
    /// </summary>
    public void Seal()
    {
        ThrowIfFailed();
        if (!NeedsSeal)
            return;
        try
        {
            SyncFile();
            Write(_empty);
            SyncFile();
        }
        catch (Exception e)
        {
            throw Fail(e);
        }
    }

    /// <summary>
    /// Takes the names from the segments before one, oldest first; the files go in steps (<see cref="StepLeaving"/>). A batch that says so
    /// (<see cref="LogBatch.AddFirst"/>) must have been synced (W6). What the disk has no room for now stays for the next time.
    /// </summary>
    public void RetireBelow(long segment)
    {
        ThrowIfFailed();
        Invariant.That(segment <= _number && Synced == End, "W6: a segment goes when what replaces it is durable");
        try
        {
            DeleteBelow(segment);
        }
        catch (Exception e)
        {
            throw Fail(e);
        }
    }

    /// <summary>Whether files of retired segments are still there: time for <see cref="StepLeaving"/>.</summary>
    public bool HasLeaving => _leaving.Any;

    /// <summary>Does one bounded piece of the work of deleting retired segments; false where there was none, or the disk has no room for it now (E3).</summary>
    public bool StepLeaving()
    {
        ThrowIfFailed();
        try
        {
            return _leaving.Step();
        }
        catch (Exception e)
        {
            throw Fail(e);
        }
    }

    /// <summary>Closes the file; neither syncs nor seals.</summary>
    public void Dispose() => _file.Dispose();

    private long Offset => End - _base;

    private void Recover(LogScan scan)
    {
        Continue(scan.LastNumber, scan.LastBase, scan.Chain);
        End = scan.End;
        _dataEnd = scan.DataEnd;
        _sealed = scan.Sealed;
        _use = scan.Use;
        Begin = scan.FirstBase;
        foreach (var name in scan.Unfinished)
            _fs.Delete($"{_folder}/{name}");
        // The tail goes before anything new is written: a stale batch in it could one day follow a new one by accident.
        if (scan.Torn is not null)
            _file.SetLength(Offset);
        _file.Write(scan.Sealed - _base, scan.Unsealed);                 // W4
        SyncFile();
        _fs.SyncFolder(_folder);
        DeleteBelow(Math.Min(scan.FirstKept, _number));
        while (_leaving.Step())
        {
            // Nobody waits yet. What there is no room for goes later (E3).
        }
    }

    // One after the other, each durably gone before the next one goes: a gap would be damage. What the disk has no room for stays, until
    // somebody retires segments again, or the log is opened again (E3).
    private void DeleteBelow(long segment)
    {
        foreach (var number in _use.Segments.Keys.Where(number => number < segment).ToList())
        {
            if (!_leaving.TryName())
                return;
            var path = $"{_folder}/{LogFormat.SegmentName(number)}";
            long length;
            using (var file = _fs.Open(path))
                length = file.Length;
            if (!_leaving.TryAdd(path))
                return;
            _use.Remove(number);
            Begin += length;
        }

        // If not now, then before anything is cut (E1).
        _ = _leaving.TryName();
    }

    private void Continue(long number, LogPosition start, uint chain)
    {
        (_number, _base, _chain) = (number, start, chain);
        End = Synced = _dataEnd = _sealed = start + LogFormat.SegmentHeaderBytes;
    }

    private void Write(LogBatch batch)
    {
        if (Offset + batch.Length > _options.SegmentBytesMax && Offset > LogFormat.SegmentHeaderBytes)
            NextSegment();
        if (Offset + batch.Length > _file.Length)
            _file.Preallocate(RoomFor(Offset + batch.Length, _options));

        _chain = batch.Finish(_chain, End, Synced, _seed);
        _sealed = Synced;                                                // W1
        _use.Add(_number, batch.Use);
        _file.Write(Offset, batch.Bytes);
        End += batch.Length;
    }

    private void SyncFile()
    {
        _file.Sync();
        Synced = End;
    }

    private void NextSegment()
    {
        _file.SetLength(Offset);
        SyncFile();
        var header = new SegmentHeader(_node, _number + 1, End, _chain);
        var (path, file, chain) = CreateSegment(_fs, _folder, header, _options);
        _file.Dispose();
        (_path, _file) = (path, file);
        Continue(header.Number, header.Base, chain);
        _use.Add(_number, _empty.Use);
    }

    private static (string Path, IFile File, uint Chain) CreateSegment(
        IFileSystem fs, string folder, in SegmentHeader header, LogOptions options)
    {
        var path = $"{folder}/{LogFormat.SegmentName(header.Number)}";
        var unfinished = path + LogFormat.UnfinishedSuffix;
        Span<byte> bytes = stackalloc byte[LogFormat.SegmentHeaderBytes];
        var chain = LogFormat.WriteSegmentHeader(bytes, header);
        var file = fs.Create(unfinished);
        try
        {
            file.Preallocate(RoomFor(LogFormat.SegmentHeaderBytes, options));
            file.Write(0, bytes);
            file.Sync();
            fs.Rename(unfinished, path);
            fs.SyncFolder(folder);
        }
        catch
        {
            file.Dispose();
            throw;
        }
        return (path, file, chain);
    }

    private static long RoomFor(long length, LogOptions options) =>
        (length + options.AllocateBytes - 1) / options.AllocateBytes * options.AllocateBytes;

    private void ThrowIfFailed()
    {
        if (_failure is not null)
            throw new LogFailedException(_failure.File, _failure.InnerException!);
    }

    /// <summary>W4: whatever went wrong, the disk's content is unknown from now on.</summary>
    private LogFailedException Fail(Exception e) => _failure = new LogFailedException(_path, e);
}
