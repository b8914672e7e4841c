using System.Buffers.Binary;
using Watch.Core.Consensus;
using Watch.Core.Storage;
using Watch.Core.Tests.Storage;

namespace Watch.Core.Tests.Consensus;

/// <summary>One node of a cluster in memory: its disk, its clock, its state machine, and what it applied.</summary>
internal sealed class Machine(int number, RaftOptions options, Func<double> jitter, SafetyRules rules)
{
    internal static readonly GroupId Group = new(7);

    /// <summary>Of some machines a snapshot is one piece often, of others hardly ever.</summary>
    private int EntriesPerPiece => number % 2 == 0 ? 200 : 5;

    private Queue<byte[]> _pieces = new();
    private long? _firstKept;

    internal NodeId Id { get; } = new((UInt128)number);

    internal string Name { get; } = $"n{number}";

    internal ClusterDisk Disk { get; } = new(new NodeId((UInt128)number));

    internal LogBatch Batch { get; } = new();

    /// <summary>The node while it runs.</summary>
    internal Node? Node { get; private set; }

    internal RaftGroup? Raft => Node is not null && Node.Groups.TryGetValue(Group, out var group) ? group : null;

    /// <summary>What this run of the node applied, in order.</summary>
    internal List<Entry> Applied { get; } = [];

    /// <summary>The register's value: that of the last command applied; 0 before the first.</summary>
    internal int Value { get; private set; }

    /// <summary>Snapshots that were installed, over all of its runs.</summary>
    internal int Installs { get; private set; }

    /// <summary>Snapshots that were taken, over all of its runs.</summary>
    internal int Snapshots { get; private set; }

    /// <summary>Segments of the log that were retired, over all of its runs.</summary>
    internal long Retired { get; private set; }

    /// <summary>The snapshot that is being written, and what of the state is not written yet.</summary>
    internal SnapshotWriter? Writer { get; private set; }

    /// <summary>Gives the disk the first entry of the group.</summary>
    internal void Found(IReadOnlyList<NodeId> voters)
    {
        Disk.Open(options);
        var batch = new LogBatch();
        batch.Add(Group, new HardState(new Term(1), NodeId.None));
        batch.Add(Group, Membership.FirstEntry(voters));
        Disk.Write(batch);
        Disk.Sync();
    }

    /// <summary>Starts it; what it knows from its snapshot is told.</summary>
    internal void Start(in Moment now, Action<Entry>? known = null)
    {
        var recovered = Disk.Open(options);
        Applied.Clear();
        Value = 0;
        Batch.Clear();
        Writer = null;
        _firstKept = null;
        if (recovered.Groups.TryGetValue(Group, out var group) && group.Snapshot is { } snapshot)
            Load(snapshot, known);
        Node = new Node(new NodeIdentity(Name, Id), recovered, options, jitter, rules);
        Node.Start(now);
    }

    internal void Crash(Random random)
    {
        Node = null;
        Disk.Crash(random);
    }

    /// <summary>Gives the disk what waits: a batch, or the next batch after which segments can go.</summary>
    internal bool WriteBatch()
    {
        if (Disk.IsBusy || Node is not { } node)
            return false;
        if (!node.TryCollect(Batch))
        {
            if (Disk.Use.Segments.Count < 2 || !node.TryCollectRetirement(Disk.Use, Batch, LogHarness.Small.RetirementBytesMax, out var firstKept))
                return false;
            _firstKept = firstKept;
        }
        Disk.Write(Batch);
        return true;
    }

    /// <summary>What was written is synced.</summary>
    internal void SyncBatch(in Moment now)
    {
        Disk.Sync();
        Batch.Clear();
        Node!.Persisted(now);
        if (_firstKept is not { } firstKept)
            return;
        Retired += Disk.Use.Segments.Keys.Count(number => number < firstKept);
        Disk.RetireBelow(firstKept);
        _firstKept = null;
    }

    /// <summary>Does one piece of a snapshot that is taken; whether there was something to do.</summary>
    internal bool StepSnapshot(bool takeOne)
    {
        if (Writer is null)
        {
            if (!takeOne && !Node!.TryTakeDue(out _))
                return Disk.StepLeaving();
            if (Node!.BeginSnapshot(Group, new LogIndex(Applied.Count)) is not { } info)
                return false;
            Writer = Disk.Snapshots.Begin(info, received: false);
            _pieces = Pieces();
            if (!BrokenRules.SyncsBeforeTruncation(rules))
                Node.SnapshotTaken(info);
            return true;
        }
        if (_pieces.TryDequeue(out var piece))
        {
            Writer.Write(piece);
            return true;
        }
        var done = Writer;
        Writer = null;
        var kept = done.Complete();
        if (kept && BrokenRules.SyncsBeforeTruncation(rules))
            Node!.SnapshotTaken(done.Info);
        else if (!kept)
            Node!.SnapshotGivenUp(done.Info, hadNoRoom: false);
        Snapshots++;
        return true;
    }

    /// <summary>Does what a transfer wants of the disk.</summary>
    internal void Do(SnapshotWork work, in Moment now)
    {
        if (work is SnapshotWork.Read read)
        {
            var (content, isLast) = Disk.Desk.Read(read.Snapshot, read.Chunk);
            Node!.ChunkRead(read, content, isLast, now);
        }
        else if (work is SnapshotWork.Write write)
        {
            Node!.ChunkWritten(write, Disk.Desk.Write(write.Snapshot, write.Chunk, write.IsLast, write.Content.Span), now);
        }
        else
        {
            Disk.Desk.Drop(work.Snapshot.Group);
        }
    }

    /// <summary>Applies what is committed; every entry applied is told, and those that a snapshot brings.</summary>
    internal void Apply(in Moment now, Action<Entry> applied)
    {
        while (Node!.TryTakeCommitted(now, out var committed))
        {
            if (committed.Snapshot is { } snapshot)
            {
                Installs++;
                Load(snapshot, applied);
            }
            foreach (var entry in committed.Entries.Span)
                Apply(entry, applied);
        }
    }

    private void Apply(Entry entry, Action<Entry>? applied)
    {
        Applied.Add(entry);
        if (entry.Kind == EntryKind.Command)
            Value = ValueOf(entry);
        applied?.Invoke(entry);
    }

    /// <summary>The state is all that was applied: so a snapshot proves that nothing is missing in it.</summary>
    private Queue<byte[]> Pieces()
    {
        var pieces = new Queue<byte[]>();
        foreach (var entries in Applied.Chunk(EntriesPerPiece))
        {
            var piece = new MemoryStream();
            foreach (var entry in entries)
            {
                var record = new byte[LogBatch.BytesOf(entry)];
                LogFormat.WriteEntry(record, Group, entry);
                piece.Write(record);
            }
            pieces.Enqueue(piece.ToArray());
        }
        return pieces;
    }

    private void Load(SnapshotInfo snapshot, Action<Entry>? applied)
    {
        Applied.Clear();
        Value = 0;
        using var reader = Disk.Snapshots.Read(snapshot)!;
        for (var chunk = 0; reader.Read(chunk) is { } bytes; chunk++)
        {
            for (var at = 0; at < bytes.Length; at += LogFormat.LengthOf(bytes.AsSpan(at)))
                Apply(LogFormat.ReadEntry(bytes.AsSpan(at, LogFormat.LengthOf(bytes.AsSpan(at)))).Entry, applied);
        }
        if (Applied.Count != snapshot.Index.Value)
            throw new PromiseBrokenException($"{Name} loaded {Applied.Count} entries from a {snapshot}");
    }

    internal static byte[] Command(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }

    internal static int ValueOf(Entry entry) => BinaryPrimitives.ReadInt32LittleEndian(entry.Payload.Span);
}
