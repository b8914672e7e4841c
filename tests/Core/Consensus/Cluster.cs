using System.Buffers.Binary;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Storage;

namespace Watch.Core.Tests.Consensus;

/// <summary>A disk that knows records: those of synced batches survive a crash, those of the batch at the disk do not.</summary>
internal sealed class RecordDisk
{
    private readonly List<byte[]> _batches = [];
    private byte[]? _atDisk;

    internal bool IsBusy => _atDisk is not null;

    internal void Write(LogBatch batch) => _atDisk = batch.Bytes.ToArray();

    internal void Sync()
    {
        _batches.Add(_atDisk!);
        _atDisk = null;
    }

    /// <summary>The power goes: what was not synced may be there or not.</summary>
    internal void Crash(bool unsyncedSurvives)
    {
        if (unsyncedSurvives && _atDisk is not null)
            _batches.Add(_atDisk);
        _atDisk = null;
    }

    internal RecoveredLog Recover()
    {
        var recovered = new RecoveredLog();
        foreach (var batch in _batches)
        {
            for (var at = LogFormat.BatchHeaderBytes; at < batch.Length; at += LogFormat.LengthOf(batch.AsSpan(at)))
                Read(batch.AsSpan(at, LogFormat.LengthOf(batch.AsSpan(at))), recovered);
        }
        return recovered;
    }

    private static void Read(ReadOnlySpan<byte> record, RecoveredLog into)
    {
        if (LogFormat.TypeOf(record) == RecordType.Entry)
        {
            var (group, entry) = LogFormat.ReadEntry(record);
            into.OnEntry(group, entry);
            return;
        }
        var (of, state) = LogFormat.ReadHardState(record);
        into.OnHardState(of, state);
    }
}

/// <summary>One node of a cluster in memory: its disk, its clock, its state machine, and what it applied.</summary>
internal sealed class Machine(int number, RaftOptions options, Func<double> jitter, SafetyRules rules)
{
    internal static readonly GroupId Group = new(7);

    internal NodeId Id { get; } = new((UInt128)number);

    internal string Name { get; } = $"n{number}";

    internal RecordDisk Disk { get; } = new();

    internal LogBatch Batch { get; } = new();

    /// <summary>The node while it runs.</summary>
    internal Node? Node { get; private set; }

    internal RaftGroup? Raft => Node is not null && Node.Groups.TryGetValue(Group, out var group) ? group : null;

    /// <summary>What this run of the node applied, in order.</summary>
    internal List<Entry> Applied { get; } = [];

    /// <summary>The register's value: that of the last command applied; 0 before the first.</summary>
    internal int Value { get; private set; }

    /// <summary>Gives the disk the first entry of the group.</summary>
    internal void Found(IReadOnlyList<NodeId> voters)
    {
        var batch = new LogBatch();
        batch.Add(Group, new HardState(new Term(1), NodeId.None));
        batch.Add(Group, Membership.FirstEntry(voters));
        Disk.Write(batch);
        Disk.Sync();
    }

    internal void Start(in Moment now)
    {
        Node = new Node(new NodeIdentity(Name, Id), Disk.Recover(), options, jitter, rules);
        Applied.Clear();
        Value = 0;
        Batch.Clear();
        Node.Start(now);
    }

    internal void Crash(bool unsyncedSurvives)
    {
        Node = null;
        Disk.Crash(unsyncedSurvives);
    }

    /// <summary>Applies what is committed; every entry applied is told.</summary>
    internal void Apply(in Moment now, Action<Entry> applied)
    {
        while (Node!.TryTakeCommitted(now, out var committed))
        {
            foreach (var entry in committed.Entries.Span)
            {
                Applied.Add(entry);
                if (entry.Kind == EntryKind.Command)
                    Value = ValueOf(entry);
                applied(entry);
            }
        }
    }

    internal static byte[] Command(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }

    internal static int ValueOf(Entry entry) => BinaryPrimitives.ReadInt32LittleEndian(entry.Payload.Span);
}
