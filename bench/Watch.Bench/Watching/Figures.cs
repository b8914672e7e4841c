using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Reflection;
using System.Runtime;

namespace Watch.Bench.Watching;

/// <summary>Durations, counted in classes that are less than one percent wide: however many they are, they take the same room.</summary>
internal sealed class Durations
{
    private const int Bits = 7;
    private readonly long[] _counts = new long[(64 - Bits) << Bits];

    public long Count { get; private set; }

    /// <summary>Counts one; less than nothing is nothing.</summary>
    public void Add(long ticks)
    {
        _counts[ClassOf((ulong)Math.Max(0, ticks))]++;
        Count++;
    }

    public void Clear()
    {
        Array.Clear(_counts);
        Count = 0;
    }

    /// <summary>In microseconds, what this share of them does not exceed.</summary>
    public double At(double share)
    {
        var wanted = Math.Max(1, (long)Math.Ceiling(share * Count));
        for (var at = 0; at < _counts.Length; at++)
        {
            wanted -= _counts[at];
            if (wanted <= 0)
                return TopOf(at) * 1e6 / Stopwatch.Frequency;
        }

        return double.NaN;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"p50 {At(0.5),8:F1} us  p99 {At(0.99),9:F1} us  p99.9 {At(0.999),9:F1} us");

    // Up to 2^7 ticks each has a class of its own; each further doubling has 2^7 classes.
    private static int ClassOf(ulong ticks)
    {
        var shift = Math.Max(0, 63 - BitOperations.LeadingZeroCount(ticks) - Bits);
        return (shift << Bits) + (int)(ticks >> shift);
    }

    private static double TopOf(int at)
    {
        var shift = Math.Max(0, (at >> Bits) - 1);
        return (((at - (shift << Bits)) + 1.0) * Math.Pow(2, shift)) - 1;
    }
}

/// <summary>Ratios of pairs, of which the middle is wanted, and how far it can be trusted.</summary>
/// <remarks>
/// What else a machine does makes some pairs worthless, and a mean with them. So this is the median of the means of all pairs of ratios
/// (Hodges and Lehmann), with the interval that belongs to it (Wilcoxon's signed ranks), both on logarithms: a few that are far off
/// change little, whichever way they are.
/// </remarks>
internal sealed class Ratios
{
    private const double Z = 1.959964;
    private readonly List<double> _logs = [];
    private (double Low, double Middle, double High)? _interval;

    public int Count => _logs.Count;

    public double Middle => Interval.Middle;

    /// <summary>The bounds between which it lies with a probability of 95 %.</summary>
    public (double Low, double High) Bounds => (Interval.Low, Interval.High);

    public void Add(double with, double without)
    {
        _logs.Add(Math.Log(with / without));
        _interval = null;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Middle:F4} ({Interval.Low:F4} to {Interval.High:F4}, {Count} pairs)");

    private (double Low, double Middle, double High) Interval => _interval ??= Find();

    private (double Low, double Middle, double High) Find()
    {
        var n = _logs.Count;
        if (n == 0)
            return (double.NaN, double.NaN, double.NaN);
        var means = new List<double>(n * (n + 1) / 2);
        for (var one = 0; one < n; one++)
            for (var other = one; other < n; other++)
                means.Add((_logs[one] + _logs[other]) / 2);
        means.Sort();
        var cut = (int)Math.Floor((n * (n + 1) / 4.0) - (Z * Math.Sqrt(n * (n + 1.0) * ((2 * n) + 1) / 24)));
        var middle = (means[(means.Count - 1) / 2] + means[means.Count / 2]) / 2;
        // With fewer than six pairs there is no such interval.
        return cut < 1 ? (0, Math.Exp(middle), double.PositiveInfinity) : (Math.Exp(means[cut - 1]), Math.Exp(middle), Math.Exp(means[^cut]));
    }
}

/// <summary>What every measurement says of itself, and how a gate is judged.</summary>
internal static class Said
{
    /// <summary>One line: engine, processors, commit.</summary>
    public static string Circumstances(string engine)
    {
        var version = typeof(Said).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "?";
        return string.Create(CultureInfo.InvariantCulture, $"engine {engine}, {Environment.ProcessorCount} processors, {(GCSettings.IsServerGC ? "server" : "workstation")} GC, commit {version[(version.IndexOf('+', StringComparison.Ordinal) + 1)..]}, {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC");
    }

    /// <summary>A row of the table: what was measured, and what came out.</summary>
    public static void Row(string name, string measured, string gate = "", string verdict = "") => Console.WriteLine($"| {name} | {measured} | {gate} | {verdict} |");

    /// <summary>The same of something for which there is a gate.</summary>
    public static void Gate(string name, double measured, double limit, bool atMost, string unit)
    {
        var isMet = atMost ? measured <= limit : measured >= limit;
        Row(name, string.Create(CultureInfo.InvariantCulture, $"{measured:N0} {unit}"), string.Create(CultureInfo.InvariantCulture, $"{(atMost ? "at most" : "at least")} {limit:N0} {unit}"), isMet ? Met : Missed);
    }

    /// <summary>The same where all that can be told is in which interval it lies.</summary>
    public static void Gate(string name, Ratios measured, double limit, bool atMost)
    {
        var (low, high) = measured.Bounds;
        var (isMet, isMissed) = atMost ? (high <= limit, low > limit) : (low >= limit, high < limit);
        Row(name, measured.ToString(), string.Create(CultureInfo.InvariantCulture, $"{(atMost ? "at most" : "at least")} {limit}"), isMet ? Met : isMissed ? Missed : "undecided");
    }

    /// <summary>What stands in a row whose gate was met.</summary>
    public const string Met = "met";

    /// <summary>What stands in a row whose gate was not.</summary>
    public const string Missed = "**MISSED**";
}
