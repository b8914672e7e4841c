namespace Watch.ClientApp.Output;

/// <summary>How a measured quantity is spread, in milliseconds.</summary>
internal sealed record Percentiles(int Count, double P50, double P90, double P99, double Max)
{
    /// <summary>Of durations in milliseconds.</summary>
    public static Percentiles Of(IEnumerable<double> milliseconds)
    {
        var sorted = milliseconds.Order().ToArray();
        return sorted.Length == 0 ? new Percentiles(0, 0, 0, 0, 0) : new Percentiles(sorted.Length, At(sorted, 0.5), At(sorted, 0.9), At(sorted, 0.99), sorted[^1]);
    }

    public void Fields(JsonLine json) => json.Number("count", Count).Measure("p50Ms", P50).Measure("p90Ms", P90).Measure("p99Ms", P99).Measure("maxMs", Max);

    public override string ToString() => $"p50 {P50:F3} ms  p90 {P90:F3} ms  p99 {P99:F3} ms  max {Max:F3} ms  ({Count})";

    /// <summary>The smallest measured value that at least this share of all does not exceed.</summary>
    private static double At(double[] sorted, double share) => sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)];
}
