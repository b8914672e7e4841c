using System.Buffers;
using System.Diagnostics;
using Watch.Core.Keyspace;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Keyspace;

/// <summary>What snapshots and replay cost. Reported, not judged: the machine is not ours alone.</summary>
public class SnapshotFigures(ITestOutputHelper output)
{
    private const int Changes = 1_000_000;
    private const int Keys = 100_000;

    [Fact]
    public void Of_a_million_changes_of_256_bytes_over_100_000_keys()
    {
        var commands = new List<byte[]>(Changes);
        var client = new ClientId(7);
        for (var each = 0; each < Changes; each++)
            commands.Add(CommandCodec.Encode(WriteCommand.Put(Name(each % Keys), new byte[256], null, new WriteId(client, each + 1, new LogIndex(each), Math.Max(1, each - 63)))));
        var state = new BucketState();
        var cpu = Environment.CpuUsage.TotalTime;
        var clock = Stopwatch.StartNew();
        for (var each = 0; each < Changes; each++)
            state.Apply(CommandCodec.Decode(commands[each]), new AppliedAt(state.Applied.Next, new LogTime(each / 40), each), NothingWatched.Instance);
        output.WriteLine($"replay: {clock.Elapsed.TotalSeconds:F2} s, {Cpu(ref cpu):F2} s of processor time, {state.ResultCount} results");

        clock.Restart();
        var snapshot = state.BeginSnapshot();
        var begun = clock.Elapsed;
        var buffer = new ArrayBufferWriter<byte>(2 * BucketSnapshot.PieceBytes);
        var pieces = new List<ReadOnlyMemory<byte>>();
        var (longest, total) = (TimeSpan.Zero, TimeSpan.Zero);
        while (true)
        {
            clock.Restart();
            var more = snapshot.TryWritePiece(buffer);
            var took = clock.Elapsed;
            if (!more)
                break;
            (longest, total) = (took > longest ? took : longest, total + took);
            pieces.Add(buffer.WrittenSpan.ToArray());
            buffer.Clear();
        }

        output.WriteLine($"snapshot: begun in {begun.TotalMilliseconds:F2} ms, {pieces.Count} pieces of {pieces.Sum(piece => (long)piece.Length) >> 20} MiB in {total.TotalSeconds:F2} s, the slowest in {longest.TotalMilliseconds:F2} ms");
        snapshot.Dispose();
        Cpu(ref cpu);
        clock.Restart();
        var loaded = BucketState.Load(pieces);
        output.WriteLine($"load: {clock.Elapsed.TotalSeconds:F2} s, {Cpu(ref cpu):F2} s of processor time, memory {GC.GetTotalMemory(forceFullCollection: true) >> 20} MiB with both states and the bytes");
        Assert.Equal((state.Revision, state.LiveKeys, state.HistoryBytes, state.ResultCount), (loaded.Revision, loaded.LiveKeys, loaded.HistoryBytes, loaded.ResultCount));
        GC.KeepAlive(state);
    }

    private static double Cpu(ref TimeSpan since)
    {
        var now = Environment.CpuUsage.TotalTime;
        var used = now - since;
        since = now;
        return used.TotalSeconds;
    }

    private static Key Name(int each) => Key.Of($"/app{each % 50}/svc{each % 1000}/k{each}");
}
