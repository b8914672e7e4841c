using System.Diagnostics;
using System.Globalization;

namespace Watch.Bench.Load;

/// <summary>One thing done again and again by a number of clients for a while, and what it took.</summary>
internal sealed class Phase(string name)
{
    private readonly List<double> _milliseconds = [];
    private TimeSpan _wall;
    private TimeSpan _processor;
    private long _allocated;

    /// <summary>So many a second.</summary>
    public double PerSecond => _milliseconds.Count / _wall.TotalSeconds;

    /// <summary>The median, in milliseconds.</summary>
    public double Median => At(0.5);

    /// <summary>Has every client do it, one after the other, each as fast as it is answered.</summary>
    public async Task RunAsync(int clients, TimeSpan duration, Func<int, int, Task> act)
    {
        var (processor, allocated, begun) = (Environment.CpuUsage.TotalTime, GC.GetTotalAllocatedBytes(), Stopwatch.GetTimestamp());
        var all = await Task.WhenAll(Enumerable.Range(0, clients).Select(client => Task.Run(() => RepeatAsync(client, begun, duration, act))));
        _wall += Stopwatch.GetElapsedTime(begun);
        _processor += Environment.CpuUsage.TotalTime - processor;
        _allocated += GC.GetTotalAllocatedBytes() - allocated;
        foreach (var each in all)
            _milliseconds.AddRange(each);
    }

    /// <summary>One line of figures.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{name,-46} {PerSecond,9:F0}/s  p50 {Median,7:F3} ms  p99 {At(0.99),7:F3} ms  {_processor.TotalMicroseconds / _milliseconds.Count,6:F1} us processor  {_allocated / _milliseconds.Count,6} bytes allocated each");

    private static async Task<List<double>> RepeatAsync(int client, long begun, TimeSpan duration, Func<int, int, Task> act)
    {
        var milliseconds = new List<double>(1 << 16);
        for (var at = 0; Stopwatch.GetElapsedTime(begun) < duration; at++)
        {
            var sent = Stopwatch.GetTimestamp();
            await act(client, at);
            milliseconds.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
        }

        return milliseconds;
    }

    private double At(double share)
    {
        _milliseconds.Sort();
        return _milliseconds[Math.Clamp((int)(share * _milliseconds.Count), 0, _milliseconds.Count - 1)];
    }
}
