using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime;

namespace Watch.Bench.Watching;

/// <summary>Durations, to be asked for what most of them stay below.</summary>
internal sealed class Durations
{
    private readonly List<long> _ticks = [];
    private bool _isSorted;

    public int Count => _ticks.Count;

    public void Add(long ticks)
    {
        _ticks.Add(ticks);
        _isSorted = false;
    }

    public void Add(Durations others)
    {
        _ticks.AddRange(others._ticks);
        _isSorted = false;
    }

    /// <summary>In microseconds, what this share of them does not exceed.</summary>
    public double At(double share)
    {
        if (!_isSorted)
            _ticks.Sort();
        _isSorted = true;
        return _ticks.Count == 0 ? double.NaN : _ticks[Math.Clamp((int)(share * _ticks.Count), 0, _ticks.Count - 1)] * 1e6 / Stopwatch.Frequency;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"p50 {At(0.5),8:F1} us  p99 {At(0.99),9:F1} us  p99.9 {At(0.999),9:F1} us");
}

/// <summary>Numbers of which the mean is wanted, and how far it can be trusted.</summary>
internal sealed class Trusted
{
    private const double Z = 1.959964;
    private readonly List<double> _values = [];

    public int Count => _values.Count;

    public double Mean => _values.Average();

    /// <summary>Half of the interval that holds the mean with a probability of 95 %, by Student's t.</summary>
    public double Margin
    {
        get
        {
            if (_values.Count < 2)
                return double.PositiveInfinity;
            var (mean, freedom) = (Mean, _values.Count - 1.0);
            var deviation = Math.Sqrt(_values.Sum(each => (each - mean) * (each - mean)) / freedom);
            // The quantile of t from the normal one (Cornish and Fisher): exact to three digits from five values on.
            var t = Z + ((Math.Pow(Z, 3) + Z) / (4 * freedom)) + (((5 * Math.Pow(Z, 5)) + (16 * Math.Pow(Z, 3)) + (3 * Z)) / (96 * freedom * freedom));
            return t * deviation / Math.Sqrt(_values.Count);
        }
    }

    public void Add(double value) => _values.Add(value);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Mean:F4} ± {Margin:F4} (95 %, {Count} pairs)");
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

    /// <summary>Says whether a gate was met.</summary>
    public static void Gate(string name, double measured, double limit, bool atMost, string unit)
    {
        var isMet = atMost ? measured <= limit : measured >= limit;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  gate: {name}: {measured:N1} {unit}, {(atMost ? "at most" : "at least")} {limit:N0} {unit} wanted: {(isMet ? "met" : "MISSED")}"));
    }

    /// <summary>Says whether a gate was met by a mean, where all that can be told is in which interval it lies.</summary>
    public static void Gate(string name, Trusted measured, double atLeast)
    {
        var verdict = measured.Mean - measured.Margin >= atLeast ? "met" : measured.Mean + measured.Margin < atLeast ? "MISSED" : "undecided (more rounds, or a quieter machine)";
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  gate: {name}: {measured}, at least {atLeast} wanted: {verdict}"));
    }
}
