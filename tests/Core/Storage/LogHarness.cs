using System.Buffers.Binary;
using Watch.Core.Storage;

namespace Watch.Core.Tests.Storage;

/// <summary>Writes logs with random batches and remembers what is in them, to compare with what is read again.</summary>
internal sealed class LogHarness
{
    internal const string Folder = "log";
    internal static readonly NodeId Node = new(new UInt128(0x0123456789abcdef, 0xfedcba9876543210));
    internal static readonly LogOptions Small = new() { SegmentBytesMax = 4 << 10, AllocateBytes = 4 << 10 };

    private readonly Random _random;
    private long _index;

    internal LogHarness(Random random, LogOptions? options = null, MemoryFileSystem? fs = null)
    {
        _random = random;
        Fs = fs ?? new MemoryFileSystem();
        Fs.CreateFolder(Folder);
        Log = WriteAheadLog.Create(Fs, Folder, Node, options ?? Small);
    }

    internal MemoryFileSystem Fs { get; }

    internal WriteAheadLog Log { get; }

    /// <summary>Every batch appended, as the lines of its records, with its place in the log.</summary>
    internal List<(LogPosition Start, LogPosition End, string[] Lines)> Batches { get; } = [];

    /// <summary>How many of the batches were synced.</summary>
    internal int SyncedBatches { get; private set; }

    internal string[] Lines(int batches) => [.. Batches.Take(batches).SelectMany(batch => batch.Lines)];

    internal static string FileOf(long number) => $"{Folder}/{number:d16}.wal";

    internal void Append(int records = 0, int payloadMax = 60)
    {
        var batch = new LogBatch();
        var collector = new Collector();
        for (var i = records == 0 ? _random.Next(1, 4) : records; i > 0; i--)
            AddRecord(batch, collector, payloadMax);
        // Remembered before it is written: a crash in the middle of the write may leave it.
        Batches.Add((Log.End, Log.End, [.. collector.Lines]));
        var end = Log.Append(batch);
        Batches[^1] = (end + -batch.Length, end, [.. collector.Lines]);
    }

    internal void Sync()
    {
        Log.Sync();
        SyncedBatches = Batches.Count;
    }

    internal void Seal()
    {
        Log.Seal();
        SyncedBatches = Batches.Count;
    }

    internal static (Collector Read, LogRecovery Recovery, WriteAheadLog Log) Reopen(IFileSystem fs, LogOptions? options = null)
    {
        var collector = new Collector();
        var log = WriteAheadLog.Open(fs, Folder, Node, options ?? Small, collector, out var recovery);
        return (collector, recovery, log);
    }

    /// <summary>Gives a changed record a right checksum again, by docs/disk-format.md and not by the product's code.</summary>
    internal static void Resign(Span<byte> record, uint before)
    {
        var checksum = Crc32C.Append(Crc32C.Append(before, record[..8]), record[12..]);
        BinaryPrimitives.WriteUInt32LittleEndian(record[8..], checksum);
    }

    /// <summary>What the checksum of a batch's header builds on.</summary>
    internal static uint SeedOf(NodeId node)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(bytes, node.Value);
        return Crc32C.Append(0, bytes);
    }

    private void AddRecord(LogBatch batch, Collector collector, int payloadMax)
    {
        var group = new GroupId(_random.Next(3));
        if (_random.Next(8) == 0)
        {
            var state = new HardState(new Term(_random.Next(9)), new NodeId((UInt128)_random.Next()));
            batch.Add(group, state);
            collector.OnHardState(group, state);
            return;
        }
        var payload = new byte[_random.Next(payloadMax)];
        _random.NextBytes(payload);
        var entry = new Entry(new LogIndex(++_index), new Term(1), new LogTime(_index * 10), 1_700_000_000_000 + _index, EntryKind.Command, payload);
        batch.Add(group, entry);
        collector.OnEntry(group, entry);
    }
}

/// <summary>Turns records into lines.</summary>
internal sealed class Collector : ILogReader
{
    internal List<string> Lines { get; } = [];

    public void OnEntry(GroupId group, Entry entry) => Lines.Add(
        $"{group} entry {entry.Index} {entry.Term} {entry.Stamp} {entry.WallTimeMs} {entry.Kind} {Convert.ToHexString(entry.Payload.Span)}");

    public void OnHardState(GroupId group, HardState state) => Lines.Add($"{group} state {state.Term} {state.Vote}");

    public void OnSnapshot(SnapshotReader snapshot) => Lines.Add($"{snapshot.Info}");

    public void OnBase(GroupId group, LogBase start) => Lines.Add($"{group} base {start.Index} {start.Term} {(start.Keeps ? "keeps" : "voids")}");

    public void OnEnd() => HasEnded = true;

    internal bool HasEnded { get; private set; }
}
