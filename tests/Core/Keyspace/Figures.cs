using System.Diagnostics;
using Watch.Core.Keyspace;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Keyspace;

/// <summary>What the state costs in time and memory. Reported, not judged: the machine is not ours alone.</summary>
public class Figures(ITestOutputHelper output)
{
    private const int Changes = 1_000_000;

    [Theory]
    [InlineData(1_000)]
    [InlineData(1_000_000)]
    public void Of_a_million_puts_at_depth_three(int keys)
    {
        // Keys of 3 segments and values of 16 bytes; the commands are made beforehand and count with neither time nor memory but
        // for the value, which the state keeps.
        var names = Enumerable.Range(0, keys).Select(each => Key.Of($"/app{each % 50}/svc{each % 997}/k{each}")).ToArray();
        var state = new BucketState();
        var heap = GC.GetTotalMemory(forceFullCollection: true);
        var (elapsed, allocated) = Measure(() =>
        {
            for (var each = 0; each < Changes; each++)
                state.Apply(WriteCommand.Put(names[each % keys], new byte[16]), each, NothingWatched.Instance);
        });
        var kept = GC.GetTotalMemory(forceFullCollection: true) - heap;
        output.WriteLine($"{keys} keys: put {PerItem(elapsed)} us, {allocated / Changes} bytes allocated and {kept / Changes} kept per change (values of 40 included), {kept >> 20} MiB in all");

        var (scan, _) = Measure(() => Assert.Equal(keys, state.Scan(KeyRange.All, new ScanRequest()).Items.Count));
        output.WriteLine($"scan of all: {scan.TotalMilliseconds:F1} ms");
        var (history, _) = Measure(() => Assert.NotEmpty(state.History(Scope.OfPrefix(Key.Of("/app7/")), Revision.None, state.Revision, 100, long.MaxValue).Commits));
        output.WriteLine($"history page of 100 of a segment: {history.TotalMicroseconds:F0} us");
        var (compaction, _) = Measure(() => state.Apply(new CompactCommand(new Revision(Changes)), 0, NothingWatched.Instance));
        output.WriteLine($"compaction: {PerItem(compaction)} us per change dropped, {(GC.GetTotalMemory(forceFullCollection: true) - heap) / keys} bytes kept per key");
        GC.KeepAlive(state);
    }

    [Fact]
    public void Of_a_hundred_thousand_puts_that_everybody_watches()
    {
        var state = new BucketState();
        var key = Key.Of("/app/svc/key");
        var (elapsed, allocated) = Measure(() =>
        {
            for (var each = 0; each < 100_000; each++)
                Assert.Equal(5, state.Apply(WriteCommand.Put(key, default), each, new Everything()).Links.Count);
        });
        output.WriteLine($"put with five links: {elapsed.TotalMicroseconds / 100_000:F2} us, {allocated / 100_000} bytes");
    }

    private static string PerItem(TimeSpan elapsed) => (elapsed.TotalMicroseconds / Changes).ToString("F2", System.Globalization.CultureInfo.InvariantCulture);

    private static (TimeSpan Elapsed, long Allocated) Measure(Action action)
    {
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        var started = Stopwatch.GetTimestamp();
        action();
        return (Stopwatch.GetElapsedTime(started), GC.GetAllocatedBytesForCurrentThread() - allocated);
    }

    private sealed class Everything : IWatchedScopes
    {
        public bool Any => true;

        public bool IsWatched(Scope scope) => true;
    }
}
